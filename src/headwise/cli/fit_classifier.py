"""`headwise fit classifier`: a classifier from a few labelled examples."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from headwise.cli.figures import percent
from headwise.cli.fit_summary import check_folder, save, tell_fit
from headwise.cli.inputs import (
    drawn,
    texts_of,
    warn_of_bad_rows,
    with_instructed_fields,
    with_sound_images,
)
from headwise.cli.models import ModelChoice, load_engine
from headwise.cli.options import (
    DeviceOption,
    DtypeOption,
    FolderOption,
    HeadsOption,
    ImageOption,
    JsonOption,
    LabelOption,
    MaxTextTokensOption,
    ModelOption,
    PaperOption,
    QuietOption,
    RevisionOption,
    SeedOption,
    SkipBadOption,
    SystemOption,
    TextOption,
    heads_count,
    image_column,
    with_line_breaks,
)
from headwise.examples import Example, labels_of
from headwise.readers import ReadResult, open_source, read_examples

if TYPE_CHECKING:
    from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier
    from headwise.methods.sparse_attention_vectors import SparseAttentionVectors


def fit_classifier(
    train: Annotated[
        str,
        typer.Argument(
            metavar="TRAIN",
            help="Labelled examples: JSONL, JSON, CSV, TSV, Parquet, a folder with a folder of "
            "images for each class, a Hub dataset, or - for stdin.",
        ),
    ],
    out: FolderOption,
    instruction: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help=r"What the model is asked; {text} is the text, {image} the images (first, where "
            r"there is none), any other {column} is a column, \n is a line break. Text and images "
            r"alone where left out.",
        ),
    ] = None,
    heads: HeadsOption = None,
    voting: Annotated[
        Literal["soft", "majority"] | None,
        typer.Option(help="Heads' similarities are averaged (soft), or their votes are counted."),
    ] = None,
    head_scoring: Annotated[
        Literal["separation", "leave_one_out", "resubstitution"] | None,
        typer.Option(
            help="What heads are ranked by: the margin between classes over its deviation, or the "
            "examples they get right, each left out of its own class or left in."
        ),
    ] = None,
    paper: PaperOption = False,
    system: SystemOption = None,
    max_text_tokens: MaxTextTokensOption = None,
    text: TextOption = None,
    label: LabelOption = None,
    image: ImageOption = None,
    shots: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Draw N examples of each class.", rich_help_panel="Data"
        ),
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
    """Fit a classifier on a few labelled examples of each class.

    One forward pass over the examples finds the attention heads that tell the classes apart
    (Sparse Attention Vectors, arXiv:2412.00142); the model itself is left as it is.
    """
    given = {
        "instruction": None if instruction is None else with_line_breaks(instruction),
        "n_heads": None if heads is None else heads_count(heads),
        "voting": voting,
        "head_scoring": head_scoring,
        "system": None if system is None else with_line_breaks(system),
        "max_text_tokens": max_text_tokens,
        "seed": seed,
    }
    check_folder(out)
    method = _method(paper, {name: value for name, value in given.items() if value is not None})
    support = _read(train, text, label, image, method.instruction, shots, seed, skip_bad=skip_bad)
    engine = load_engine(ModelChoice(model, revision, dtype, device), quiet=quiet)
    started = time.perf_counter()
    classifier = method.fit(engine.as_engine, support.items, progress=not quiet)
    seconds = time.perf_counter() - started
    save(classifier, out)
    figures = {
        "classes": list(classifier.classes),
        "examples": classifier.statistics.n_examples,
        "examples_per_class": dict(classifier.statistics.examples_per_class),
        "held_out_accuracy": classifier.statistics.held_out_accuracy,
        "truncated_rows": sum(engine.has_cut(texts_of(example)) for example in support.items),
        "bad_rows": len(support.bad),
        "seconds": round(seconds, 3),
    }
    summary = {**_summary(classifier), "time": f"{seconds:.1f} s"}
    next_step = {"next": f"headwise predict {out} FILE"}
    tell_fit(classifier.to_record(), out, figures, {**summary, **next_step}, json=json, quiet=quiet)


def _method(paper: bool, given: dict[str, Any]) -> SparseAttentionVectors:
    from headwise.methods.sparse_attention_vectors import SparseAttentionVectors

    return replace(SparseAttentionVectors.paper() if paper else SparseAttentionVectors(), **given)


def _read(
    train: str,
    text: str | None,
    label: str | None,
    image: str | None,
    instruction: str,
    shots: int | None,
    seed: int,
    *,
    skip_bad: bool,
) -> ReadResult[Example]:
    source = open_source(train)
    result = read_examples(
        source, text=text, label=label, image=image_column(image), skip_bad=skip_bad
    )
    result = with_instructed_fields(source.name, result, instruction, skip_bad=skip_bad)
    warn_of_bad_rows(result)
    names = labels_of(result.items)  # One class only is told before a model is loaded.
    result = result if shots is None else drawn(result, names, shots, seed)
    result = with_sound_images(source.name, result, skip_bad=skip_bad)
    labels_of(result.items)
    return result


def _summary(classifier: SparseAttentionClassifier) -> dict[str, str | None]:
    counts = classifier.statistics.examples_per_class
    shown = ", ".join(f"{name} {count}" for name, count in list(counts.items())[:10])
    more = ", ..." if len(counts) > 10 else ""
    return {
        "classes": f"{len(classifier.classes)}",
        "examples": f"{classifier.statistics.n_examples} ({shown}{more})",
        "held-out accuracy": percent(
            classifier.statistics.held_out_accuracy, "by cross-validation on the examples"
        ),
    }
