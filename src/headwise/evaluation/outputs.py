"""Puts items to a fitted method, whatever its kind, and scores what comes back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from headwise.errors import HeadwiseError, InputError
from headwise.evaluation.items import Benchmark, Item, Output, QuestionItem, RewardItem, Task
from headwise.evaluation.splits import content_key
from headwise.methods.answers import Answerer
from headwise.methods.contracts import Classifier, Rewarder


def outputs_of(
    task: Task, fitted: Any, items: Sequence[Item], *, progress: bool = False
) -> list[Output]:
    """What a fitted method gives for some items.

    Args:
        task: What is asked.
        fitted: For `"rewards"` a `Rewarder`; for `"classes"`, and for `"answers"` that are options,
            a `Classifier` or an `Answerer`; for other `"answers"` an `Answerer`.
        items: `n` items.
        progress: Whether to show a progress bar on stderr.

    Returns:
        `n` outputs.

    Raises:
        InputError: The method is of another kind than the task asks for.
        HeadwiseError: A reward or probability is NaN or infinite.
    """
    if task == "rewards":
        rows = [item for item in items if isinstance(item, RewardItem)]
        found = _rewards(_of_kind(fitted, "score", task), rows, progress)
    else:
        questions = [item for item in items if isinstance(item, QuestionItem)]
        # Options can be chosen by either kind, whatever the benchmark mostly is for.
        has_options = task == "classes" or all(item.options for item in questions)
        if has_options and hasattr(fitted, "predict_proba"):
            found = _classes(fitted, questions, progress)
        else:
            found = _answers(_of_kind(fitted, "answer", task), questions, progress)
    if len(found) != len(items):
        raise InputError(f"The benchmark has items that are none of the task {task!r}.")
    return found


def score_of(item: Item, output: Output, benchmark: Benchmark | None = None) -> float:
    """How right an output is, for intervals and paired tests.

    Args:
        item: The item.
        output: What was given.
        benchmark: Whose rule says how right a free answer is, where items stand alone.

    Returns:
        Between 0 and 1. Of rewards: the share of pairs of a right and a wrong response in which the
        right one has more, a tie being half. Of an option: whether it is the right one. Of a free
        answer: what the benchmark's rule says of this item alone, else whether it equals the label
        or a reference, case and blanks aside.
    """
    if isinstance(item, RewardItem):
        right, wrong = output.rewards[: item.n_right], output.rewards[item.n_right :]
        wins = [_win(a - b) for a in right for b in wrong]
        return sum(wins) / len(wins) if wins else 1.0
    if item.options:
        return float(output.answer is not None and output.answer == item.example.label)
    # A judge is asked once for all items, not for each anew.
    is_cheap = benchmark is not None and not benchmark.header.judge
    if benchmark is not None and is_cheap and item.group is None and item.references:
        measured = _measured_alone(benchmark, item, output)
        if measured is not None:
            return measured
    accepted = {_folded(text) for text in (item.example.label, *item.references) if text}
    return float(output.answer is not None and _folded(output.answer) in accepted)


def _measured_alone(benchmark: Benchmark, item: Item, output: Output) -> float | None:
    try:
        measures = benchmark.measures([item], [output])
    except HeadwiseError:
        return None
    value = measures[0].value if measures else math.nan
    return value if 0 <= value <= 1 else None


def _win(margin: float) -> float:
    return 1.0 if margin > 0 else 0.5 if margin == 0 else 0.0


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold().rstrip(".")


def _of_kind(fitted: Any, verb: str, task: Task) -> Any:
    if not hasattr(fitted, verb):
        raise InputError(
            f"A {type(fitted).__name__} cannot do the task {task!r}: it has no `{verb}`. Choose a "
            "method for this task."
        )
    return fitted


def _rewards(rewarder: Rewarder, items: Sequence[RewardItem], progress: bool) -> list[Output]:
    rewards: dict[int, tuple[float, ...]] = {}
    for places in _rounds(items):
        rows = [(items[place], answer) for place in places for answer in items[place].responses]
        found = np.asarray(
            rewarder.score(
                [item.prompt for item, _ in rows],
                [answer for _, answer in rows],
                [item.images for item, _ in rows],
                progress=progress,
            ),
            dtype=np.float64,
        )
        if found.shape != (len(rows),):
            raise HeadwiseError(
                f"A reward model gave rewards of shape {found.shape} for {len(rows)} responses."
            )
        _require_finite(found)
        values = iter(found.tolist())
        for place in places:
            rewards[place] = tuple(next(values) for _ in items[place].responses)
    return [Output(item.id, rewards=rewards[place]) for place, item in enumerate(items)]


def _rounds(items: Sequence[RewardItem]) -> list[list[int]]:
    """Items of one prompt go to rounds of their own.

    A reward model of the ranked form compares all responses to one prompt, and those of two items
    must not be compared with each other.
    """
    seen: dict[str, int] = {}
    rounds: list[list[int]] = []
    for place, item in enumerate(items):
        number = seen.get(key := content_key(item), 0)
        seen[key] = number + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(place)
    return rounds


def _classes(classifier: Classifier, items: Sequence[QuestionItem], progress: bool) -> list[Output]:
    table = np.asarray(
        classifier.predict_proba([item.example for item in items], progress=progress),
        dtype=np.float64,
    )
    if table.shape != (len(items), len(classifier.classes)):
        raise HeadwiseError(
            f"A classifier of {len(classifier.classes)} classes gave probabilities of shape "
            f"{table.shape} for {len(items)} items."
        )
    _require_finite(table)
    found = []
    for item, row in zip(items, table.tolist(), strict=True):
        known = dict(zip(classifier.classes, row, strict=True))
        offered = {n: p for n, p in known.items() if n in item.options} if item.options else known
        answer = max(offered, key=lambda name: offered[name]) if offered else None
        found.append(Output(item.id, answer=answer, probabilities=_normalized(offered)))
    return found


def _normalized(shares: Mapping[str, float]) -> dict[str, float]:
    total = sum(shares.values())
    if total <= 0:
        return {name: 1 / len(shares) for name in shares}
    return {name: share / total for name, share in shares.items()}


def _answers(answerer: Answerer, items: Sequence[QuestionItem], progress: bool) -> list[Output]:
    if not items:
        return []
    answers = answerer.answer([item.example for item in items], progress=progress)
    return [
        Output(item.id, answer=_as_option(answered.answer, item.options))
        for item, answered in zip(items, answers, strict=True)
    ]


def _as_option(answer: str | None, options: Sequence[str]) -> str | None:
    """The option that an answer is but for case and blanks; the answer as it is where none."""
    if answer is None:
        return None
    return next((option for option in options if _folded(option) == _folded(answer)), answer)


def _require_finite(values: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    if not np.isfinite(values).all():
        raise HeadwiseError(
            "The method gave NaN or infinity. If the model made it, load the model in float32."
        )
