"""Support and test never overlap, by content; supports are balanced, seeded and nested."""

from __future__ import annotations

from collections import Counter

import pytest
from planted_benchmark import benchmark, classifier, question, questions, rewards

from headwise.content import Image
from headwise.errors import InputError
from headwise.evaluation.items import QuestionItem, RewardItem
from headwise.evaluation.plan import Plan
from headwise.evaluation.splits import (
    content_key,
    draw,
    require_disjoint,
    sampled,
    take_out,
)
from headwise.examples import Example, Preference

RED = Image(pixels=bytes([255, 0, 0]), size=(1, 1))
BLUE = Image(pixels=bytes([0, 0, 255]), size=(1, 1))


def seen(text: str, image: Image, label: str = "a") -> QuestionItem:
    return QuestionItem(f"{text} {image.digest}", Example(text, label, images=(image,)))


def test_content_is_text_and_pictures_not_ids() -> None:
    again = Image(pixels=bytes([255, 0, 0]), size=(1, 1), name="another name")
    assert content_key(seen("what?", RED)) == content_key(seen(" what? ", again, "b"))
    assert content_key(seen("what?", RED)) != content_key(seen("what?", BLUE))
    assert content_key(seen("what?", RED)) != content_key(seen("who?", RED))


def test_a_prompt_is_the_same_as_text_and_as_a_chat() -> None:
    text = RewardItem("a", "Why  so?", ("x", "y"))
    chat = RewardItem("b", [{"role": "user", "content": "Why so?"}], ("z", "w"))
    longer = RewardItem("c", [*chat.prompt, {"role": "assistant", "content": "?"}], ("z", "w"))
    assert content_key(text) == content_key(chat) != content_key(longer)


def test_an_overlap_is_refused_and_named() -> None:
    pool = [question(0), question(1)]
    twin = QuestionItem("another name", Example("question  1", "dog"), options=("cat", "dog"))
    with pytest.raises(InputError, match="'q1' and 'another name'"):
        require_disjoint(pool, [question(2), twin])
    with pytest.raises(InputError, match="'another name'"):
        Plan.of(benchmark(), [question(2), twin], [classifier("a", 5)], support=pool, shots=[1])


def test_what_is_taken_out_is_never_scored() -> None:
    items = [*questions(40), QuestionItem("twin", Example("question 3", "dog"), ("cat", "dog"))]
    parts = take_out(items, shots=3, n_seeds=2)
    require_disjoint(parts.pool, parts.scored)
    assert len(parts.pool) + len(parts.scored) == 41
    counts = Counter(i.example.label for i in parts.pool if isinstance(i, QuestionItem))
    assert min(counts.values()) >= 6
    assert ("twin" in {i.id for i in parts.pool}) == ("q3" in {i.id for i in parts.pool})


def test_groups_stay_together() -> None:
    items = [question(n, group=f"g{n // 4}") for n in range(40)]
    parts = take_out(items, shots=2, n_seeds=2)
    assert not {i.group for i in parts.pool} & {i.group for i in parts.scored}
    assert Counter(Counter(i.group for i in sampled(items, 10)).values()) == {4: 3}


def test_a_small_class_gives_half_of_itself_and_too_small_a_one_is_refused() -> None:
    assert len(take_out(questions(12), shots=2, n_seeds=10).pool) == 6
    with pytest.raises(InputError, match="'cat' has 2 items that can be support, but 2 shots"):
        take_out(questions(4), shots=2, n_seeds=1)


def test_each_split_gives_its_own_support() -> None:
    parts = take_out(rewards(40), shots=3, n_seeds=2, by_split=True)
    assert Counter(item.split for item in parts.pool) == {"even": 6, "odd": 6}


def test_supports_are_balanced_seeded_and_nested() -> None:
    pool = questions(40)
    drawn = draw(pool, 4, seed=1)
    assert [example.label for example in drawn.support] == ["cat", "dog"] * 4
    assert drawn == draw(pool, 4, seed=1)
    assert drawn.ids != draw(pool, 4, seed=2).ids
    assert draw(pool, 2, seed=1).ids == drawn.ids[:4]
    assert {item.split for item in pool if item.id in draw(pool, 4, 1, split="odd").ids} == {"odd"}
    assert draw(pool, 0, seed=1).support == ()


def test_what_asks_the_same_is_not_drawn_twice() -> None:
    twins = [RewardItem(str(n), "the same", (f"good {n}", f"bad {n}")) for n in range(3)]
    with pytest.raises(InputError, match="has 1 items"):
        draw(twins, 2, seed=0)


def test_rewards_become_pairs_of_a_right_and_a_wrong_response() -> None:
    item = RewardItem("a", "why?", ("r1", "r2", "w1", "w2"), n_right=2, split="s", images=(RED,))
    [pair] = draw([item], 1, seed=3).support
    assert isinstance(pair, Preference)
    assert pair.chosen in {"r1", "r2"}
    assert pair.rejected in {"w1", "w2"}
    assert (pair.images, pair.split, pair.id) == ((RED,), "s", "a")
    all_right = RewardItem("b", "why not?", ("r",), n_right=1)
    assert draw([item, all_right], 1, seed=0).ids == ("a",)
