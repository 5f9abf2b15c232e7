"""VQA accuracy: an answer counts by how many of ten people gave it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from headwise.benchmarks.scoring.matching import mean
from headwise.errors import InputError

_PUNCTUATION = tuple(';/[]"{}()=+\\_-><@`,?!')
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_FULL_STOP = re.compile(r"\.(?!\d)")
_ARTICLES = ("a", "an", "the")
_NUMBER_WORDS = "zero one two three four five six seven eight nine ten"
_NUMBERS = {
    "none": "0",
    **{word: str(number) for number, word in enumerate(_NUMBER_WORDS.split())},
}
_CONTRACTED_WORDS = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't
haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've
might've mustn't must've needn't not've o'clock oughtn't 'ow's'at shan't should've shouldn't
shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll someone's
something'd something'd've something'll that's there'd there'd've there're there's they'd they'd've
they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's
where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've
wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""


def _with_one_apostrophe_left_out(word: str) -> list[str]:
    places = [place for place, sign in enumerate(word) if sign == "'"]
    return [word[:place] + word[place + 1 :] for place in places]


_CONTRACTIONS = {
    # The table of the official code has this one the other way round.
    "somebody'd": "somebodyd",
    **{
        variant: word
        for word in _CONTRACTED_WORDS.split()
        for variant in _with_one_apostrophe_left_out(word)
    },
    **dict.fromkeys(("shed've", "she'dve"), "she'd've"),
}


# A bootstrap scores the same answers thousands of times.
@lru_cache(maxsize=100_000)
def normalised(answer: str) -> str:
    """An answer as VQA accuracy compares it.

    Args:
        answer: A word or phrase.

    Returns:
        It in lower case without articles, with figures for the words none and zero to ten, with
        apostrophes in common contractions, and without punctuation. A sign of punctuation beside a
        blank is left out, and so is every sign where a comma stands within a number; other signs
        become blanks. Full stops stay before a digit only. After `processPunctuation` and
        `processDigitArticle` of the VQA evaluation code.
    """
    text = answer.replace("\n", " ").replace("\t", " ").strip()
    drops_all = _COMMA_IN_NUMBER.search(text) is not None
    plain = text
    for sign in _PUNCTUATION:
        beside_blank = f"{sign} " in text or f" {sign}" in text
        plain = plain.replace(sign, "" if drops_all or beside_blank else " ")
    words = _FULL_STOP.sub("", plain).lower().split()
    kept = [_NUMBERS.get(word, word) for word in words]
    return " ".join(_CONTRACTIONS.get(word, word) for word in kept if word not in _ARTICLES)


def vqa_accuracy(answer: str | None, references: Sequence[str]) -> float:
    """How far an answer agrees with what people answered.

    Args:
        answer: The answer; None is wrong.
        references: What each of several people (ten) answered.

    Returns:
        The mean, over leaving out each person in turn, of `min(1, agreeing / 3)` with `agreeing`
        of the others. Answer and references are `normalised` alike, as lmms-eval does for OK-VQA
        and VizWiz; the oldest VQA code left references as they are where all say the same.

    Raises:
        InputError: There is no reference.
    """
    if not references:
        raise InputError("VQA accuracy needs what people answered; there is nothing.")
    if answer is None:
        return 0.0
    return _agreement(answer, tuple(references))


@lru_cache(maxsize=100_000)
def _agreement(answer: str, references: tuple[str, ...]) -> float:
    said = normalised(answer)
    given = [normalised(reference) for reference in references]
    agreeing = Counter(given)[said]
    return mean(min(1.0, (agreeing - (one == said)) / 3) for one in given)
