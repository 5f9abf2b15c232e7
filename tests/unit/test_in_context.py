"""In-context prompts: shots are worked in full, and the one asked never gives its answer away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwise.errors import InputError
from headwise.examples import Example
from headwise.prompts.conversation import Conversation, Message
from headwise.prompts.in_context import InContextPrompt, Style

SHOTS = (Example("Austria", "Vienna"), Example("Peru", "Lima"))
ASKED = Example("Norway", "Oslo")
STYLES: tuple[Style, ...] = ("completion", "chat")
TEXTS = st.text(min_size=1).filter(str.strip)


def test_the_completion_style_is_plain_text_to_be_continued() -> None:
    prompt = InContextPrompt()
    assert prompt.query(ASKED) == Conversation.completion("Q: Norway\nA:")
    assert prompt.with_shots(SHOTS, ASKED) == Conversation.completion(
        "Q: Austria\nA: Vienna\n\nQ: Peru\nA: Lima\n\nQ: Norway\nA:"
    )
    assert prompt.target("Oslo") == " Oslo"


def test_the_chat_style_is_turns() -> None:
    prompt = InContextPrompt("chat")
    assert prompt.query(ASKED) == Conversation.user("Norway")
    assert prompt.with_shots(SHOTS, ASKED).messages == (
        *(Message("user", "Austria"), Message("assistant", "Vienna")),
        *(Message("user", "Peru"), Message("assistant", "Lima")),
        Message("user", "Norway"),
    )
    assert prompt.target("Oslo") == "Oslo"


def test_the_instruction_comes_first_and_once() -> None:
    plain = InContextPrompt(instruction="Name the capital.").with_shots(SHOTS, ASKED).text
    assert plain is not None
    assert plain.startswith("Name the capital.\n\nQ: Austria\n")
    assert plain.count("Name the capital.") == 1
    chat = InContextPrompt("chat", instruction="Name the capital.").with_shots(SHOTS, ASKED)
    assert chat.messages[0] == Message("system", "Name the capital.")
    assert [turn.role for turn in chat.messages].count("system") == 1


def test_prefixes_may_be_chosen() -> None:
    prompt = InContextPrompt(input_prefix="Country: ", target_prefix="Capital:")
    assert prompt.query(ASKED).text == "Country: Norway\nCapital:"


@pytest.mark.parametrize("prefix", ["Answer:\n", "", "A: "])
def test_no_space_is_added_where_the_prefix_ends_in_one(prefix: str) -> None:
    prompt = InContextPrompt(target_prefix=prefix)
    shown = prompt.with_shots(SHOTS[:1], ASKED).text
    assert shown == f"Q: Austria\n{prefix}Vienna\n\nQ: Norway\n{prefix}"
    assert prompt.target("Oslo") == "Oslo"


@given(first=TEXTS, second=TEXTS)
def test_a_shot_ends_as_its_query_goes_on_with_its_target(first: str, second: str) -> None:
    prompt = InContextPrompt()
    worked = f"{prompt.query(Example(first)).text}{prompt.target(second)}"
    shown = prompt.with_shots([Example(first, second)], ASKED).text
    assert shown == f"{worked}\n\n{prompt.query(ASKED).text}"


@pytest.mark.parametrize("style", STYLES)
@given(label=TEXTS)
def test_the_label_of_what_is_asked_is_never_in_the_prompt(style: Style, label: str) -> None:
    prompt = InContextPrompt(style)
    for shots in ((), SHOTS):
        found = prompt.with_shots(shots, Example("Norway", label))
        assert found == prompt.with_shots(shots, Example("Norway"))


@pytest.mark.parametrize("style", STYLES)
def test_a_shot_without_label_is_an_error(style: Style) -> None:
    with pytest.raises(InputError, match="'Peru' has no label"):
        InContextPrompt(style).with_shots([SHOTS[0], Example("Peru")], ASKED)


@pytest.mark.parametrize("wrong", [{"style": "poem"}, {"instruction": " \n"}], ids=str)
def test_what_has_no_meaning_is_an_error(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError):
        InContextPrompt(**wrong)  # type: ignore[arg-type]
