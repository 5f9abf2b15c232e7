"""`headwise label`: ranks the completions of each prompt, and writes preference pairs for TRL."""

from __future__ import annotations

from typing import Annotated

import typer

from headwise.cli.console import tell, write_json
from headwise.cli.label_job import LabelJob, as_label_json, told_labels
from headwise.cli.models import ModelChoice
from headwise.cli.options import (
    REWARD_HELP,
    ROWS_HELP,
    DeviceOption,
    DtypeOption,
    ImageOption,
    JsonOption,
    OtherModelOption,
    OverwriteOption,
    PromptOption,
    QuietOption,
    RevisionOption,
    RowsOption,
    SkipBadOption,
    image_column,
)
from headwise.cli.rows import Target, require_all
from headwise.cli.score import require_reward_model
from headwise.readers import open_source
from headwise.readers.candidates import read_candidates


def label(
    artifact: Annotated[str, typer.Argument(metavar="DIR", help=REWARD_HELP)],
    file: Annotated[str, typer.Argument(metavar="FILE", help=ROWS_HELP)],
    out: RowsOption = None,
    overwrite: OverwriteOption = False,
    min_margin: Annotated[
        float,
        typer.Option(
            "--min-margin",
            metavar="X",
            min=0.0,
            help="Leave out prompts whose best and worst completion differ by less, in log-odds.",
        ),
    ] = 0.0,
    prompt: PromptOption = None,
    completions: Annotated[
        str | None,
        typer.Option(
            metavar="COL", help="Column of the list of completions.", rich_help_panel="Data"
        ),
    ] = None,
    response: Annotated[
        str | None,
        typer.Option(
            "--response",
            "--completion",
            metavar="COL",
            help="Column of the completion, where each row has one.",
            rich_help_panel="Data",
        ),
    ] = None,
    image: ImageOption = None,
    skip_bad: SkipBadOption = False,
    model: OtherModelOption = None,
    revision: RevisionOption = None,
    dtype: DtypeOption = None,
    device: DeviceOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make preference pairs of unlabelled completions, for DPO.

    Each row has a prompt and a list of completions, or a prompt and one completion; rows of one
    prompt are ranked together. Each prompt gives one row in TRL's preference format: `prompt`,
    `chosen` (the completion with the highest reward), `rejected` (the lowest), and `margin`. Chat
    messages stay chat messages. Prompts whose completions tie give none.

    The rewards of all completions are kept beside OUT, in OUT.rewards.jsonl: an interrupted run is
    gone on with, and another --min-margin needs no model. Keep completions of one prompt together.
    """
    from headwise.methods.load import read_saved

    target = Target.checked(out, file, overwrite=overwrite, json=json)
    record = read_saved(artifact)
    require_reward_model(record, artifact, file)
    columns = {"prompt": prompt, "completions": completions, "response": response}
    columns |= {} if image is None else {"image": image}
    result = read_candidates(
        open_source(file),
        prompt=prompt,
        completions=completions,
        completion=response,
        image=image_column(image),
        skip_bad=skip_bad,
    )
    job = LabelJob(
        record=record,
        target=target,
        choice=ModelChoice(model, revision, dtype, device),
        options={**columns, "skip_bad": skip_bad, "dtype": dtype},
        min_margin=min_margin,
        quiet=quiet,
    )
    figures = job.run(result)
    if json:
        write_json(as_label_json(figures, artifact=artifact, output=str(out)))
    elif not quiet:
        tell(told_labels(figures))
    require_all(target, figures.job.failed_rows, figures.job.rows, skip_bad=skip_bad)
