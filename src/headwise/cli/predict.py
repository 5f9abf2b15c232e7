"""`headwise predict`: the class of every row of a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from headwise.cli.console import tell, warn, write_json
from headwise.cli.cuts import untold_cuts, warn_of_cuts
from headwise.cli.figures import JobFigures, PredictionFigures, as_json, told_predictions
from headwise.cli.inputs import Lines, lines_of, texts_of, with_instructed_fields
from headwise.cli.models import LoadedLater, ModelChoice
from headwise.cli.options import (
    ROWS_HELP,
    DeviceOption,
    DtypeOption,
    ImageOption,
    JsonOption,
    LabelOption,
    OtherModelOption,
    OverwriteOption,
    QuietOption,
    RevisionOption,
    RowsOption,
    SkipBadOption,
    TextOption,
    image_column,
)
from headwise.cli.rows import Target, Written, job_identity, require_all, write_rows
from headwise.errors import InputError
from headwise.examples import Example
from headwise.jobs import Row
from headwise.readers import open_source, read_examples

if TYPE_CHECKING:
    from headwise.artifacts import ArtifactRecord
    from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier

GAINED = ("prediction", "probabilities", "truncated")


def predict(
    artifact: Annotated[
        str, typer.Argument(metavar="DIR", help="A fitted classifier: a folder, or a Hub id.")
    ],
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help=ROWS_HELP),
    ],
    out: RowsOption = None,
    overwrite: OverwriteOption = False,
    text: TextOption = None,
    label: LabelOption = None,
    image: ImageOption = None,
    skip_bad: SkipBadOption = False,
    model: OtherModelOption = None,
    revision: RevisionOption = None,
    dtype: DtypeOption = None,
    device: DeviceOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say the class of every row of a file, of every image of a folder, or of one image.

    Every row comes out as it went in, with three more columns: `prediction`, `probabilities` of
    each class, and `truncated`, which says whether its text was too long and was cut. Where rows
    have labels, the accuracy is counted. A row whose image cannot be decoded has an `error`
    instead; the others are not lost.
    """
    from headwise.artifacts.source import read_record
    from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier

    target = Target.checked(out, file, overwrite=overwrite, json=json)
    record = read_record(artifact)
    lines = _read(record, artifact, file, text, label, image, skip_bad=skip_bad)
    choice = ModelChoice(model, revision, dtype, device)
    options = {"text": text, "label": label, "skip_bad": skip_bad, "dtype": dtype}
    options |= {} if image is None else {"image": image}
    classifier = LoadedLater(
        partial(SparseAttentionClassifier.from_record, record), record, choice, quiet
    )
    written = write_rows(
        target,
        lines,
        _gains(classifier),
        job_identity(record, lines, options),
        gained=GAINED,
        description="" if quiet else "Predicting",
    )
    figures = _figures(record, lines, written, classifier.load_seconds)
    if json:
        write_json(as_json(figures, artifact=artifact, output=str(out)))
    elif not quiet:
        tell(told_predictions(figures))
    require_all(target, figures.job.failed_rows, figures.job.rows, skip_bad=skip_bad)


def _read(
    record: ArtifactRecord,
    artifact: str,
    file: str,
    text: str | None,
    label: str | None,
    image: str | None,
    *,
    skip_bad: bool,
) -> Lines[Example]:
    from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier

    if record.method != SparseAttentionClassifier.method:
        raise InputError(
            f"{artifact} is no classifier: it was made by '{record.method}'. For a reward model, "
            f"use: headwise score {artifact} {file}"
        )
    source = open_source(file)
    result = read_examples(
        source,
        text=text,
        label=label,
        image=image_column(image),
        require_label=False,
        skip_bad=skip_bad,
    )
    instruction = str(record.prompt["instruction"])
    result = with_instructed_fields(source.name, result, instruction, skip_bad=skip_bad)
    return lines_of(result, GAINED)


def _gains(
    classifier: LoadedLater[SparseAttentionClassifier],
) -> Callable[[Sequence[Example]], list[Row]]:
    def gains(examples: Sequence[Example]) -> list[Row]:
        with untold_cuts():
            probabilities = classifier.value.predict_proba(examples)
        classes = classifier.value.classes
        return [
            {
                "prediction": classes[int(row.argmax())],
                "probabilities": dict(zip(classes, row.tolist(), strict=True)),
                "truncated": classifier.engine.has_cut(texts_of(example)),
            }
            for example, row in zip(examples, probabilities, strict=True)
        ]

    return gains


def _figures(
    record: ArtifactRecord, lines: Lines[Example], written: Written, load_seconds: float
) -> PredictionFigures:
    classes = record.parameters["classes"]
    known = set(classes) if isinstance(classes, Sequence) else set()
    predictions: Counter[str] = Counter()
    n_labelled = n_right = n_truncated = n_failed = 0
    unknown: Counter[str] = Counter()
    for line, row in zip(lines.lines, written.rows, strict=True):
        if row["prediction"] is None:
            n_failed += 1
            continue
        predictions[str(row["prediction"])] += 1
        n_truncated += bool(row["truncated"])
        if line.item.label is not None:
            n_labelled += 1
            n_right += line.item.label == row["prediction"]
            if line.item.label not in known:
                unknown[line.item.label] += 1
    warn_of_cuts(n_truncated, len(lines.lines))
    if unknown:
        names = ", ".join(repr(name) for name, _ in unknown.most_common(5))
        warn(
            f"{unknown.total()} of {n_labelled} labelled rows have a label that the classifier "
            f"does not know (such as {names}); they count as wrong."
        )
    return PredictionFigures(
        job=JobFigures.of(lines, written, n_truncated, load_seconds, failed_rows=n_failed),
        labelled_rows=n_labelled,
        accuracy=n_right / n_labelled if n_labelled else None,
        unknown_label_rows=unknown.total(),
        predictions=dict(predictions),
    )
