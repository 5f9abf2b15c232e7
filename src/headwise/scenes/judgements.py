"""Training and measuring a judge: preference pairs, and single answers judged Yes or No."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from headwise.errors import InputError
from headwise.examples import Judgement, Preference
from headwise.scenes.answers import padded_sentence, wrong_answers
from headwise.scenes.chance import coin, pick
from headwise.scenes.question import NO, QUESTION_KINDS, YES, QuestionKind, SceneQuestion
from headwise.scenes.questions import questions
from headwise.scenes.scene import Scene

PairStyle = Literal["plain", "lengthy", "usual"]
"""The rejected answer: as short as the chosen one, padded, or what is written or usual."""

PAIR_STYLES: tuple[PairStyle, ...] = get_args(PairStyle)
# Of the wrong answers, the most plausible ones.
_NEAREST = 3


@dataclass(frozen=True, slots=True)
class SceneJudgement:
    """A proposed answer to a question about a scene.

    Args:
        question: The question.
        proposed: The answer that is to be judged, as a word or as a sentence.
        is_right: Whether it is right.
        text: The question whether it is, to be answered with Yes or No.
    """

    question: SceneQuestion
    proposed: str
    is_right: bool
    text: str

    @property
    def answer(self) -> str:
        """What a good judge says: `"Yes"` or `"No"`."""
        return YES if self.is_right else NO

    @property
    def judgement(self) -> Judgement:
        """The question and the proposed answer, as the methods take them; without the image."""
        return Judgement(self.question.text, self.proposed, self.is_right)


def judgement_questions(
    scene: Scene, rng: np.random.Generator, kinds: Collection[QuestionKind] = QUESTION_KINDS
) -> list[SceneJudgement]:
    """Proposed answers to the questions of a scene, half of them right.

    Args:
        scene: The scene.
        rng: Where chance comes from.
        kinds: The kinds of questions.

    Returns:
        One judgement a question of `questions`, the proposed answer a word or a sentence.

    Raises:
        InputError: A kind is unknown.
    """
    return [_judged(question, scene, rng) for question in questions(scene, rng, kinds)]


def scene_preferences(
    scene: Scene,
    rng: np.random.Generator,
    style: PairStyle = "plain",
    kinds: Collection[QuestionKind] = QUESTION_KINDS,
) -> list[Preference]:
    """Pairs of a right and a wrong sentence for the questions of a scene.

    Args:
        scene: The scene.
        rng: Where chance comes from.
        style: `"plain"`: both sentences are alike but for the answer. `"lengthy"`: the wrong one
            stands among sentences that say nothing. `"usual"`: only questions that tempt, the
            wrong sentence says what is written under the object or usual for its shape.
        kinds: The kinds of questions.

    Returns:
        One pair a question; the prompt is the question without the image, `split` the style.

    Raises:
        InputError: The style or a kind is unknown.
    """
    if style not in PAIR_STYLES:
        raise InputError(f"A style is one of {PAIR_STYLES}; got {style!r}.")
    asked = questions(scene, rng, kinds)
    return [
        Preference(
            question.text, question.sentence(), _rejected(question, scene, style, rng), style
        )
        for question in asked
        if style != "usual" or question.tempting is not None
    ]


def _rejected(
    question: SceneQuestion, scene: Scene, style: PairStyle, rng: np.random.Generator
) -> str:
    if style == "usual" and question.tempting is not None:
        return question.sentence(question.tempting)
    wrong = pick(rng, wrong_answers(question, scene, rng)[:_NEAREST])
    return padded_sentence(question, wrong, rng) if style == "lengthy" else question.sentence(wrong)


def _judged(question: SceneQuestion, scene: Scene, rng: np.random.Generator) -> SceneJudgement:
    is_right = coin(rng)
    wrong = pick(rng, wrong_answers(question, scene, rng)[:_NEAREST])
    answer = question.answer if is_right else wrong
    proposed = question.sentence(answer) if coin(rng) else answer
    texts = (
        f"Question: {question.text}\nAnswer: {proposed}\nIs this answer right? Answer Yes or No.",
        f"Question: {question.text}\nResponse: {proposed}\nIs the response correct?",
        f"{question.text}\nProposed answer: {proposed}\nIs the proposed answer true of the image?",
    )
    return SceneJudgement(question, proposed, is_right, pick(rng, texts))
