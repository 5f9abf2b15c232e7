"""Answers questions about a scene from its objects' coordinates, by reading the questions.

It shares no code with the package: words are looked up, places are compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from headwise.scenes import COLORS, SHAPES, SIZES, TEXTURES, Scene, SceneObject

ATTRIBUTES = {
    **dict.fromkeys(COLORS, "color"),
    **dict.fromkeys(SHAPES, "shape"),
    **dict.fromkeys(SIZES, "size"),
    **dict.fromkeys(TEXTURES, "texture"),
}
NOUNS = {"object", "shape", "thing"}
SINGULAR = {f"{noun}s": noun for noun in (*SHAPES, *NOUNS)} | {"crosses": "cross"}
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")
SIDES = ("left of", "right of", "above", "below")
VALUE = "|".join((*COLORS, *SIZES, *TEXTURES, *(f"an? {shape}" for shape in SHAPES)))
SIDE = "|".join(SIDES)
THE = r"(the [\w ]+)"


def described(scene: Scene, words: str) -> list[SceneObject]:
    """The objects that plain words such as "large red circles" describe."""
    found = list(scene.objects)
    for word in (SINGULAR.get(word, word) for word in words.split()):
        if word not in NOUNS:
            found = [thing for thing in found if getattr(thing, ATTRIBUTES[word]) == word]
    return found


def lies(subject: SceneObject, side: str, anchor: SceneObject) -> bool:
    """Whether a subject is within 45 degrees of a side of another object."""
    across, down = subject.x - anchor.x, subject.y - anchor.y
    along, aside = {
        "left of": (-across, down),
        "right of": (across, down),
        "above": (-down, across),
        "below": (down, across),
    }[side]
    return along > abs(aside)


def the_one(scene: Scene, words: str) -> SceneObject:
    """The only object that "the ..." refers to, which may be told by where it lies."""
    nested = re.fullmatch(rf"the (\w+) (?:directly )?({SIDE}) (the [\w ]+)", words)
    if nested is None:
        found = described(scene, words.removeprefix("the "))
    else:
        anchor = the_one(scene, nested[3])
        found = [
            thing
            for thing in described(scene, nested[1])
            if thing is not anchor and lies(thing, nested[2], anchor)
        ]
    (only,) = found
    return only


def has(thing: SceneObject, value: str) -> bool:
    word = value.split()[-1]
    return bool(getattr(thing, ATTRIBUTES[word]) == word)


def name(thing: SceneObject) -> str:
    return f"the {thing.color} {thing.shape}"


def yes(holds: bool) -> str:
    return "Yes" if holds else "No"


def _what(scene: Scene, side: str, anchor: str) -> str:
    return name(the_one(scene, f"the object {side} {anchor}"))


def _where(scene: Scene, subject: str, anchor: str) -> str:
    one, other = the_one(scene, subject), the_one(scene, anchor)
    (side,) = [side for side in SIDES if lies(one, side, other)]
    return side.removesuffix(" of")


def _larger(scene: Scene, first: str, second: str) -> str:
    one, other = the_one(scene, first), the_one(scene, second)
    sides = max(one.width, one.height), max(other.width, other.height)
    # Clearly so, or it should not have been asked.
    assert max(sides) > 1.3 * min(sides)
    return first if sides[0] > sides[1] else second


def _same(scene: Scene, first: str, second: str, attribute: str) -> str:
    values = {getattr(the_one(scene, words), attribute) for words in (first, second)}
    return yes(len(values) == 1)


def _labelled(scene: Scene, word: str) -> str:
    (thing,) = [thing for thing in scene.objects if thing.label == word]
    return name(thing)


def _attribute(scene: Scene, attribute: str, the: str) -> str:
    return str(getattr(the_one(scene, the), attribute))


def _count(scene: Scene, words: str) -> str:
    return str(len(described(scene, words)))


def _exists(scene: Scene, words: str) -> str:
    return yes(bool(described(scene, words)))


def _label(scene: Scene, the: str) -> str:
    return str(the_one(scene, the).label)


RULES: tuple[tuple[str, Callable[..., str]], ...] = (
    (rf"What is (?:directly )?({SIDE}) {THE}\?", _what),
    (rf"Which object is (?:directly )?({SIDE}) {THE}\?", _what),
    (rf"What (color|shape|size) is {THE}\?", _attribute),
    (rf"(?:What|Which) (color|shape|texture) does {THE} have\?", _attribute),
    (rf"What is the (color|shape|texture) of {THE}\?", _attribute),
    (rf"Is {THE} small or large\?", lambda s, the: the_one(s, the).size),
    (rf"Is {THE} solid, striped, dotted or outlined\?", lambda s, the: the_one(s, the).texture),
    (rf"Is {THE} ({VALUE})\?", lambda s, the, value: yes(has(the_one(s, the), value))),
    (r"Is there an? ([\w ]+)\?", _exists),
    (r"Can you see an? ([\w ]+) in the picture\?", _exists),
    (r"Does the image show an? ([\w ]+)\?", _exists),
    (r"How many ([\w ]+) are there\?", _count),
    (r"How many ([\w ]+) can you see\?", _count),
    (r"What is the number of ([\w ]+)\?", _count),
    (
        r"(?:Is|Are) there exactly (\w+) (\w+)\?",
        lambda s, number, words: yes(len(described(s, words)) == NUMBERS.index(number)),
    ),
    (
        r"Are there more ([\w ]+) than ([\w ]+)\?",
        lambda s, a, b: yes(len(described(s, a)) > len(described(s, b))),
    ),
    (rf"Which is larger, {THE} or {THE}\?", _larger),
    (rf"Which one is bigger: {THE} or {THE}\?", _larger),
    (rf"Is {THE} larger than {THE}\?", lambda s, a, b: yes(_larger(s, a, b) == a)),
    (rf"Do {THE} and {THE} have the same (\w+)\?", _same),
    (rf"Does {THE} have the same (\w+) as {THE}\?", lambda s, a, x, b: _same(s, a, b, x)),
    (rf"Is {THE} to the (?:left|right) of or to the (?:left|right) of {THE}\?", _where),
    (rf"Is {THE} (?:above|below) or (?:above|below) {THE}\?", _where),
    (rf"Where is {THE} from {THE}: left, right, above or below\?", _where),
    (
        rf"In which direction from {THE} is {THE}: left, right, above or below\?",
        lambda s, anchor, subject: _where(s, subject, anchor),
    ),
    (
        rf"Is {THE} to the (left of|right of) {THE}\?",
        lambda s, a, side, b: yes(lies(the_one(s, a), side, the_one(s, b))),
    ),
    (
        rf"Is {THE} ({SIDE}) {THE}\?",
        lambda s, a, side, b: yes(lies(the_one(s, a), side, the_one(s, b))),
    ),
    (rf"What is written under {THE}\?", _label),
    (rf"What does the label under {THE} say\?", _label),
    (
        rf'Does the label under {THE} say "(\w+)"\?',
        lambda s, the, word: yes(the_one(s, the).label == word),
    ),
    (r'Which object has the label "(\w+)"\?', _labelled),
    (
        rf"Is anything written under {THE}\?",
        lambda s, the: yes(the_one(s, the).label is not None),
    ),
)


def answer(scene: Scene, text: str) -> str:
    """The right answer to a question.

    Raises:
        LookupError: No rule reads the question.
    """
    for pattern, rule in RULES:
        read = re.fullmatch(pattern, text)
        if read is not None:
            return rule(scene, *read.groups())
    raise LookupError(text)
