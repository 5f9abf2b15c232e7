"""Whole head searches: how long each takes to the loss that the published one reaches.

The published search runs as published, 600 epochs of 32 masks, but on headwise's engine: its loss
is the naive procedure's, since the losses of every mask are. Its naive time is worked out from the
measured time of one naive epoch.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from benchmarks import naive
from benchmarks.results import SearchRun
from benchmarks.sizes import Sizes
from benchmarks.subjects import Subject
from benchmarks.texts import running_words, text_of_length
from headwise.data.demo import read_json
from headwise.heads import HeadSet
from headwise.prompts.conversation import Conversation
from headwise.selection.attribution import Attribution
from headwise.selection.descent import MaskDescent
from headwise.selection.reinforce import Reinforce
from headwise.selection.search import HeadSearch, SearchTask, losses_of

PUBLISHED = "published search, on headwise"
NAIVE = "published search, naive"
_SHOTS = 4
_EXTRACTION_PROMPTS = 100
_TIMED_MASKS = 4


@dataclass(frozen=True, slots=True, eq=False)
class CapitalTask:
    """Naming capitals, with the vectors of in-context prompts to steer by.

    Args:
        training: Zero-shot prompts to search on.
        held_out: Others, to choose the final mask by.
        test: Others, to judge the heads by.
    """

    training: SearchTask
    held_out: SearchTask
    test: SearchTask


def whole_searches(subject: Subject, sizes: Sizes, seed: int) -> Iterator[SearchRun]:
    """Runs every search, the published one first.

    Args:
        subject: The model.
        sizes: Prompt length, examples and epochs.
        seed: Seed of the prompts and of the searches.

    Yields:
        One run each as it finishes; the second is the naive one.
    """
    task = capital_task(subject, sizes, seed)
    published = Reinforce(epochs=sizes.search_epochs, masks_per_epoch=sizes.masks, seed=seed)
    found = run_search(subject, PUBLISHED, published, task)
    yield found
    yield _naive_run(subject, task, published, found)
    for name, search in faster_searches(sizes, seed):
        yield run_search(subject, name, search, task)


def faster_searches(sizes: Sizes, seed: int) -> list[tuple[str, HeadSearch]]:
    """The searches that are to reach the published loss sooner."""
    cap = sizes.search_epochs
    short, usual = MaskDescent(epochs=min(10, cap), seed=seed), MaskDescent(seed=seed)
    reduced, default = Reinforce.variance_reduced(seed=seed), Reinforce(seed=seed)
    return [
        ("attribution", Attribution()),
        (f"mask descent, {short.epochs} epochs", short),
        ("mask descent", replace(usual, epochs=min(usual.epochs, cap))),
        ("variance-reduced REINFORCE", replace(reduced, epochs=min(reduced.epochs, cap))),
        ("default REINFORCE", replace(default, epochs=min(default.epochs, cap))),
    ]


def run_search(subject: Subject, name: str, search: HeadSearch, task: CapitalTask) -> SearchRun:
    """Times one search from nothing: prefixes are forgotten first.

    Args:
        subject: The model.
        name: What reports call the search.
        search: The search.
        task: What to search for.

    Returns:
        Its time and losses.
    """
    subject.engine.forget_prefixes()
    started = time.perf_counter()
    result = search.search(subject.engine, task.training, task.held_out)
    seconds = time.perf_counter() - started
    return SearchRun(
        name,
        seconds,
        result.held_out_loss,
        _test_loss(subject, task, result.heads),
        len(result.heads),
    )


def capital_task(subject: Subject, sizes: Sizes, seed: int) -> CapitalTask:
    """Builds the task: zero-shot prompts of one length, and the mean of in-context activations.

    Args:
        subject: The model.
        sizes: Prompt length and number of examples.
        seed: Seed of the split and of the shots.

    Returns:
        The task.
    """
    random = np.random.default_rng(seed)
    rows = [(row["country"], row["capital"]) for row in read_json("capitals.json")]
    rows = [rows[place] for place in random.permutation(len(rows))]
    n_train, n_other = sizes.search_examples, max(1, sizes.search_examples // 4)
    ends = [n_train, n_train + n_other, n_train + 2 * n_other]
    if len(rows) <= ends[-1] + _SHOTS:
        raise ValueError(f"{len(rows)} capitals are too few for {ends[-1]} prompts and shots.")
    # Shots are of the training countries: what is held out must not have been seen.
    shots = rows[:n_train]
    prompts = [_shot_prompt(shots, random) for _ in range(_EXTRACTION_PROMPTS)]
    vectors = subject.engine.capture([Conversation.completion(text) for text in prompts]).mean()

    def task(start: int, end: int) -> SearchTask:
        conversations = tuple(
            Conversation.completion(_zero_shot(subject, sizes.search_prompt, rows[n][0], n))
            for n in range(start, end)
        )
        return SearchTask(
            conversations, tuple(f" {rows[n][1]}" for n in range(start, end)), vectors
        )

    return CapitalTask(task(0, ends[0]), task(ends[0], ends[1]), task(ends[1], ends[2]))


def _shot_prompt(rows: Sequence[tuple[str, str]], random: np.random.Generator) -> str:
    n_drawn = min(_SHOTS + 1, len(rows))
    *drawn, query = [rows[place] for place in random.choice(len(rows), n_drawn, replace=False)]
    lines = [f"Q: {country}\nA: {capital}" for country, capital in drawn]
    return "\n\n".join([*lines, f"Q: {query[0]}\nA:"])


def _zero_shot(subject: Subject, n_tokens: int, country: str, number: int) -> str:
    """A question behind other text, which makes prompts as long as the measurement wants them."""

    def count(text: str) -> int:
        return len(subject.encoder.encode(Conversation.completion(text)))

    end = f"\n\nQ: {country}\nA:"
    return text_of_length(n_tokens, count, running_words(number), end)


def _test_loss(subject: Subject, task: CapitalTask, heads: HeadSet) -> float:
    chosen = set(heads)
    mask = torch.tensor([[index in chosen for index in subject.engine.layout]])
    return float(losses_of(subject.engine, task.test, mask).mean())


def _naive_run(
    subject: Subject, task: CapitalTask, search: Reinforce, found: SearchRun
) -> SearchRun:
    """What the published search takes naively: a forward pass a mask, and the same losses."""
    conversation, target = task.training.conversations[0], task.training.targets[0]
    ids = subject.encoder.encode(conversation)
    wanted = subject.encoder.encode_target(conversation, target)[0]
    masks = naive.first_masks(subject.engine.layout.n_heads, _TIMED_MASKS, search.seed)
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        naive.mask_losses(subject.model, ids, wanted, task.training.vectors.values, masks)
        seconds.append((time.perf_counter() - started) / _TIMED_MASKS)
    a_mask = statistics.median(seconds[1:])
    n_passes = search.epochs * search.masks_per_epoch + search.final_masks * len(task.held_out)
    return SearchRun(
        NAIVE,
        a_mask * n_passes,
        found.held_out_loss,
        found.test_loss,
        found.n_heads,
        measured=False,
        note=f"{a_mask:.3f} s a mask, measured on {_TIMED_MASKS} masks, times {n_passes:,} masks "
        f"({search.epochs} epochs of {search.masks_per_epoch}, and the final choice)",
    )
