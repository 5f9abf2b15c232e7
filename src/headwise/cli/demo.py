"""`headwise demo`: the main job on data that ships."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from headwise.cli.models import ModelChoice, load_engine

if TYPE_CHECKING:
    from headwise.demonstration import ClassifierDemo, RewardDemo


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the two fitted models.")
    ] = Path("headwise-demo"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as one JSON object.")
    ] = False,
) -> None:
    """Fit a classifier and a reward model on data that ships, and test both.

    Uses the embedded model SmolLM2-135M-Instruct; takes a minute or two on two CPU cores.
    """
    # These load torch, which `headwise --help` must not wait for.
    from headwise.demonstration import (
        demonstrate_classifier,
        demonstrate_reward,
        save_demonstration,
    )

    notes = Console(stderr=True)
    started = time.perf_counter()
    notes.print("Loading SmolLM2-135M-Instruct (converted once, about 20 s the first time) ...")
    choice = ModelChoice(model=None, revision=None, dtype=None, device=None)
    engine = load_engine(choice, quiet=True).as_engine
    notes.print("Fitting a classifier on 20 labelled messages ...")
    classifier = demonstrate_classifier(engine, progress=True)
    notes.print("Fitting a reward model on 40 preference pairs, with a head search ...")
    reward = demonstrate_reward(engine, progress=True)
    topics, correct = save_demonstration(output, classifier, reward)
    seconds = time.perf_counter() - started
    if as_json:
        print(json.dumps(_figures(classifier, reward, seconds)))
        return
    _print_report(Console(), classifier, reward, seconds)
    _print_next_steps(Console(), topics, correct)


def _figures(
    classifier: ClassifierDemo, reward: RewardDemo, seconds: float
) -> dict[str, dict[str, float | int | str] | float]:
    return {
        "classifier": {
            "n_support": classifier.n_support,
            "n_test": classifier.n_test,
            "accuracy": classifier.accuracy,
            "zero_shot_accuracy": classifier.zero_shot_accuracy,
            "fit_seconds": round(classifier.seconds, 1),
        },
        "reward": {
            "n_support": reward.n_support,
            "n_test": reward.n_test,
            "readout": reward.reward.readout,
            "accuracy": reward.accuracy,
            "token_probability_accuracy": reward.token_accuracy,
            "biased_accuracy": reward.biased_accuracy,
            "biased_token_probability_accuracy": reward.biased_token_accuracy,
            "fit_seconds": round(reward.seconds, 1),
        },
        "seconds": round(seconds, 1),
    }


def _print_report(
    out: Console, classifier: ClassifierDemo, reward: RewardDemo, seconds: float
) -> None:
    from headwise.demonstration import heads_in_words

    table = Table(title="Held-out accuracy", title_justify="left")
    table.add_column("task")
    table.add_column("tested on")
    table.add_column("without examples", justify="right")
    table.add_column("headwise", justify="right")
    table.add_row(
        f"classifier, {classifier.n_support} labelled messages",
        f"{classifier.n_test} messages, {len(classifier.classifier.classes)} classes",
        f"{classifier.zero_shot_accuracy:.2f}  zero-shot",
        f"{classifier.accuracy:.2f}",
    )
    table.add_row(
        f"reward model, {reward.n_support} plain pairs",
        f"{reward.n_test} pairs, right over wrong",
        f"{reward.token_accuracy:.2f}  P(Yes)",
        f"{reward.accuracy:.2f}",
    )
    table.add_row(
        "the same reward model",
        f"{reward.n_test} pairs, wrong answer padded",
        f"{reward.biased_token_accuracy:.2f}  P(Yes)",
        f"{reward.biased_accuracy:.2f}",
    )
    out.print()
    out.print(table)
    message, label = classifier.example
    out.print(f'\n"{message}"\n  is about: [bold]{label}[/bold]', highlight=False)
    pair = reward.biased_example
    out.print("\nA padded wrong answer, which plain token probability falls for:")
    out.print(f"  Q: {pair.prompt}\n  right: {pair.chosen}\n  wrong: {pair.rejected}", markup=False)
    out.print(f"\nClassifier's heads: {heads_in_words(classifier.classifier.heads)}")
    out.print(
        f"Reward model's heads ({reward.reward.readout}): {heads_in_words(reward.reward.heads)}"
    )
    out.print(
        f"Fitted in {classifier.seconds:.0f} s and {reward.seconds:.0f} s; {seconds:.0f} s in all."
    )


def _print_next_steps(out: Console, topics: Path, correct: Path) -> None:
    out.print("\nNext:")
    for command in (
        f"headwise inspect {topics}",
        f'echo \'{{"text": "My parcel never came."}}\' | headwise predict {topics} -',
        f'echo \'{{"prompt": "What is the capital of Italy?", "response": "Rome."}}\''
        f" | headwise score {correct} -",
    ):
        out.print(f"  {command}", markup=False, highlight=False, soft_wrap=True)
