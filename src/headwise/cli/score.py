"""`headwise score`: the reward of every response of a file, or the margin of every pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from headwise.cli.console import tell, write_json
from headwise.cli.figures import as_json, told_scores
from headwise.cli.models import ModelChoice
from headwise.cli.options import (
    REWARD_HELP,
    ROWS_HELP,
    ChosenOption,
    DeviceOption,
    DtypeOption,
    ImageOption,
    JsonOption,
    OtherModelOption,
    OverwriteOption,
    PromptOption,
    QuietOption,
    RejectedOption,
    RevisionOption,
    RowsOption,
    SkipBadOption,
    image_column,
)
from headwise.cli.rows import Target, require_all
from headwise.cli.score_job import ScoreJob
from headwise.errors import InputError
from headwise.readers import Source, detect_kind, open_source, read_judgements, read_preferences

if TYPE_CHECKING:
    from headwise.artifacts import ArtifactRecord
    from headwise.methods.rewards_folder import RewardsRecord


def score(
    artifact: Annotated[str, typer.Argument(metavar="DIR", help=REWARD_HELP)],
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help=ROWS_HELP),
    ],
    out: RowsOption = None,
    overwrite: OverwriteOption = False,
    prompt: PromptOption = None,
    response: Annotated[
        str | None,
        typer.Option(
            "--response",
            "--completion",
            metavar="COL",
            help="Column of the response to score.",
            rich_help_panel="Data",
        ),
    ] = None,
    chosen: ChosenOption = None,
    rejected: RejectedOption = None,
    image: ImageOption = None,
    skip_bad: SkipBadOption = False,
    model: OtherModelOption = None,
    revision: RevisionOption = None,
    dtype: DtypeOption = None,
    device: DeviceOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Score every response of a file, or every preference pair.

    Rows with a prompt and a response gain `reward`. Preference pairs gain `margin`, the log-odds
    that the chosen response is better, and in the scalar form `reward_chosen` and
    `reward_rejected`; the pair accuracy is counted. All gain `truncated`, which says whether a text
    was too long and was cut. Prompts show the images of their row; a row whose image cannot be
    decoded has an `error` instead, and the others are not lost.

    Of several criteria that were saved together (`Rewards`), rewards and margins are the weighted
    sums, and the column `criteria` has those of each criterion.

    A reward model of the ranked form compares the responses to one prompt with each other, so a
    file of single responses needs two at least for each prompt. Keep those of one prompt together:
    a run can only be gone on with where a prompt ends.
    """
    from headwise.methods.load import read_saved

    target = Target.checked(out, file, overwrite=overwrite, json=json)
    record = read_saved(artifact)
    require_reward_model(record, artifact, file)
    columns = {"prompt": prompt, "response": response, "chosen": chosen, "rejected": rejected}
    columns |= {} if image is None else {"image": image}
    choice = ModelChoice(model, revision, dtype, device)
    job = ScoreJob(record, target, choice, {**columns, "skip_bad": skip_bad, "dtype": dtype}, quiet)
    source = open_source(file)
    if _holds_pairs(source, response, chosen, rejected):
        figures = job.of_pairs(
            read_preferences(
                source,
                prompt=prompt,
                chosen=chosen,
                rejected=rejected,
                image=image_column(image),
                skip_bad=skip_bad,
            )
        )
    else:
        figures = job.of_responses(
            read_judgements(
                source,
                prompt=prompt,
                completion=response,
                image=image_column(image),
                skip_bad=skip_bad,
            )
        )
    if json:
        write_json(as_json(figures, artifact=artifact, output=str(out)))
    elif not quiet:
        tell(told_scores(figures))
    require_all(target, figures.job.failed_rows, figures.job.rows, skip_bad=skip_bad)


def _holds_pairs(
    source: Source, response: str | None, chosen: str | None, rejected: str | None
) -> bool:
    if chosen is not None or rejected is not None:
        if response is not None:
            raise InputError(
                "--response is for single responses, --chosen and --rejected are for pairs; give "
                "one or the other."
            )
        return True
    return response is None and detect_kind(source) == "preferences"


def require_reward_model(record: ArtifactRecord | RewardsRecord, artifact: str, file: str) -> None:
    """Checks that an artifact is a reward model.

    Args:
        record: The artifact; several criteria are one.
        artifact: What the user calls it.
        file: The rows, for the error.

    Raises:
        InputError: Another method made it.
    """
    from headwise.methods.reward_model import RewardModel
    from headwise.methods.rewards_folder import RewardsRecord

    if not isinstance(record, RewardsRecord) and record.method != RewardModel.method:
        raise InputError(
            f"{artifact} is no reward model: it was made by '{record.method}'. For a classifier, "
            f"use: headwise predict {artifact} {file}"
        )
