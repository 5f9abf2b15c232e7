"""The prompts of compositional chain of thought and of its baselines."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import headwise
from headwise.content import as_image
from headwise.errors import InputError
from headwise.examples import Example
from headwise.prompts.answer_format import ANSWER_FORMATS, AnswerFormat, Question
from headwise.prompts.compositional import AIDS, GRAPH_FORM, Aid, CompositionalPrompt
from headwise.prompts.conversation import Conversation
from headwise.prompts.direct import after_thinking, direct, thinking

IMAGE = as_image(np.zeros((2, 2, 3), np.uint8))
OPTIONS = {"A": "left of it", "B": "right of it"}
EXAMPLE = Example("Where is the dog?", "A", OPTIONS, images=(IMAGE,))
WORDINGS = Path(headwise.__file__).parents[2] / "training" / "embedded_vision" / "wordings.py"


def text_of(conversation: Conversation) -> str:
    [turn] = conversation.messages
    assert turn.role == "user"
    assert turn.images == (IMAGE,)
    assert turn.content[0] == IMAGE
    return turn.text


def test_the_published_procedure() -> None:
    prompt, question = CompositionalPrompt(), Question.of(EXAMPLE, "word")
    assert text_of(prompt.first(EXAMPLE, question)) == (
        "Question: Where is the dog?\nBefore answering, write a scene graph of the image as JSON "
        "with the objects, their attributes and the relations between them."
    )
    assert text_of(prompt.second(EXAMPLE, question, '{"objects":[]}')) == (
        'Scene graph: {"objects":[]}\nUse the image and the scene graph to answer the question.\n'
        "Question: Where is the dog?\nAnswer with a single word or phrase."
    )


@pytest.mark.parametrize("aid", AIDS)
@pytest.mark.parametrize("form", ANSWER_FORMATS)
def test_each_call_shows_what_it_should(aid: Aid, form: AnswerFormat) -> None:
    question = Question.of(EXAMPLE, form)
    blind = text_of(CompositionalPrompt(aid, with_question=False).first(EXAMPLE, question))
    seeing = text_of(CompositionalPrompt(aid).first(EXAMPLE, question))
    answering = text_of(CompositionalPrompt(aid).second(EXAMPLE, question, "WRITTEN"))
    assert EXAMPLE.text not in blind
    assert EXAMPLE.text in seeing
    assert ("JSON" in seeing) == ("JSON" in blind) == (aid == "graph")
    assert "WRITTEN" in answering
    assert EXAMPLE.text in answering
    assert ("A. left of it\nB. right of it" in answering) == (form == "options")
    # How to answer is said where the answer is given, and only there.
    assert not question.instruction or question.instruction in answering
    assert not question.instruction or question.instruction not in seeing


def test_the_form_is_shown_where_it_is_wanted() -> None:
    question = Question.of(EXAMPLE, "word")
    assert GRAPH_FORM in text_of(CompositionalPrompt(form=GRAPH_FORM).first(EXAMPLE, question))
    with pytest.raises(InputError, match="aid 'graph'"):
        CompositionalPrompt("caption", form=GRAPH_FORM)
    with pytest.raises(InputError, match="aid is one of"):
        CompositionalPrompt("poem")  # type: ignore[arg-type]


def test_the_baselines_ask_the_same_question() -> None:
    question = Question.of(EXAMPLE, "yes-no")
    assert text_of(direct(EXAMPLE, question)) == "Where is the dog?\nAnswer Yes or No."
    assert "step by step" in text_of(thinking(EXAMPLE, question))
    assert text_of(after_thinking(EXAMPLE, question, "Hm.")).startswith("Thoughts: Hm.\n")


def test_a_caption_needs_no_question() -> None:
    question = Question.of(Example(images=(IMAGE,)), "caption")
    assert question.full == "Describe the image in one sentence."


def test_what_cannot_be_asked_is_told() -> None:
    with pytest.raises(InputError, match="asks nothing"):
        Question.of(Example(images=(IMAGE,)), "word")
    with pytest.raises(InputError, match="the columns A; for a choice"):
        Question.of(Example("Which?", fields={"A": "x"}), "options")
    with pytest.raises(InputError, match="format is one of"):
        Question.of(EXAMPLE, "essay")  # type: ignore[arg-type]


def test_the_label_is_never_in_a_prompt() -> None:
    example = Example("Where is the dog?", "SECRET", OPTIONS, images=(IMAGE,))
    question, prompt = Question.of(example, "options"), CompositionalPrompt()
    shown = [prompt.first(example, question), prompt.second(example, question, "")]
    assert "SECRET" not in "".join(map(text_of, [*shown, direct(example, question)]))


@pytest.mark.skipif(not WORDINGS.is_file(), reason="the training of the embedded model is not here")
def test_the_embedded_model_is_trained_on_the_default_wordings() -> None:
    spec = importlib.util.spec_from_file_location("wordings", WORDINGS)
    assert spec is not None
    assert spec.loader is not None
    wordings = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(wordings)
    question = Question.of(EXAMPLE, "free")
    asked = {"question": question.text, "graph": "GRAPH"}
    first = text_of(CompositionalPrompt().first(EXAMPLE, question))
    second = text_of(CompositionalPrompt().second(EXAMPLE, question, "GRAPH"))
    alone = text_of(CompositionalPrompt(with_question=False).first(EXAMPLE, question))
    assert first in [wording.format(**asked) for wording in wordings.GRAPH_FOR_QUESTION]
    assert second in [wording.format(**asked) for wording in wordings.ANSWER_WITH_GRAPH]
    assert alone in wordings.GRAPH_PLAIN
