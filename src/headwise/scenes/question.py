"""`SceneQuestion`: a question about a scene, with its answer and how to say it in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from headwise.errors import InputError
from headwise.scenes.vocabulary import PREPOSITIONS

QuestionKind = Literal[
    "attribute",
    "existence",
    "counting",
    "comparison",
    "relation",
    "composition",
    "label",
    "conflict",
]
"""What a question is about.

`"composition"` needs an object that only its relation to another tells apart. `"conflict"` tempts
to answer with what is written or usual instead of what is there.
"""

AnswerKind = Literal[
    "yes_no", "color", "shape", "size", "texture", "count", "object", "direction", "label"
]
"""What an answer is; wrong answers are of the same kind."""

QUESTION_KINDS: tuple[QuestionKind, ...] = get_args(QuestionKind)
YES, NO = "Yes", "No"
_IN_SENTENCES = {str(direction): words for direction, words in PREPOSITIONS.items()}


@dataclass(frozen=True, slots=True)
class Needs:
    """What one must see to answer.

    Args:
        objects: How many objects.
        relations: How many relations between them.
    """

    objects: int
    relations: int = 0


@dataclass(frozen=True, slots=True)
class SceneQuestion:
    """A question that a scene answers.

    Args:
        kind: What it is about.
        text: The question.
        answer: The answer in a word or a short phrase.
        answer_kind: What the answer is.
        about: The numbers of the scene's objects that the answer depends on; where the answer is an
            object, it comes first.
        needs: How much one must see to answer.
        statement: The sentence that answers, without capital and full stop: with `{answer}` in it,
            or, for yes/no questions, what holds if the answer is Yes.
        denial: For yes/no questions, what holds if the answer is No.
        choices: All answers that come into question, where these are few.
        tempting: The wrong answer of somebody who says what is written or usual.

    Raises:
        InputError: A text is missing, or the answer is none that the question allows.
    """

    kind: QuestionKind
    text: str
    answer: str
    answer_kind: AnswerKind
    about: tuple[int, ...]
    needs: Needs
    statement: str
    denial: str = ""
    choices: tuple[str, ...] = ()
    tempting: str | None = None

    def __post_init__(self) -> None:
        if not self.text or not self.answer or not self.statement:
            raise InputError(f"A question has a text, an answer and a statement; got {self}.")
        if self.is_yes_no and (self.answer not in (YES, NO) or not self.denial):
            raise InputError(
                f"A yes/no question is answered {YES!r} or {NO!r} and has a denial; got {self}."
            )
        if not self.is_yes_no and "{answer}" not in self.statement:
            raise InputError(f"A statement has '{{answer}}' in it; got {self.statement!r}.")
        if self.choices and self.answer not in self.choices:
            raise InputError(f"The answer {self.answer!r} is none of the choices {self.choices}.")

    @property
    def is_yes_no(self) -> bool:
        """Whether the answer is Yes or No."""
        return self.answer_kind == "yes_no"

    def sentence(self, answer: str | None = None) -> str:
        """An answer as a full sentence.

        Args:
            answer: Any answer of this kind, right or wrong; None for the right one.

        Returns:
            The sentence.

        Raises:
            InputError: A yes/no question got another answer.
        """
        given = self.answer if answer is None else answer
        if self.is_yes_no:
            if given not in (YES, NO):
                raise InputError(f"A yes/no question is answered {YES!r} or {NO!r}; got {given!r}.")
            return f"{given}, {self.statement if given == YES else self.denial}."
        words = _IN_SENTENCES.get(given, given) if self.answer_kind == "direction" else given
        return sentence_of(self.statement.format(answer=words))


def yes_no(
    kind: QuestionKind,
    text: str,
    is_true: bool,
    about: tuple[int, ...],
    needs: Needs,
    statement: str,
    denial: str,
    *,
    tempts: bool = False,
) -> SceneQuestion:
    """A question that is answered with Yes or No.

    Args:
        kind: What it is about.
        text: The question.
        is_true: Whether the answer is Yes.
        about: The numbers of the scene's objects that the answer depends on.
        needs: How much one must see to answer.
        statement: What holds if the answer is Yes.
        denial: What holds if it is No.
        tempts: Whether what is written or usual speaks for the wrong answer.

    Returns:
        The question.
    """
    right, wrong = (YES, NO) if is_true else (NO, YES)
    return SceneQuestion(
        kind,
        text,
        right,
        "yes_no",
        about,
        needs,
        statement,
        denial,
        tempting=wrong if tempts else None,
    )


def sentence_of(words: str) -> str:
    """Words as a sentence: a capital first and a full stop last."""
    return f"{words[0].upper()}{words[1:]}."
