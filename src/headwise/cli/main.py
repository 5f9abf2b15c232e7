"""The console script `headwise`: which commands there are."""

from __future__ import annotations

from typing import Annotated

import typer

from headwise import __version__
from headwise.cli.audit import audit
from headwise.cli.bench import bench
from headwise.cli.ccot import ccot
from headwise.cli.demo import demo
from headwise.cli.fit_classifier import fit_classifier
from headwise.cli.fit_reward import fit_reward
from headwise.cli.fit_task import fit_task
from headwise.cli.generate import generate
from headwise.cli.guard import GuardedCommand
from headwise.cli.inspect import inspect
from headwise.cli.label import label
from headwise.cli.predict import predict
from headwise.cli.report import report
from headwise.cli.score import score
from headwise.cli.serve import serve

_SETTINGS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="headwise",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings=_SETTINGS,
)
fit = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings=_SETTINGS,
    help="Fit a classifier, a reward model or a task vector on a few examples.",
)
app.add_typer(fit, name="fit")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"headwise {__version__}")
        raise typer.Exit


@app.callback()
def headwise(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    traceback: Annotated[
        bool,
        typer.Option(
            "--traceback",
            envvar="HEADWISE_TRACEBACK",
            help="Show Python's traceback where a command fails.",
        ),
    ] = False,
) -> None:
    """Few-shot classifiers, reward models and task vectors from a frozen model's attention heads.

    Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 bad usage or
    bad input, 130 interrupted.
    """


def _add(to: typer.Typer, name: str, command: object, example: str) -> None:
    to.command(name, cls=GuardedCommand, epilog=f"Example: `{example}`")(command)  # type: ignore[type-var]


_add(
    fit,
    "classifier",
    fit_classifier,
    'headwise fit classifier train.jsonl -o topics --instruction "Message: {text}\\nIts topic?"',
)
_add(
    fit,
    "reward",
    fit_reward,
    'headwise fit reward pairs.jsonl -o judge --criterion "The answer is correct."',
)
_add(fit, "task", fit_task, "headwise fit task shots.jsonl -o capitals")
_add(app, "predict", predict, "headwise predict topics new.jsonl -o predicted.jsonl")
_add(app, "score", score, "headwise score judge answers.jsonl -o scored.jsonl")
_add(app, "label", label, "headwise label judge samples.jsonl -o pairs.jsonl")
_add(app, "generate", generate, "headwise generate capitals new.jsonl -o answered.jsonl")
_add(app, "ccot", ccot, 'headwise ccot photo.jpg "What is left of the dog?" --show-graph')
_add(app, "audit", audit, "headwise audit judge -o audit")
_add(
    app,
    "bench",
    bench,
    "headwise bench --data-file messages.jsonl --task classes --methods sav,zero-shot -o r.json",
)
_add(app, "report", report, "headwise report r.json -o page")
_add(app, "serve", serve, "headwise serve judge topics --port 8000")
_add(app, "inspect", inspect, "headwise inspect topics --plot heads.png")


_add(app, "demo", demo, "headwise demo")


def run() -> None:
    """Runs the command line: the console script, and `python -m headwise`."""
    app(prog_name="headwise")
