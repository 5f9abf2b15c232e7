"""`headwise fit task`: a task vector from examples of inputs and the answers they should have."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from headwise.cli.console import warn
from headwise.cli.fit_summary import check_folder, save, tell_fit
from headwise.cli.inputs import drawn, warn_of_bad_rows, with_sound_images
from headwise.cli.models import ModelChoice, load_engine
from headwise.cli.options import (
    DeviceOption,
    DtypeOption,
    EpochsOption,
    FolderOption,
    ImageOption,
    JsonOption,
    LabelOption,
    MaxTextTokensOption,
    ModelOption,
    PaperOption,
    QuietOption,
    RevisionOption,
    SeedOption,
    SelectorOption,
    SkipBadOption,
    TextOption,
    image_column,
    with_line_breaks,
)
from headwise.cli.selectors import chosen_selector
from headwise.examples import Example
from headwise.readers import ReadResult, open_source, read_examples

if TYPE_CHECKING:
    from headwise.methods.task_vector import TaskVector
    from headwise.methods.task_vectors import TaskVectors
    from headwise.selection.named import Selector


def fit_task(
    shots: Annotated[
        str,
        typer.Argument(
            metavar="SHOTS",
            help="Inputs, texts or images or both, with their answers as labels: JSONL, JSON, CSV, "
            "TSV, Parquet, a folder with a folder of images for each answer, a Hub dataset, or - "
            "for stdin.",
        ),
    ],
    out: FolderOption,
    instruction: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help=r"What the task is, in words, before every prompt; \n is a line break.",
        ),
    ] = None,
    style: Annotated[
        Literal["completion", "chat"] | None,
        typer.Option(help="Put examples as plain text (completion), or as turns of a chat."),
    ] = None,
    input_prefix: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What an input follows, as plain text ('Q: ')."),
    ] = None,
    target_prefix: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What an answer follows, as plain text ('A:')."),
    ] = None,
    shots_per_prompt: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Worked examples in each prompt that is read (4)."),
    ] = None,
    prompts: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Prompts that are read (100).")
    ] = None,
    selector: SelectorOption = None,
    epochs: EpochsOption = None,
    target_tokens: Annotated[
        Literal["first", "all"] | None,
        typer.Option(help="Which tokens of an answer the search looks at."),
    ] = None,
    positions: Annotated[
        Literal["prompt", "generated"] | None,
        typer.Option(help="Steer the last prompt token, or every generated token too."),
    ] = None,
    paper: PaperOption = False,
    max_text_tokens: MaxTextTokensOption = None,
    text: TextOption = None,
    label: LabelOption = None,
    image: ImageOption = None,
    examples: Annotated[
        int | None,
        typer.Option(metavar="N", min=2, help="Draw N examples.", rich_help_panel="Data"),
    ] = None,
    skip_bad: SkipBadOption = False,
    seed: SeedOption = 0,
    model: ModelOption = None,
    revision: RevisionOption = None,
    dtype: DtypeOption = None,
    device: DeviceOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fit a task vector on examples of a task.

    The model reads many prompts of a few examples each; what some attention heads put out then is
    kept and makes the model answer without any example in the prompt (Multimodal Task Vectors,
    arXiv:2406.15334). The model itself is left as it is.
    """
    given = {
        "instruction": _prompt_text(instruction),
        "style": style,
        "input_prefix": _prompt_text(input_prefix),
        "target_prefix": _prompt_text(target_prefix),
        "shots_per_prompt": shots_per_prompt,
        "n_prompts": prompts,
        "positions": positions,
        "max_text_tokens": max_text_tokens,
    }
    check_folder(out)
    search = chosen_selector(selector, "auto", paper=paper, epochs=epochs, seed=seed)
    method = _method(paper, search, target_tokens, seed, given)
    support = _read(shots, text, label, image, examples, seed, skip_bad=skip_bad)
    engine = load_engine(ModelChoice(model, revision, dtype, device), quiet=quiet)
    started = time.perf_counter()
    task = method.fit(engine.as_engine, support.items, progress=not quiet)
    seconds = time.perf_counter() - started
    save(task, out)
    known = ("n_examples", "n_training", "n_held_out", "n_read", "held_out_loss", "plain_loss")
    figures = {
        **{name.removeprefix("n_"): task.statistics[name] for name in known},
        "positions": task.steering.positions,
        "truncated_rows": sum(engine.has_cut(_texts_of(item)) for item in support.items),
        "bad_rows": len(support.bad),
        "seconds": round(seconds, 3),
    }
    _warn_where_useless(task)
    summary = {
        **_summary(task),
        "time": f"{seconds:.1f} s",
        "next": f"headwise generate {out} FILE",
    }
    tell_fit(task.to_record(), out, figures, summary, json=json, quiet=quiet)


def _prompt_text(given: str | None) -> str | None:
    return None if given is None else with_line_breaks(given)


def _method(
    paper: bool,
    selector: Selector,
    target_tokens: Literal["first", "all"] | None,
    seed: int,
    given: dict[str, Any],
) -> TaskVectors:
    from headwise.methods.task_vectors import TaskVectors

    method = TaskVectors.paper(seed=seed) if paper else TaskVectors(seed=seed)
    options = {name: value for name, value in given.items() if value is not None}
    if target_tokens is not None:
        options["target_tokens"] = None if target_tokens == "all" else 1
    return replace(method, selector=selector, **options)


def _read(
    shots: str,
    text: str | None,
    label: str | None,
    image: str | None,
    examples: int | None,
    seed: int,
    *,
    skip_bad: bool,
) -> ReadResult[Example]:
    from headwise.methods.task_extraction import check_task_examples

    source = open_source(shots)
    result = read_examples(
        source, text=text, label=label, image=image_column(image), skip_bad=skip_bad
    )
    warn_of_bad_rows(result)
    if examples is not None:
        result = drawn(result, [None] * len(result), examples, seed)
    result = with_sound_images(source.name, result, skip_bad=skip_bad)
    check_task_examples(result.items)  # Too few examples are told before a model is loaded.
    return result


def _texts_of(example: Example) -> list[str]:
    """The texts that are put to the model: no further column is."""
    return [example.text, *([example.label] if example.label else [])]


def _warn_where_useless(task: TaskVector) -> None:
    steered, plain = _losses(task)
    if steered >= plain:
        warn(
            f"On held-out examples the steered model does no better than the plain one (loss "
            f"{steered:.3f} and {plain:.3f}). Give more examples or more --epochs."
        )


def _losses(task: TaskVector) -> tuple[float, float]:
    return (
        float(str(task.statistics["held_out_loss"])),
        float(str(task.statistics["plain_loss"])),
    )


def _summary(task: TaskVector) -> dict[str, str | None]:
    known = task.statistics
    steered, plain = _losses(task)
    return {
        "examples": f"{known['n_examples']}, of which {known['n_held_out']} held out",
        "held-out loss": f"{steered:.3f} steered, {plain:.3f} plain",
        "steered": "the last prompt token"
        + (" and generated tokens" if task.steering.positions == "generated" else ""),
    }
