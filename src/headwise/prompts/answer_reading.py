"""Reads the final answer out of what a model wrote, by what kind of answer was asked for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from headwise.errors import InputError
from headwise.prompts.answer_format import Question

YES, NO = "Yes", "No"

_MARK = re.compile(
    r"(?:^|\n|[.!?;,:]\s)\W*(?:(?:so|thus|therefore|hence|finally)\b[,:]?\s*)?"
    r"(?:the\s+)?(?:final\s+|correct\s+|right\s+|best\s+)?"
    r"(?:answer|option|choice)(?:\s+(?:is|would be|must be)\b|\s*\W{0,3}:)\W{0,3}[ \t]*",
    re.IGNORECASE,
)
_QUOTES = "\"'`*_“”‘’«» \t\n"
_ARTICLES = ("a", "an", "the")
_NUMBERS = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
}
_YES_WORDS, _NO_WORDS = ("yes", "yeah", "yep", "true", "correct"), ("no", "nope", "false", "not")
_BOTH = re.compile(r"\byes(?:\s+or\s+|\s*/\s*)no\b", re.IGNORECASE)
_LETTER_ALONE = re.compile(r"^\W*([A-Za-z])(?:\W*$|[).:\]]|\s*[-–—]\s|\n)")
_LETTER_NAMED = re.compile(r"\b(?:option|choice|answer|letter)\W{0,3}(?:is\W{1,3})?([A-Z])\b", re.I)
_LETTER_IN_BRACKETS = re.compile(r"[(\[]([A-Z])[)\]]")
_CAPITAL = re.compile(r"(?<![\w'’])([B-HJ-Z])(?![\w'’])")


def read_answer(text: str, question: Question) -> str | None:
    """The answer in what a model wrote.

    Args:
        text: What it wrote.
        question: What was asked, and what kind of answer was asked for.

    Returns:
        For yes/no `"Yes"` or `"No"`; for options a letter; for a word the word or phrase, without
        what leads up to it and without quotes and full stop; for a caption or free text all of it.
        None where there is no such answer in the text.
    """
    text = text.strip()
    if not text:
        return None
    match question.form:
        case "yes-no":
            return _yes_or_no(text)
        case "options":
            return _letter(text, question.options)
        case "word":
            return _word(text)
    return text


def read_class(text: str, classes: Sequence[str]) -> str | None:
    """The class that a model named.

    Args:
        text: What it wrote.
        classes: The classes it was to name one of.

    Returns:
        The class that is all of the answer, else the only one that occurs in it, one within
        another counting for the longer; None where there is no such class.
    """
    # Keys that are no letters, so that no "A" or "I" is taken for one.
    keys = {f"#{number}": name for number, name in enumerate(classes)}
    found = _letter(text.strip(), keys)
    return None if found is None else keys[found]


def is_right(answer: str | None, label: str, question: Question) -> bool:
    """Whether an answer is the one that was wanted.

    Args:
        answer: What was read; None is wrong.
        label: What was wanted: for options a letter, or the text of an option.
        question: What was asked.

    Returns:
        Whether they are the same but for case, articles, punctuation and figures for numbers.
    """
    if answer is None:
        return False
    if question.form == "options":
        return answer == letter_of(label, question.options)
    if question.form == "yes-no":
        return answer == _yes_or_no(label)
    return normalized(answer) == normalized(label)


def letter_of(label: str, options: Mapping[str, str]) -> str:
    """The letter that a label means.

    Args:
        label: A letter, or the text of an option.
        options: The options by their letters.

    Returns:
        The letter.

    Raises:
        InputError: It is neither.
    """
    wanted = label.strip()
    if wanted.upper() in options:
        return wanted.upper()
    for letter, option in options.items():
        if normalized(option) == normalized(wanted):
            return letter
    raise InputError(
        f"The label {label!r} is neither the letter nor the text of an option: {dict(options)}."
    )


def normalized(text: str) -> str:
    """A short answer as it is compared.

    Args:
        text: A word or a phrase.

    Returns:
        It in lower case, without articles and punctuation, with figures for small numbers.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain)
    # A full stop within a number stays, every other sign parts words.
    words = re.sub(r"(?<!\d)\.|\.(?!\d)|[^\w.\s]", " ", plain).split()
    kept = [_NUMBERS.get(word, word) for word in words if word not in _ARTICLES]
    return " ".join(kept) if kept else " ".join(words)


def _after_mark(text: str) -> str | None:
    """What follows the last "the answer is"."""
    marks = list(_MARK.finditer(text))
    rest = text[marks[-1].end() :].strip() if marks else ""
    return rest or None


def _word(text: str) -> str | None:
    said = _after_mark(text) or text
    line = next((line for line in said.splitlines() if line.strip(_QUOTES)), "")
    line = line.strip(_QUOTES)
    if line.endswith((".", "!", ",", ";")):
        line = line[:-1]
    line = line.strip(_QUOTES)
    return line if any(map(str.isalnum, line)) else None


def _yes_or_no(text: str) -> str | None:
    text = _BOTH.sub(" ", text)
    marked = _after_mark(text)
    for part in (marked or text, text):
        words = re.findall(r"[a-z]+", part.casefold())
        if words and words[0] in (*_YES_WORDS, *_NO_WORDS):
            return YES if words[0] in _YES_WORDS else NO
    # "It is, so yes." says it at its end.
    said = {word for word in re.findall(r"[a-z]+", text.casefold()) if word in ("yes", "no")}
    return (YES if said == {"yes"} else NO) if len(said) == 1 else None


def _letter(text: str, options: Mapping[str, str]) -> str | None:
    marked = _after_mark(text)
    for part in (marked or text, text):
        alone = _LETTER_ALONE.match(part)
        if alone and alone[1].upper() in options:
            return str(alone[1]).upper()
        same = [key for key, option in options.items() if normalized(option) == normalized(part)]
        if len(same) == 1:
            return same[0]
    for pattern in (_LETTER_NAMED, _LETTER_IN_BRACKETS, _CAPITAL):
        letters: set[str] = {letter.upper() for letter in pattern.findall(text)} & set(options)
        if len(letters) == 1:
            return letters.pop()
    return _option_named(marked or text, options)


def _option_named(text: str, options: Mapping[str, str]) -> str | None:
    """The only option whose text occurs, one within another counting for the longer."""
    said = f" {normalized(text)} "
    found = {}
    for letter, option in sorted(options.items(), key=lambda item: -len(item[1])):
        words = f" {normalized(option)} "
        if words.strip() and words in said:
            found[letter] = option
            said = said.replace(words, " \x00 ")
    return next(iter(found)) if len(found) == 1 else None
