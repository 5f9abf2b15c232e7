"""`headwise inspect`: what an artifact is, and which heads it uses."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwise.cli.console import facts, show, tell, write_json
from headwise.cli.head_map import head_map
from headwise.cli.options import JsonOption, QuietOption

if TYPE_CHECKING:
    from rich.text import Text

    from headwise.artifacts import ArtifactRecord


def inspect(
    artifact: Annotated[
        str, typer.Argument(metavar="DIR", help="A fitted artifact: a folder, or a Hub id.")
    ],
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the heads into an image (.png, .svg, .pdf); needs matplotlib.",
        ),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show what an artifact is, what it was fitted on, and which heads it uses.

    The map has a row for each layer of the model and a column for each head. No model is loaded.
    """
    from headwise.artifacts.source import read_record

    record = read_record(artifact)
    if plot is not None:
        from headwise.cli.head_plot import plot_heads

        plot_heads(record, plot)
    if json:
        write_json(record.to_json())
    else:
        show(_facts(record, artifact), "", head_map(record))
    if plot is not None and not quiet:
        tell(f"Drew the heads into {plot}.")


def _facts(record: ArtifactRecord, artifact: str) -> Text:
    base = record.base_model
    shown = [
        f"{index} {score:.3f}"
        for index, score in zip(record.heads.indices, record.heads.scores, strict=True)
    ]
    values: dict[str, str | None] = {
        "method": record.method,
        "model": base.model_id + (f" at {base.revision}" if base.revision else ""),
        "architecture": f"{base.architecture}, {base.dtype} when fitting",
        **{f"prompt: {name}": _text(value) for name, value in record.prompt.items()},
        **{
            name.replace("_", " "): _text(value)
            for name, value in record.statistics.items()
            if value not in ([], {})
        },
        "versions": ", ".join(f"{name} {number}" for name, number in record.versions.items()),
        "heads and scores": ", ".join(shown),
    }
    return facts(artifact, values)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    return json_format.dumps(value, ensure_ascii=False)
