"""Task vectors: what examples have in common steers prompts that show none of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from headwise.engines.base import Engine, ModelFingerprint, Sampling, TruncatedText
from headwise.errors import InputError
from headwise.examples import Example
from headwise.heads import (
    HeadActivations,
    HeadIndex,
    HeadLayout,
    HeadSet,
    HeadVectors,
    LayerHeads,
    Steering,
)
from headwise.methods.task_answers import is_answer
from headwise.methods.task_extraction import draw_prompts
from headwise.methods.task_vector import TaskVector
from headwise.methods.task_vectors import TaskVectors
from headwise.methods.truncation import TruncationWarning
from headwise.prompts.conversation import Conversation
from headwise.prompts.in_context import InContextPrompt, Style
from headwise.selection.reinforce import Reinforce
from headwise.selection.search import SearchResult, SearchTask

QUICK = Reinforce(epochs=3, masks_per_epoch=4, final_masks=3)
INPUTS = ["the cat", "a mat", "Is it?"]


def examples(n: int, start: int = 0) -> list[Example]:
    return [Example(f"the cat {number}", f"dog {number}") for number in range(start, start + n)]


def fit(engine: Engine, support: Sequence[Example], **how: Any) -> TaskVector:
    how = {"selector": QUICK, "n_prompts": 6, "shots_per_prompt": 2, **how}
    return TaskVectors(**how).fit(engine, support)


# --- A task that was planted -----------------------------------------------------------------


class Pupil:
    """An engine that adds the number that its carrying heads hold, and by itself adds none.

    Worked examples show which number; every head's activation then holds it. Only where both
    carrying heads hold it at once is an answer given that follows it; other heads held fast make
    any answer less likely.
    """

    layout = HeadLayout((LayerHeads(0, 3, 4), LayerHeads(2, 3, 4)))
    fingerprint = ModelFingerprint("pupil", None, "Pupil", "l", "w", "t", "float32")
    carrying = (HeadIndex(0, 1), HeadIndex(2, 2))

    def capture(
        self,
        conversations: Sequence[Conversation],
        heads: HeadSet | None = None,
        *,
        progress: bool = False,
    ) -> HeadActivations:
        shown = [re.findall(r"Q: (\d+)\nA: (\d+)", str(c.text)) for c in conversations]
        added = [[int(target) - int(x) for x, target in shots] or [0] for shots in shown]
        held = torch.tensor([float(np.mean(numbers)) for numbers in added])
        values = [held[:, None, None].expand(-1, 3, 4).clone() for _ in self.layout.layers]
        return HeadActivations(self.layout, tuple(values))

    def answer(self, conversation: Conversation, held: dict[HeadIndex, float]) -> int:
        carried = {round(held.get(head, 0.0)) for head in self.carrying}
        asked = int(re.findall(r"Q: (\d+)\nA:$", str(conversation.text))[0])
        return asked + (carried.pop() if len(carried) == 1 else 0)

    def loss(self, conversation: Conversation, target: str, held: dict[HeadIndex, float]) -> float:
        wrong = int(target) != self.answer(conversation, held)
        return 2.0 * wrong + 0.3 * len(held.keys() - set(self.carrying))

    def mask_losses(
        self,
        conversations: Sequence[Conversation],
        targets: Sequence[str],
        vectors: HeadVectors,
        masks: Tensor,
        *,
        target_tokens: int | None = 1,
        among: Sequence[str] | None = None,
        progress: bool = False,
    ) -> Tensor:
        rows = []
        for mask in masks.tolist():
            on = [head for head, kept in zip(self.layout, mask, strict=True) if kept]
            held = {head: float(vectors.vector(head).mean()) for head in on}
            pairs = zip(conversations, targets, strict=True)
            rows.append([self.loss(c, target, held) for c, target in pairs])
        return torch.tensor(rows)

    def held_by(self, steering: Steering | None) -> dict[HeadIndex, float]:
        if steering is None:
            return {}
        return {
            head: float(vector.mean())
            for head, vector in zip(steering.heads, steering.vectors, strict=True)
        }

    def token_logprobs(
        self,
        conversations: Sequence[Conversation],
        candidates: Sequence[str],
        steering: Steering | None = None,
        *,
        progress: bool = False,
    ) -> Tensor:
        held = self.held_by(steering)
        rows = [[-self.loss(c, text, held) for text in candidates] for c in conversations]
        return torch.tensor(rows, dtype=torch.float64)

    def generate(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling | None = None,
        steering: Steering | None = None,
        *,
        progress: bool = False,
    ) -> list[str]:
        held = self.held_by(steering)
        return [f" {self.answer(c, held)}\nAnd so on." for c in conversations]

    def truncate(self, text: str, max_tokens: int) -> TruncatedText:
        return TruncatedText(text, 0)


def sums(numbers: Sequence[int], added: int) -> list[Example]:
    return [Example(str(number), str(number + added)) for number in numbers]


@pytest.mark.parametrize("added", [3, 7])
def test_the_heads_that_carry_a_task_are_found_and_it_carries_over(added: int) -> None:
    engine = Pupil()
    assert isinstance(engine, Engine)
    search = Reinforce(epochs=80, masks_per_epoch=16, seed=1)
    task = fit(engine, sums(range(12), added), selector=search)
    assert set(task.heads) == set(Pupil.carrying)
    unseen = sums(range(50, 70), added)
    assert task.score(unseen) == 1.0
    candidates = [str(50 + number) for number in range(20)]
    assert task.predict(unseen[:5], candidates) == [e.label for e in unseen[:5]]
    plain = engine.generate([task.prompt.query(example) for example in unseen])
    assert not any(is_answer(a, str(e.label)) for a, e in zip(plain, unseen, strict=True))
    assert task.statistics["held_out_loss"] == 0
    assert task.statistics["plain_loss"] == 2


# --- Extraction ------------------------------------------------------------------------------


def shown_and_asked(conversation: Conversation) -> list[str]:
    return re.findall(r"^Q: (.*)$", str(conversation.text), re.MULTILINE)


@pytest.mark.parametrize(("n", "shots", "most"), [(9, 4, 4), (3, 4, 2), (2, 1, 1), (2, 9, 1)])
def test_shots_differ_from_each_other_and_from_what_is_asked(n: int, shots: int, most: int) -> None:
    drawn = draw_prompts(InContextPrompt(), examples(n), shots, 30, seed=0)
    assert len(drawn.conversations) == 30
    assert drawn.most_shots == most
    assert drawn.seen == tuple(range(n))
    for conversation in drawn.conversations:
        texts = shown_and_asked(conversation)
        assert len(texts) == most + 1
        assert len(set(texts)) == len(texts)


def test_every_example_is_asked_about_equally_often() -> None:
    drawn = draw_prompts(InContextPrompt(), examples(7), 2, 30, seed=0)
    asked = [shown_and_asked(conversation)[-1] for conversation in drawn.conversations]
    counts = [asked.count(example.text) for example in examples(7)]
    assert max(counts) - min(counts) <= 1


def test_another_example_of_the_same_text_does_not_give_the_answer_away() -> None:
    twins = [*examples(2), Example("the cat 0", "dog 0")]
    for conversation in draw_prompts(InContextPrompt(), twins, 4, 20, seed=0).conversations:
        *shown, asked = shown_and_asked(conversation)
        assert shown
        assert asked not in shown


def test_draws_follow_from_the_seed() -> None:
    first, same, other = (
        draw_prompts(InContextPrompt(), examples(9), 3, 10, seed).conversations
        for seed in (0, 0, 1)
    )
    assert first == same != other


@pytest.mark.parametrize("style", get_args(Style))
def test_vectors_are_the_mean_outputs_on_the_prompts_drawn(
    tiny_engine: Engine, style: Style
) -> None:
    task = fit(tiny_engine, examples(5), style=style, extract_from="all", n_prompts=5)
    drawn = draw_prompts(InContextPrompt(style), examples(5), 2, 5, seed=0)
    expected = tiny_engine.capture(drawn.conversations).mean()
    for index, found in zip(task.heads, task.steering.vectors, strict=True):
        torch.testing.assert_close(found, expected.vector(index))
    plain = tiny_engine.capture([task.prompt.query(e) for e in examples(5)]).mean()
    assert task.zero_shot is not None
    torch.testing.assert_close(task.zero_shot.values, plain.values)


@pytest.mark.parametrize(("source", "n_read"), [("training", 6), ("all", 8)])
def test_held_out_examples_are_read_only_where_that_was_asked(
    tiny_engine: Engine, source: Any, n_read: int
) -> None:
    known = fit(tiny_engine, examples(8), extract_from=source, n_prompts=20).statistics
    assert (known["n_training"], known["n_held_out"]) == (6, 2)
    assert known["n_read"] == n_read


# --- Fitting ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"style": "chat"}, {"target_tokens": None}], ids=str)
def test_two_examples_are_enough(tiny_engine: Engine, how: dict[str, Any]) -> None:
    task = fit(tiny_engine, examples(2), **how)
    assert task.statistics["most_shots"] == 1
    assert task.statistics["n_read"] == 2
    assert len(task.generate(INPUTS)) == len(INPUTS)


def test_the_same_seeds_find_the_same(tiny_engine: Engine) -> None:
    first, second = (fit(tiny_engine, examples(5), seed=2) for _ in range(2))
    assert first.heads == second.heads
    for mine, theirs in zip(first.steering.vectors, second.steering.vectors, strict=True):
        assert torch.equal(mine, theirs)


@dataclass
class Recorded:
    """A search that chooses a given head and remembers what it was asked."""

    heads: HeadSet
    asked: list[SearchTask] = field(default_factory=list)

    def search(
        self,
        engine: Engine,
        training: SearchTask,
        held_out: SearchTask,
        *,
        progress: bool = False,
    ) -> SearchResult:
        self.asked += [training, held_out]
        return SearchResult(self.heads, 0.25, 1.5, ())


@pytest.mark.parametrize("target_tokens", [1, 2, None])
@pytest.mark.parametrize("style", get_args(Style))
def test_heads_are_searched_on_prompts_without_examples(
    tiny_engine: Engine, style: Style, target_tokens: int | None
) -> None:
    search = Recorded(HeadSet.of([(1, 3)]))
    task = fit(tiny_engine, examples(8), selector=search, style=style, target_tokens=target_tokens)
    training, held_out = search.asked
    found = [*zip(training.conversations, training.targets, strict=True)]
    found += zip(held_out.conversations, held_out.targets, strict=True)
    wanted = [(task.prompt.query(e), task.prompt.target(str(e.label))) for e in examples(8)]
    assert sorted(found, key=str) == sorted(wanted, key=str)
    assert (len(training), len(held_out)) == (6, 2)
    assert training.target_tokens == held_out.target_tokens == target_tokens
    assert task.heads == search.heads
    (steered,) = task.steering.vectors
    assert torch.equal(steered, training.vectors.vector(HeadIndex(1, 3)))
    assert (task.statistics["held_out_loss"], task.statistics["plain_loss"]) == (0.25, 1.5)


def test_the_published_procedure() -> None:
    method = TaskVectors.paper(style="chat", instruction="Answer.", seed=3)
    assert (method.shots_per_prompt, method.n_prompts, method.target_tokens) == (4, 100, 1)
    assert method.positions == "generated"
    assert method.selector == Reinforce.paper(seed=3)
    assert (method.style, method.instruction, method.seed) == ("chat", "Answer.", 3)


# --- What is reported, and bad input ---------------------------------------------------------


def test_long_texts_are_cut_counted_and_reported(tiny_engine: Engine) -> None:
    support = [*examples(3), Example("cat " * 40, "dog " * 40)]
    with pytest.warns(TruncationWarning, match="2 inputs or targets longer than 32"):
        task = fit(tiny_engine, support, max_text_tokens=32)
    assert task.statistics["truncated_texts"] == 2
    with pytest.warns(TruncationWarning, match="1 inputs"):
        task.generate(["cat " * 60, "cat"])


@pytest.mark.parametrize(
    "support",
    [
        [],
        examples(1),
        [Example("the cat", "dog"), Example("the cat", "mat")],
        [*examples(2), Example("a mat")],
    ],
    ids=["none", "one", "one text", "no label"],
)
def test_examples_that_show_no_task_are_an_error(
    tiny_engine: Engine, support: list[Example]
) -> None:
    with pytest.raises(InputError, match=r"two examples with different texts|has no label"):
        fit(tiny_engine, support)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shots_per_prompt": 0},
        {"n_prompts": 0},
        {"style": "poem"},
        {"instruction": ""},
        {"target_tokens": 0},
        {"positions": "everywhere"},
        {"held_out_share": 0.0},
        {"held_out_share": 1.0},
        {"extract_from": "nowhere"},
        {"max_text_tokens": 7},
    ],
    ids=str,
)
def test_settings_out_of_range_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        TaskVectors(**wrong)
