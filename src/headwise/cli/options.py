"""The options that commands share, and how their texts are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from headwise.cli.engine_choice import EngineKind
from headwise.errors import InputError

_DATA, _MODEL, _OUTPUT = "Data", "Model", "Output"

ROWS_HELP = (
    "JSONL, JSON, CSV, TSV, Parquet, a folder of images, one image, a Hub dataset, or - for stdin."
)
"""What every command that goes over rows reads."""
REWARD_HELP = "A fitted reward model, or several that were saved together: a folder, or a Hub id."
"""What every command that scores takes."""

FolderOption = Annotated[
    Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to save to.")
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="ID",
        help="Hub id or folder of the model; the embedded SmolLM2-135M where left out, and with "
        "embedded-vision a small one that sees drawn scenes.",
        rich_help_panel=_MODEL,
    ),
]
OtherModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="ID",
        help="Where the model is now, if not where it was when fitting; it must be the same.",
        rich_help_panel=_MODEL,
    ),
]
RevisionOption = Annotated[
    str | None,
    typer.Option(
        metavar="REF", help="Commit, branch or tag of a Hub model.", rich_help_panel=_MODEL
    ),
]
DtypeOption = Annotated[
    str | None,
    typer.Option(
        metavar="TYPE",
        help="float32, bfloat16, float16 or auto; by device where left out.",
        rich_help_panel=_MODEL,
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        metavar="DEVICE",
        help="cpu, cuda, cuda:1 or auto (all GPUs); a GPU where there is one if left out.",
        rich_help_panel=_MODEL,
    ),
]
EngineOption = Annotated[
    EngineKind,
    typer.Option(
        help="Where the model runs: here, or on any OpenAI-compatible server (vLLM, llama.cpp, "
        "transformers serve, hosted). Its key is read from $OPENAI_API_KEY.",
        rich_help_panel=_MODEL,
    ),
]
BaseUrlOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The server, such as http://localhost:8000/v1; $OPENAI_BASE_URL if left out.",
        rich_help_panel=_MODEL,
    ),
]
ConcurrencyOption = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Requests at a time (8); openai.", rich_help_panel=_MODEL
    ),
]
TextOption = Annotated[
    str | None,
    typer.Option(metavar="COL", help="Column of the text.", rich_help_panel=_DATA),
]
LabelOption = Annotated[
    str | None,
    typer.Option(metavar="COL", help="Column of the label.", rich_help_panel=_DATA),
]
ImageOption = Annotated[
    str | None,
    typer.Option(
        "--image",
        metavar="COL",
        help="Column of the image, or of a list of images or video frames: paths beside the file, "
        "or data URLs. Found by its name (image, images, video, frames) where left out; none "
        "reads no images.",
        rich_help_panel=_DATA,
    ),
]
PromptOption = Annotated[
    str | None,
    typer.Option(metavar="COL", help="Column of the prompt.", rich_help_panel=_DATA),
]
ChosenOption = Annotated[
    str | None,
    typer.Option(metavar="COL", help="Column of the better response.", rich_help_panel=_DATA),
]
RejectedOption = Annotated[
    str | None,
    typer.Option(metavar="COL", help="Column of the worse response.", rich_help_panel=_DATA),
]
SkipBadOption = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Leave out rows that cannot be read, and count them.",
        rich_help_panel=_DATA,
    ),
]
SystemOption = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help=r"System turn before the user's; \n is a line break."),
]
HeadsOption = Annotated[
    str | None,
    typer.Option(
        metavar="N|auto", help="How many heads to keep (20), or auto: by cross-validation."
    ),
]
SelectorOption = Annotated[
    Literal[
        "auto",
        "descent",
        "attribution",
        "attribution-reinforce",
        "reinforce",
        "variance-reduced",
    ]
    | None,
    typer.Option(
        help="How heads to steer are chosen: by gradients (descent, attribution), by trying random "
        "masks (reinforce, variance-reduced), or by both; auto is descent where the model gives "
        "gradients. Task vectors: auto; reward models: reinforce."
    ),
]
EpochsOption = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Steps of the choice of heads to steer."),
]
PaperOption = Annotated[
    bool,
    typer.Option("--paper", help="The published procedure; options given beside it still count."),
]
MaxTextTokensOption = Annotated[
    int | None,
    typer.Option(metavar="N", min=8, help="Cut longer texts in the middle; cuts are counted."),
]
SeedOption = Annotated[int, typer.Option(metavar="N", min=0, help="Seed of every random choice.")]
RowsOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="OUT",
        help="File for the rows, as JSON Lines; an interrupted run is gone on with. "
        "Stdout where left out, or where it is -.",
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace OUT instead of going on with it.")
]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json", help="Print the figures as one JSON object on stdout.", rich_help_panel=_OUTPUT
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Say nothing but warnings and errors.", rich_help_panel=_OUTPUT
    ),
]


def image_column(text: str | None) -> str | Literal[False] | None:
    """Reads `--image`: the name of a column, or `none`."""
    return False if text == "none" else text


def heads_count(text: str) -> int | Literal["auto"]:
    """Reads `--heads`.

    Args:
        text: A number, or `auto`.

    Returns:
        How many heads.

    Raises:
        InputError: It is neither.
    """
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--heads is a positive number or auto; got {text!r}.")
    return int(text)


def with_line_breaks(text: str) -> str:
    r"""Reads a prompt option: backslash and n, which shells pass on as they are, is a newline."""
    return text.replace("\\n", "\n")
