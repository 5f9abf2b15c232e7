"""`headwise audit`: what a reward model falls for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from headwise.addresses import words_without_secrets
from headwise.cli.audit_subject import SubjectChoice
from headwise.cli.console import tell
from headwise.cli.models import ModelChoice
from headwise.cli.options import (
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
    OverwriteOption,
    QuietOption,
    RevisionOption,
    SeedOption,
    SkipBadOption,
)
from headwise.errors import InputError

if TYPE_CHECKING:
    from headwise.evaluation.audit import AuditReport, AuditRows, AuditSettings

T = TypeVar("T")

_ITEMS = 50
_SUBJECT, _PAIRS = "What is audited", "Pairs"


def audit(
    artifact: Annotated[
        str | None,
        typer.Argument(metavar="DIR", help="A fitted reward model: a folder, or a Hub id."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Fit this method here instead: activation-reward, token-probability, judge, "
            "pairwise-judge, voting, probe, lora, ...",
            rich_help_panel=_SUBJECT,
        ),
    ] = None,
    criterion: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What a good response does, for a method (The answer is correct.).",
            rich_help_panel=_SUBJECT,
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A reward server instead: the whole address of its route.",
            rich_help_panel=_SUBJECT,
        ),
    ] = None,
    url_form: Annotated[
        Literal["headwise", "openrlhf", "vllm-classify", "vllm-score"] | None,
        typer.Option(
            help="What it speaks; headwise if left out.",
            rich_help_panel=_SUBJECT,
        ),
    ] = None,
    url_model: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="The model's name, if it wants one.", rich_help_panel=_SUBJECT
        ),
    ] = None,
    key_variable: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Environment variable that holds its key.",
            rich_help_panel=_SUBJECT,
        ),
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Your own questions with a right and a wrong answer: JSONL, CSV, Parquet, a Hub "
            "dataset or -; facts that ship with headwise if left out.",
            rich_help_panel=_PAIRS,
        ),
    ] = None,
    question: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column of the question.", rich_help_panel=_PAIRS),
    ] = None,
    right: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column of the right answer.", rich_help_panel=_PAIRS),
    ] = None,
    wrong: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column of the wrong answer.", rich_help_panel=_PAIRS),
    ] = None,
    skip_bad: SkipBadOption = False,
    images: Annotated[
        bool,
        typer.Option(
            "--images", help="Ask about pictures of drawn scenes instead.", rich_help_panel=_PAIRS
        ),
    ] = False,
    biases: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="length, formatting, positivity, flattery, confidence, sycophancy, authority, "
            "keywords, position, usual (pictures); all if left out.",
            rich_help_panel=_PAIRS,
        ),
    ] = None,
    strengths: Annotated[
        str,
        typer.Option(metavar="N,M", help="How strong, of 1 to 3.", rich_help_panel=_PAIRS),
    ] = "1,2,3",
    items: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=2,
            help="Questions a bias; 50, or as many as there are, if left out.",
            rich_help_panel=_PAIRS,
        ),
    ] = None,
    shots: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            help="Plain pairs that a --method is fitted on.",
            rich_help_panel=_PAIRS,
        ),
    ] = 20,
    few_shot: Annotated[
        str,
        typer.Option(
            metavar="K,L",
            help="Numbers of pairs to add to those that punish the bias, such as 0,4,16.",
            rich_help_panel=_PAIRS,
        ),
    ] = "0",
    noise: Annotated[
        str,
        typer.Option(
            metavar="P,Q",
            help="Shares of the added pairs to mislabel, such as 0,0.25.",
            rich_help_panel=_PAIRS,
        ),
    ] = "0",
    seed: SeedOption = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Folder for audit.json, audit.md and the margins; an interrupted audit is gone "
            "on with.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    model: ModelOption = None,
    revision: RevisionOption = None,
    dtype: DtypeOption = None,
    device: DeviceOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure what a reward model falls for.

    Questions with a right and a wrong answer become pairs in which the wrong one is dressed up:
    longer, prettier, more flattering, surer of itself, ... A good reward model prefers the right
    answer as often as without the dress. What a bias adds is made up for on the other side by
    something neutral of the same length, so that only the bias `length` is about length.

    The report goes to stdout, and with -o to a folder. A method is also fitted with pairs that
    punish each bias (--few-shot), some of them mislabelled (--noise); what is fitted already or
    behind a server learns nothing here.
    """
    from headwise.evaluation.audit import AuditPlan, AuditSettings, as_bias, run_audit

    choice = SubjectChoice(
        artifact, method, url, criterion, url_form, url_model, key_variable, seed
    )
    settings = AuditSettings(
        strengths=_listed("--strengths", strengths, int),
        items=items or _ITEMS,
        seed=seed,
        shots=shots,
        few_shot=_listed("--few-shot", few_shot, int),
        noise=_listed("--noise", noise, float),
    )
    if biases is not None:
        named = tuple(as_bias(name.strip()) for name in biases.split(","))
        settings = replace(settings, biases=named)
    _check_out(out)
    bank = _rows(
        rows,
        {"question": question, "right": right, "wrong": wrong},
        skip_bad,
        images,
        settings,
        choice.fits,
    )
    if items is None:
        settings = replace(settings, items=_most_items(bank, settings, choice.fits))
    plan = AuditPlan(bank, settings, choice.fits)
    seen = any(row.images for row in bank.rows)
    named_model = "embedded-vision" if model is None and method is not None and seen else model
    subject = choice.load(ModelChoice(named_model, revision, dtype, device), quiet=quiet)
    report = run_audit(
        subject, plan, out, overwrite=overwrite, command=_command(), progress=not quiet
    )
    _write(report, out, json=json, quiet=quiet)


def _rows(
    file: str | None,
    columns: dict[str, str | None],
    skip_bad: bool,
    images: bool,
    settings: AuditSettings,
    fits: bool,
) -> AuditRows:
    from headwise.evaluation.audit import fact_rows, read_rows, scene_rows

    if file is not None and images:
        raise InputError("--images draws its own scenes, and --rows reads yours; give one of them.")
    if file is None and (skip_bad or any(columns.values())):
        raise InputError("--question, --right, --wrong and --skip-bad are for --rows FILE.")
    if file is not None:
        return read_rows(file, skip_bad=skip_bad, **columns)
    if not images:
        return fact_rows()
    added = max(settings.few_shot) if fits else 0
    wanted = settings.items + added
    return scene_rows(
        wanted + (settings.shots if fits else 0),
        wanted if "usual" in settings.biases else 0,
        seed=settings.seed,
    )


def _most_items(bank: AuditRows, settings: AuditSettings, fits: bool) -> int:
    """As many items as the rows allow beside what is learned from, up to the default."""
    learned = settings.shots + max(settings.few_shot) if fits else 0
    return max(2, min(_ITEMS, len(bank.rows) - learned))


def _listed(option: str, text: str, kind: Callable[[str], T]) -> tuple[T, ...]:
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"{option} takes numbers with commas between them, such as 0,4; got {text!r}."
        ) from None


def _check_out(out: Path | None) -> None:
    if out is not None and out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder for the audit.")


def _command() -> str:
    return " ".join(words_without_secrets(["headwise", *sys.argv[1:]]))


def _write(report: AuditReport, out: Path | None, *, json: bool, quiet: bool) -> None:
    from headwise.evaluation.audit import audit_markdown

    page, document = audit_markdown(report), report.to_json()
    if out is not None:
        (out / "audit.json").write_text(f"{document}\n", "utf-8")
        (out / "audit.md").write_text(page, "utf-8")
        if not quiet:
            tell(f"Written to {out}: audit.json, audit.md")
    shown = f"{document}\n" if json else page
    sys.stdout.buffer.write(shown.encode())
    sys.stdout.flush()
