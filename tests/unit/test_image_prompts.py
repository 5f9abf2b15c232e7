"""Prompts with pictures: each in its place, and what is judged never poses as the question."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_prompts import TEXTS, own_lines

from headwise.content import Content, Image, as_content
from headwise.content.parts import parts_of
from headwise.errors import InputError
from headwise.examples import Example
from headwise.prompts.classification import ClassificationPrompt
from headwise.prompts.conversation import Conversation, Message
from headwise.prompts.in_context import InContextPrompt
from headwise.prompts.reward import RewardPrompt, quoted_prompt
from seeing_engine import colored

RED, BLUE = colored("red"), colored("blue")
CRITERION = "The answer is correct."
# What chat templates make of a picture.
LOOKS = ["", "<image>", "<image>\n", "\n<image>\n", "\n"]


def asked(conversation: Conversation) -> Content:
    return conversation.messages[-1].content


def rendered(content: Content, look: str = "<image>") -> str:
    return "".join(part if isinstance(part, str) else look for part in parts_of(content))


# --- Classification --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instruction", "example", "wanted"),
    [
        ("{text}", Example(images=(RED,)), (RED,)),
        ("{text}", Example("x", images=(RED, BLUE)), (RED, BLUE, "x")),
        ("What is it?", Example(images=(RED,)), (RED, "What is it?")),
        ("Q: {text}", Example("x", images=(RED,)), (RED, "Q: x")),
        ("Look: {image}\n{text}?", Example("x", images=(RED,)), ("Look: ", RED, "\nx?")),
        ("{text} {images}", Example("x", images=(RED, BLUE)), ("x ", RED, BLUE)),
        ("{video} moves?", Example(images=(RED, BLUE)), (RED, BLUE, " moves?")),
        ("{image} as {image}", Example(images=(RED,)), (RED, " as ", RED)),
        ("{text}", Example("{image}", images=(RED,)), (RED, "{image}")),
        # A column of that name goes where the instruction says, as it always did.
        ("{image}: {text}", Example("x", fields={"image": "a cat"}), "a cat: x"),
        ("{image}!", Example(fields={"image": "a cat"}, images=(RED,)), (RED, "a cat!")),
    ],
)
def test_pictures_stand_first_or_where_the_instruction_says(
    instruction: str, example: Example, wanted: Content
) -> None:
    found = ClassificationPrompt(instruction, "S").conversation(example)
    assert found.messages == (Message("system", "S"), Message("user", wanted))


@pytest.mark.parametrize(
    ("instruction", "reason"), [("What?", "no place"), ("{image}?", r"asks for \{image\}")]
)
def test_an_example_without_pictures_needs_its_own_place(instruction: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        ClassificationPrompt(instruction).conversation(Example("x"))


def shared_beginning(one: Content, other: Content) -> list[str | Image]:
    """What both begin with; equal pictures look equal, and so do different ones."""
    begun: list[str | Image] = []
    flat = [
        [piece for part in parts_of(c) for piece in (part if isinstance(part, str) else [part])]
        for c in (one, other)
    ]
    for a, b in zip(*flat, strict=False):
        if isinstance(a, Image) != isinstance(b, Image) or (isinstance(a, str) and a != b):
            break
        begun.append(a)
    return begun


@given(
    instruction=st.lists(
        st.sampled_from(["a", "b ", "{text}", "{image}", "{color}", "※"]), min_size=1, max_size=6
    ).map("".join),
    data=st.data(),
)
def test_what_all_are_like_holds_no_picture_and_is_how_each_begins(
    instruction: str, data: st.DataObject
) -> None:
    examples = [
        Example(
            data.draw(st.sampled_from(["", "x", "xy"])),
            images=tuple(data.draw(st.lists(st.sampled_from([RED, BLUE]), min_size=1, max_size=2))),
            fields={"color": data.draw(st.sampled_from(["red", "rose"]))},
        )
        for _ in range(2)
    ]
    one, other = (ClassificationPrompt(instruction).conversation(e) for e in examples)
    for conversation in (one, other):
        assert conversation.like is not None
        assert conversation.like.images == ()
    assert one.like is not None
    beginning = shared_beginning(asked(one), asked(one.like))
    assert not any(isinstance(piece, Image) for piece in beginning)
    # What one shares with the template, every other one begins with too.
    assert shared_beginning(asked(one), asked(other))[: len(beginning)] == beginning


# --- In-context ------------------------------------------------------------------------------


def test_worked_examples_show_their_pictures_in_plain_text() -> None:
    shots = [Example("x", "one", images=(RED,)), Example("", "two", images=(BLUE, RED))]
    found = InContextPrompt(instruction="Do.").with_shots(shots, Example("y", images=(BLUE,)))
    assert found.text == (
        *("Do.\n\nQ: ", RED, "x\nA: one\n\nQ: ", BLUE, RED, "\nA: two\n\nQ: ", BLUE, "y\nA:"),
    )
    assert found.images == (RED, BLUE, RED, BLUE)


def test_worked_examples_show_their_pictures_in_a_chat() -> None:
    shots = [Example("x", "one", images=(RED,))]
    found = InContextPrompt("chat").with_shots(shots, Example(images=(BLUE,)))
    assert found.messages == (
        Message("user", (RED, "x")),
        Message("assistant", "one"),
        Message("user", (BLUE,)),
    )


@pytest.mark.parametrize("style", ["completion", "chat"])
def test_examples_of_text_are_put_as_before(style: Any) -> None:
    found = InContextPrompt(style).with_shots([Example("x", "one")], Example("y"))
    assert found.images == ()
    assert found.text in (None, "Q: x\nA: one\n\nQ: y\nA:")


# --- Rewards ---------------------------------------------------------------------------------


def test_a_question_shows_its_picture_first() -> None:
    prompt = [{"role": "user", "content": [{"type": "image", "image": RED}, "What is it?"]}]
    found = asked(RewardPrompt(CRITERION).scalar(prompt, "Red."))
    assert found[0] is RED
    assert rendered(found, "") == (
        "Question: What is it?\nResponse: Red.\n\n"
        f"Does the response meet this criterion: {CRITERION}\nAnswer Yes or No."
    )


def test_dialogues_and_responses_show_their_pictures() -> None:
    dialogue = [
        Message("user", (RED, "What is it?")),
        Message("assistant", "Red."),
        Message("user", ("And", BLUE, "this?")),
    ]
    found = asked(RewardPrompt(CRITERION, "ranked").ranked(dialogue, (RED,), ("No", BLUE)))
    assert rendered(found).startswith(
        "<image>User: What is it?\nAssistant: Red.\nUser: And\n> <image>\n> this?\n"
        "Response A: <image>\nResponse B: No\n> <image>\n\nWhich response"
    )


CONTENTS = st.lists(st.one_of(TEXTS, st.sampled_from([RED, BLUE])), max_size=5).map(as_content)


@given(response=CONTENTS, look=st.sampled_from(LOOKS))
@settings(max_examples=100, deadline=None)
def test_a_response_with_pictures_begins_no_line_of_its_own(response: Content, look: str) -> None:
    body = rendered(asked(RewardPrompt(CRITERION).scalar("What?", response)), look)
    found = [line for line in own_lines(body) if line not in ("<image>",)]
    assert found[0] == "Question: What?"
    assert found[1].startswith("Response: ")
    rest = [line for line in found[2:] if line]
    assert rest == [f"Does the response meet this criterion: {CRITERION}", "Answer Yes or No."]


@given(question=CONTENTS.filter(bool), look=st.sampled_from(LOOKS))
@settings(max_examples=100, deadline=None)
def test_nor_does_a_question_with_pictures(question: Content, look: str) -> None:
    body = rendered(quoted_prompt([Message("user", question)]), look)
    lines = [line for line in own_lines(body) if line not in ("", "<image>")]
    assert len(lines) == 1
    assert "Question: " in lines[0]


@given(response=CONTENTS)
def test_quoting_keeps_every_picture_in_order(response: Content) -> None:
    found = RewardPrompt(CRITERION).scalar([Message("user", (BLUE, "Q"))], response)
    shown = [part for part in parts_of(response) if isinstance(part, Image)]
    assert list(found.images) == [BLUE, *shown]
