"""`headwise fit reward`: a reward model from a few preference pairs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from headwise.cli.console import warn
from headwise.cli.figures import percent
from headwise.cli.fit_summary import check_folder, save, tell_fit
from headwise.cli.inputs import drawn, texts_of, warn_of_bad_rows, with_sound_images
from headwise.cli.models import ModelChoice, load_engine
from headwise.cli.options import (
    ChosenOption,
    DeviceOption,
    DtypeOption,
    EpochsOption,
    FolderOption,
    HeadsOption,
    ImageOption,
    JsonOption,
    MaxTextTokensOption,
    ModelOption,
    PaperOption,
    PromptOption,
    QuietOption,
    RejectedOption,
    RevisionOption,
    SeedOption,
    SelectorOption,
    SkipBadOption,
    SystemOption,
    heads_count,
    image_column,
    with_line_breaks,
)
from headwise.cli.selectors import chosen_selector
from headwise.examples import Judgement, Preference
from headwise.readers import ReadResult, detect_kind, open_source, read_judgements, read_preferences

if TYPE_CHECKING:
    from headwise.methods.activation_reward import ActivationRewardModel
    from headwise.methods.reward_model import RewardModel
    from headwise.selection.named import Selector


def fit_reward(
    prefs: Annotated[
        str,
        typer.Argument(
            metavar="PREFS",
            help="Preference pairs (prompt, chosen, rejected), or single responses with a "
            "true/false label, perhaps with images: JSONL, JSON, CSV, TSV, Parquet, a Hub dataset, "
            "or - for stdin.",
        ),
    ],
    out: FolderOption,
    criterion: Annotated[
        str,
        typer.Option(
            metavar="TEXT", help="What a good response does, such as: The answer is correct."
        ),
    ],
    form: Annotated[
        Literal["scalar", "ranked"],
        typer.Option(help="Judge each response alone (scalar), or compare two (ranked)."),
    ] = "scalar",
    readout: Annotated[
        Literal["auto", "steered", "sparse"] | None,
        typer.Option(help="How rewards are read off the heads; auto takes what predicts best."),
    ] = None,
    extraction: Annotated[
        Literal["open", "positive", "in_context"] | None,
        typer.Option(help="What the steered heads' means are taken over."),
    ] = None,
    selector: SelectorOption = None,
    epochs: EpochsOption = None,
    heads: HeadsOption = None,
    paper: PaperOption = False,
    system: SystemOption = None,
    max_text_tokens: MaxTextTokensOption = None,
    prompt: PromptOption = None,
    chosen: ChosenOption = None,
    rejected: RejectedOption = None,
    image: ImageOption = None,
    pairs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Draw N pairs (of single responses: N good and N bad ones).",
            rich_help_panel="Data",
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
    """Fit a reward model on a few preference pairs.

    A search finds the attention heads that know which response meets the criterion (Activation
    Reward Models, arXiv:2507.01368); the model itself is left as it is.
    """
    given = {
        "readout": readout,
        "extraction": extraction,
        "n_heads": None if heads is None else heads_count(heads),
        "system": None if system is None else with_line_breaks(system),
        "max_text_tokens": max_text_tokens,
    }
    check_folder(out)
    search = chosen_selector(selector, "reinforce", paper=paper, epochs=epochs, seed=seed)
    method = _method(criterion, form, paper, search, seed, given)
    support = _read(prefs, prompt, chosen, rejected, image, pairs, seed, skip_bad=skip_bad)
    engine = load_engine(ModelChoice(model, revision, dtype, device), quiet=quiet)
    started = time.perf_counter()
    reward_model = method.fit(engine.as_engine, support.items, progress=not quiet)
    seconds = time.perf_counter() - started
    save(reward_model, out)
    figures = {
        "criterion": criterion,
        "form": form,
        "readout": reward_model.readout,
        "pairs": reward_model.statistics["n_pairs"],
        "judgements": reward_model.statistics["n_judgements"],
        "held_out_accuracy": reward_model.statistics["held_out_accuracy"],
        "truncated_rows": sum(engine.has_cut(texts_of(item)) for item in support.items),
        "bad_rows": len(support.bad),
        "seconds": round(seconds, 3),
    }
    _warn_of_notes(reward_model)
    summary = {**_summary(reward_model), "time": f"{seconds:.1f} s"}
    next_step = {"next": f"headwise score {out} FILE"}
    tell_fit(
        reward_model.to_record(), out, figures, {**summary, **next_step}, json=json, quiet=quiet
    )


def _method(
    criterion: str,
    form: Literal["scalar", "ranked"],
    paper: bool,
    selector: Selector,
    seed: int,
    given: dict[str, Any],
) -> ActivationRewardModel:
    from headwise.methods.activation_reward import ActivationRewardModel

    if paper:
        method = ActivationRewardModel.paper(criterion, form=form, seed=seed)
    else:
        method = ActivationRewardModel(criterion, form, seed=seed)
    options = {name: value for name, value in given.items() if value is not None}
    return replace(method, selector=selector, **options)


def _read(
    prefs: str,
    prompt: str | None,
    chosen: str | None,
    rejected: str | None,
    image: str | None,
    pairs: int | None,
    seed: int,
    *,
    skip_bad: bool,
) -> ReadResult[Preference] | ReadResult[Judgement]:
    source = open_source(prefs)
    named = chosen is not None or rejected is not None
    if not named and detect_kind(source) == "judgements":
        judged = read_judgements(
            source,
            prompt=prompt,
            image=image_column(image),
            require_label=True,
            skip_bad=skip_bad,
        )
        warn_of_bad_rows(judged)
        labels = [judgement.label for judgement in judged.items]
        judged = judged if pairs is None else drawn(judged, labels, pairs, seed)
        return with_sound_images(source.name, judged, skip_bad=skip_bad)
    read = read_preferences(
        source,
        prompt=prompt,
        chosen=chosen,
        rejected=rejected,
        image=image_column(image),
        skip_bad=skip_bad,
    )
    warn_of_bad_rows(read)
    read = read if pairs is None else drawn(read, [None] * len(read), pairs, seed)
    return with_sound_images(source.name, read, skip_bad=skip_bad)


def _warn_of_notes(model: RewardModel) -> None:
    notes = model.statistics.get("notes")
    for note in notes if isinstance(notes, Sequence) else ():
        warn(str(note))


def _summary(model: RewardModel) -> dict[str, str | None]:
    n_pairs, n_single = model.statistics["n_pairs"], model.statistics["n_judgements"]
    accuracies = model.statistics["held_out_accuracy"]
    found = accuracies.get(model.readout) if isinstance(accuracies, dict) else None
    return {
        "criterion": model.criterion,
        "form": f"{model.form}, {model.readout} readout",
        "examples": f"{n_pairs} pairs" + (f", {n_single} single responses" if n_single else ""),
        "held-out accuracy": percent(
            found if isinstance(found, float) else None, "by cross-validation on the examples"
        ),
    }
