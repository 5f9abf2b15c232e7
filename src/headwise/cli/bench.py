"""`headwise bench`: methods beside each other on a benchmark, or on one's own data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from headwise.cli.bench_job import BenchJob, DataChoice, MethodsChoice
from headwise.cli.bench_told import benchmarks_json, benchmarks_table, methods_json, methods_table
from headwise.cli.console import show, write_json
from headwise.cli.engine_choice import EngineLater
from headwise.cli.models import ModelChoice
from headwise.cli.options import (
    BaseUrlOption,
    ChosenOption,
    ConcurrencyOption,
    DeviceOption,
    DtypeOption,
    EngineOption,
    ImageOption,
    JsonOption,
    LabelOption,
    ModelOption,
    PromptOption,
    QuietOption,
    RejectedOption,
    RevisionOption,
    SkipBadOption,
    SystemOption,
    TextOption,
    with_line_breaks,
)
from headwise.cli.typed_command import typed_command
from headwise.errors import InputError

_DATA, _METHODS, _MODEL = "Data", "Methods", "Model"


def bench(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A benchmark; list shows all, methods shows what can be compared. Left out with "
            "--data-file.",
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="What to compare, by commas; headwise bench methods lists the names. Also "
            "fitted:DIR, an artifact that was saved, and for rewards sequence:ID, a trained reward "
            "model, or the http:// address of a reward server.",
            rich_help_panel=_METHODS,
        ),
    ] = None,
    shots: Annotated[
        str,
        typer.Option(
            metavar="K,...",
            help="Support examples: of each class where there are classes, else in all. Several, "
            "by commas, give a learning curve.",
            rich_help_panel=_METHODS,
        ),
    ] = "20",
    seeds: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            help="How many support sets are drawn; every method sees the same ones.",
            rich_help_panel=_METHODS,
        ),
    ] = 5,
    fit_on: Annotated[
        Literal["all", "split", "transfer"],
        typer.Option(
            help="Fit on support of all splits; for each split on its own; or put what was learned "
            "on each split to all the others.",
            rich_help_panel=_METHODS,
        ),
    ] = "all",
    instruction: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="How classifiers ask; {text} is the text, {column} any other column.",
            rich_help_panel=_METHODS,
        ),
    ] = "{text}",
    system: SystemOption = None,
    criterion: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="What a good response does, for reward models.",
            rich_help_panel=_METHODS,
        ),
    ] = "The response is correct and helpful.",
    answer_form: Annotated[
        Literal["free", "word", "yes-no"] | None,
        typer.Option(
            help="What a free answer is; word, or free where a judge rates it. Options are asked "
            "for as options.",
            rich_help_panel=_METHODS,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Where the benchmark's data is, a file or folder; from the Hub where left out.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    data_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Your own data instead of a benchmark: JSONL, JSON, CSV, TSV, Parquet, a folder "
            "of images or a Hub dataset, perhaps with a column split.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    task: Annotated[
        Literal["classes", "rewards", "answers"] | None,
        typer.Option(
            help="What your data is: texts or images with classes, preference pairs, or questions "
            "with answers. Told from its columns where left out, classes from answers not.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    support_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Where support is drawn from; taken out of the data, and not scored, where left "
            "out.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Score about so many items, drawn by chance.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    text: TextOption = None,
    label: LabelOption = None,
    prompt: PromptOption = None,
    chosen: ChosenOption = None,
    rejected: RejectedOption = None,
    image: ImageOption = None,
    skip_bad: SkipBadOption = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="RESULTS",
            help="Results file (.json) for headwise report; an interrupted run is gone on with, by "
            "the ledger beside it.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew instead of going on with RESULTS.")
    ] = False,
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The model that rates answers, where the benchmark has answers rated.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    engine: EngineOption = "transformers",
    base_url: BaseUrlOption = None,
    concurrency: ConcurrencyOption = None,
    model: ModelOption = None,
    revision: RevisionOption = None,
    dtype: DtypeOption = None,
    device: DeviceOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare methods and baselines on a benchmark, or on your own data.

    Every method is fitted on the same few examples, once for each seed, and put to the same items;
    nothing that is learned from is scored. The figures have 95% intervals over seeds and items, and
    methods are tested against the best baseline. With `-o` all outputs are kept: `headwise report`
    makes a page of them, and a killed run goes on where it stopped. A method that fails (its prompt
    does not fit, say) is told at the end, and the others are not lost.

    `headwise bench list` shows the benchmarks, `headwise bench methods` what can be compared.
    """
    if name in ("list", "methods") and data_file is None:
        _list(name, typed_command(context), json=json)
        return
    columns = {"text": text, "label": label, "image": image}
    columns |= {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    job = BenchJob(
        data=DataChoice(name, data, data_file, task, support_file, limit, columns, skip_bad),
        methods=MethodsChoice(
            names=None if methods is None else tuple(methods.split(",")),
            shots=_numbers(shots),
            seeds=tuple(range(seeds)),
            fit_on=fit_on,
            instruction=with_line_breaks(instruction),
            system=None if system is None else with_line_breaks(system),
            criterion=criterion,
            answer_form=answer_form,
            judge=judge,
        ),
        engine=EngineLater(
            engine, ModelChoice(model, revision, dtype, device), base_url, concurrency, quiet
        ),
        out=out,
        overwrite=overwrite,
    )
    job.run(typed_command(context), json=json)


def _list(what: str, command: tuple[str, ...], *, json: bool) -> None:
    others = [w for w in command if w.startswith("--") and w not in ("--json", "--quiet")]
    if others:
        raise InputError(f"headwise bench {what} runs nothing; leave out {', '.join(others)}.")
    if what == "list":
        write_json(benchmarks_json()) if json else show(benchmarks_table())
    else:
        write_json(methods_json()) if json else show(methods_table())


def _numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InputError(f"--shots is a number, or several by commas; got {text!r}.")
    return tuple(dict.fromkeys(map(int, parts)))
