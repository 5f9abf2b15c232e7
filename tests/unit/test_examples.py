"""What a person brings is checked when it is made, and oddities are counted, never dropped."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwise.errors import InputError
from headwise.examples import (
    Example,
    Judgement,
    Preference,
    PreferenceReport,
    check_preferences,
    group_by_prompt,
    labels_of,
    prompt_key,
)

CHAT = [{"role": "user", "content": "Hi"}]


# --- Single examples -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": ""},
        {"text": " \n"},
        {"text": 3},
        {"text": "x", "label": ""},
        {"text": "x", "label": 1},
    ],
    ids=str,
)
def test_an_example_needs_text_and_a_label_of_text(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Example(**wrong)


PROMPTS_THAT_ARE_NONE = [
    "",
    " ",
    [],
    None,
    3,
    [{"role": "user"}],
    [{"content": "Hi"}],
    ["Hi"],
]


@pytest.mark.parametrize("prompt", PROMPTS_THAT_ARE_NONE, ids=str)
def test_a_prompt_is_text_or_chat_messages(prompt: Any) -> None:
    with pytest.raises(InputError, match="prompt"):
        Preference(prompt, "good", "bad")
    with pytest.raises(InputError, match="prompt"):
        Judgement(prompt, "good")


@pytest.mark.parametrize("response", [None, 3, ["x"]], ids=str)
def test_a_response_is_text(response: Any) -> None:
    with pytest.raises(InputError, match="chosen"):
        Preference("Q", response, "bad")
    with pytest.raises(InputError, match="rejected"):
        Preference("Q", "good", response)
    with pytest.raises(InputError, match="completion"):
        Judgement("Q", response)


def test_an_empty_response_is_a_response() -> None:
    assert Preference("Q", "good", "").rejected == ""


def test_a_preference_is_two_judgements() -> None:
    good, bad = Preference(CHAT, "yes", "no").judgements()
    assert good == Judgement(CHAT, "yes", True)
    assert bad == Judgement(CHAT, "no", False)


# --- Labels ----------------------------------------------------------------------------------


def test_labels_come_in_order() -> None:
    assert labels_of([Example("a", "x"), Example("b", "y"), Example("c", "x")]) == ["x", "y", "x"]


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "empty"),
        ([Example("a", "x"), Example("the text", None)], "Example 1 .*the text.* no label"),
        ([Example("a", "x"), Example("b", "x")], "one class only .*'x'"),
    ],
    ids=["none", "no label", "one class"],
)
def test_labels_that_cannot_be_learnt_from_are_an_error(
    examples: list[Example], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        labels_of(examples)


# --- Preferences -----------------------------------------------------------------------------


def test_oddities_are_counted() -> None:
    pairs = [
        Preference("Q", "a", "b"),
        Preference("Q", "a", "b"),
        Preference("Q", "b", "a"),
        Preference("Q", "c", "c"),
        Preference("other", "b", "a"),
    ]
    report = check_preferences(pairs)
    assert report == PreferenceReport(n_pairs=5, duplicates=1, contradictions=3, ties=1)
    assert [message.split(" preference")[0] for message in report.messages] == [
        "1 of 5",
        "3 of 5",
        "1 of 5",
    ]


def test_nothing_odd_is_nothing_to_say() -> None:
    assert check_preferences([Preference("Q", "a", "b"), Preference("P", "b", "a")]).messages == ()
    assert check_preferences([]) == PreferenceReport(0, 0, 0, 0)


PAIRS = st.lists(
    st.builds(
        Preference,
        st.sampled_from(["Q", "P", CHAT]),
        st.sampled_from("abc"),
        st.sampled_from("abc"),
    ),
    max_size=12,
)


@given(pairs=PAIRS)
def test_counts_are_those_of_comparing_each_pair_with_each(pairs: list[Preference]) -> None:
    def same(a: Preference, b: Preference) -> bool:
        return (a.prompt, a.chosen, a.rejected) == (b.prompt, b.chosen, b.rejected)

    def reverse(a: Preference, b: Preference) -> bool:
        return (a.prompt, a.chosen, a.rejected) == (b.prompt, b.rejected, b.chosen)

    report = check_preferences(pairs)
    numbered = list(enumerate(pairs))
    assert report.duplicates == sum(any(same(p, q) for q in pairs[:i]) for i, p in numbered)
    assert report.contradictions == sum(
        p.chosen != p.rejected and any(reverse(p, q) for q in pairs) for p in pairs
    )
    assert report.ties == sum(p.chosen == p.rejected for p in pairs)


# --- Prompts as keys -------------------------------------------------------------------------


def test_different_prompts_have_different_keys() -> None:
    prompts = [
        "Hi",
        "Hi ",
        "user: Hi",
        CHAT,
        [{"role": "system", "content": "Hi"}],
        [*CHAT, {"role": "assistant", "content": "Ho"}],
        [{"role": "user", "content": "HiHo"}],
        [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    ]
    assert len({prompt_key(prompt) for prompt in prompts}) == len(prompts)


def test_the_same_messages_have_the_same_key() -> None:
    assert prompt_key([{"content": "Hi", "role": "user"}]) == prompt_key(CHAT)


@given(prompts=st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=15))
def test_groups_keep_the_order_of_appearance(prompts: list[str]) -> None:
    groups = group_by_prompt(prompts)
    assert sorted(row for group in groups for row in group) == list(range(len(prompts)))
    assert [prompts[group[0]] for group in groups] == list(dict.fromkeys(prompts))
    for group in groups:
        assert group == sorted(group)
        assert len({prompts[row] for row in group}) == 1
