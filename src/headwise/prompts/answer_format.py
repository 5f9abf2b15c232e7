"""How an answer is asked for, and how it is read from what the model wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from types import MappingProxyType
from typing import Literal, get_args

from headwise.errors import InputError
from headwise.examples import Example

AnswerFormat = Literal["free", "word", "yes-no", "options", "caption"]
"""What an answer is: any text, a word or short phrase, yes or no, an option's letter, a caption."""

ANSWER_FORMATS: tuple[AnswerFormat, ...] = get_args(AnswerFormat)

INSTRUCTIONS: Mapping[AnswerFormat, str] = MappingProxyType(
    {
        "free": "",
        "word": "Answer with a single word or phrase.",
        "yes-no": "Answer Yes or No.",
        "options": "Answer with the letter of the right option.",
        "caption": "Answer with one sentence.",
    }
)
CAPTION_QUESTION = "Describe the image in one sentence."


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of an image.

    Args:
        text: The question.
        form: What the answer is.
        options: The options by their letters, in order; empty unless the form is `"options"`.
    """

    text: str
    form: AnswerFormat
    options: Mapping[str, str]

    @classmethod
    def of(cls, example: Example, form: AnswerFormat) -> Question:
        """The question of an example.

        Args:
            example: Its text is the question, which a caption needs none of; with options, its
                fields `A`, `B`, ... are these, as in MMBench and SEED-Bench.
            form: What the answer is.

        Returns:
            The question.

        Raises:
            InputError: The form is unknown, the text empty, or there are fewer than two options.
        """
        if form not in ANSWER_FORMATS:
            raise InputError(f"The answer format is one of {ANSWER_FORMATS}; got {form!r}.")
        text = example.text.strip() or (CAPTION_QUESTION if form == "caption" else "")
        if not text:
            raise InputError(
                f"The example {example.shown} asks nothing; give a question as its text, or ask "
                "for a caption."
            )
        options = options_of(example) if form == "options" else {}
        return cls(text, form, MappingProxyType(options))

    @property
    def asked(self) -> str:
        """The question and its options, one a line."""
        lines = [f"{letter}. {option}" for letter, option in self.options.items()]
        return "\n".join([self.text, *lines])

    @property
    def instruction(self) -> str:
        """How the answer is to be given; empty where the question says it, or nothing has to."""
        return "" if self.text == CAPTION_QUESTION else INSTRUCTIONS[self.form]

    @property
    def full(self) -> str:
        """The question, its options, and how the answer is to be given, one a line."""
        return f"{self.asked}\n{self.instruction}".rstrip()

    @property
    def candidates(self) -> tuple[str, ...]:
        """Every answer there can be, where these are few: yes and no, or the letters."""
        if self.form == "yes-no":
            return ("Yes", "No")
        return tuple(self.options)


def options_of(example: Example) -> dict[str, str]:
    """The options of an example: its fields `A`, `B`, ... up to the first that is missing or empty.

    Args:
        example: The example.

    Returns:
        The options by their letters.

    Raises:
        InputError: There are fewer than two.
    """
    options: dict[str, str] = {}
    for letter in ascii_uppercase:
        text = example.fields.get(letter, "").strip()
        if not text:
            break
        options[letter] = text
    if len(options) < 2:
        raise InputError(
            f"The example {example.shown} has {_listed(sorted(example.fields))}; for a choice it "
            "needs its options as columns A, B and so on, two at least."
        )
    return options


def _listed(names: Sequence[str]) -> str:
    return f"the columns {', '.join(names)}" if names else "no further column"
