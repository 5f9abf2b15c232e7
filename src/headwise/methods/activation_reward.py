"""Activation Reward Models: a reward model from a few preference pairs, by chosen heads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from headwise.artifacts.json_value import JSON
from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Judgement, Preference, check_preferences
from headwise.heads import HeadActivations
from headwise.methods.reward_extraction import Extraction
from headwise.methods.reward_fitting import (
    FittedSparse,
    FittedSteered,
    fit_sparse,
    fit_steered,
)
from headwise.methods.reward_model import RewardModel
from headwise.methods.reward_readouts import ReadoutWeights
from headwise.methods.reward_support import JudgedSupport, ranked_support, scalar_support
from headwise.methods.truncation import TextCutter
from headwise.prompts.reward import Form, RewardPrompt
from headwise.selection.reinforce import Reinforce

Readout = Literal["auto", "steered", "sparse"]


@dataclass(frozen=True, slots=True)
class ActivationRewardModel:
    """A few-shot reward model from chosen attention heads of a frozen model.

    Args:
        criterion: What a good response does, as a sentence, such as `"The answer is correct."`.
        form: `"scalar"` judges each response with Yes or No; `"ranked"` compares two, in both
            orders.
        readout: `"steered"` reads the judgement's likelihood with the chosen heads replaced by
            their means, as published. `"sparse"` reads the margin of a few heads' centroids.
            `"auto"` takes whichever predicts held-out support pairs best, or both together.
        extraction: What the means are taken over: `"open"`, all support conversations;
            `"positive"`, those of good responses; `"in_context"`, prompts that show judged ones.
        shots_per_prompt: Judged examples in a prompt of the `"in_context"` extraction.
        n_prompts: Prompts of the `"in_context"` extraction.
        n_heads: Heads of the sparse readout, or `"auto"` to choose by cross-validation.
        search: How the steered heads are found.
        among_answers: Whether the search compares the right answer with the other answer only;
            False compares it with the whole vocabulary, as published.
        system: A system turn before the question.
        max_text_tokens: Longer turns and responses are cut in the middle, counted and reported.
        seed: Seed of folds and draws; the search has its own.

    Raises:
        InputError: A parameter is out of range.

    Source: arXiv:2507.01368; `paper()` gives the published procedure. The sparse readout, the
    combination, the calibration and the loss among answers are ours.
    """

    criterion: str
    form: Form = "scalar"
    readout: Readout = "auto"
    extraction: Extraction = "open"
    shots_per_prompt: int = 4
    n_prompts: int = 40
    n_heads: int | Literal["auto"] = 20
    search: Reinforce = field(default_factory=Reinforce)
    among_answers: bool = True
    system: str | None = None
    max_text_tokens: int = 1_024
    seed: int = 0

    def __post_init__(self) -> None:
        RewardPrompt(self.criterion, self.form, self.system)
        if self.readout not in ("auto", "steered", "sparse"):
            raise InputError(f"readout is 'auto', 'steered' or 'sparse'; got {self.readout!r}.")
        if self.extraction not in ("open", "positive", "in_context"):
            raise InputError(
                f"extraction is 'open', 'positive' or 'in_context'; got {self.extraction!r}."
            )
        if self.n_heads != "auto" and (not isinstance(self.n_heads, int) or self.n_heads < 1):
            raise InputError(f"n_heads is a positive number or 'auto'; got {self.n_heads!r}.")
        if self.shots_per_prompt < 1 or self.n_prompts < 1:
            raise InputError("shots_per_prompt and n_prompts must be 1 at least.")

    @classmethod
    def paper(
        cls, criterion: str, *, form: Form = "scalar", seed: int = 0
    ) -> ActivationRewardModel:
        """The published procedure: steered readout, 600 epochs of 32 masks, whole vocabulary."""
        return cls(
            criterion=criterion,
            form=form,
            readout="steered",
            extraction="open",
            search=Reinforce.paper(seed=seed),
            among_answers=False,
            seed=seed,
        )

    def fit(
        self,
        engine: Engine,
        preferences: Sequence[Preference | Judgement],
        *,
        progress: bool = False,
    ) -> RewardModel:
        """Finds the heads that know which response is better.

        Args:
            engine: The frozen model.
            preferences: Preference pairs, or single judged responses; one pair is enough.
            progress: Whether to show progress bars on stderr.

        Returns:
            The reward model.

        Raises:
            InputError: No preferences, or good (or bad) ones only.
            ActivationError: The model produced NaN or infinite activations.
        """
        started = time.perf_counter()
        prompt = RewardPrompt(self.criterion, self.form, self.system)
        cutter = TextCutter(engine, self.max_text_tokens)
        build = scalar_support if self.form == "scalar" else ranked_support
        support = build(preferences, prompt, cutter)
        cutter.report("prompts or responses", "max_text_tokens")
        activations = engine.capture(support.conversations, progress=progress)
        sparse = None
        if self.readout != "steered":
            sparse = fit_sparse(activations, support, self.n_heads, self.seed)
        steered = None
        if self.readout != "sparse":
            steered = self._fit_steered(engine, prompt, support, activations, progress)
        weights, statistics = _weigh(sparse, steered)
        pairs = [p for p in preferences if isinstance(p, Preference)]
        return RewardModel(
            engine=engine,
            prompt=prompt,
            max_text_tokens=self.max_text_tokens,
            sparse=sparse.readout if sparse is not None and weights.sparse else None,
            steering=steered.steering if steered is not None and weights.steered else None,
            weights=weights,
            parameters=asdict(self),
            statistics={
                "n_pairs": len(pairs),
                "n_judgements": len(preferences) - len(pairs),
                "notes": list(check_preferences(pairs).messages),
                "truncated_texts": cutter.n_texts,
                "fit_seconds": round(time.perf_counter() - started, 1),
                **statistics,
            },
            fingerprint=engine.fingerprint,
            layout=engine.layout,
        )

    def _fit_steered(
        self,
        engine: Engine,
        prompt: RewardPrompt,
        support: JudgedSupport,
        activations: HeadActivations,
        progress: bool,
    ) -> FittedSteered:
        return fit_steered(
            engine,
            prompt,
            support,
            activations,
            search=self.search,
            extraction=self.extraction,
            shots_per_prompt=self.shots_per_prompt,
            n_prompts=self.n_prompts,
            among_answers=self.among_answers,
            cross_fitted=self.readout == "auto",
            seed=self.seed,
            progress=progress,
        )


def _weigh(
    sparse: FittedSparse | None, steered: FittedSteered | None
) -> tuple[ReadoutWeights, dict[str, JSON]]:
    """Chooses readouts by held-out log-loss, and scales them to log-odds."""
    candidates = {}
    if sparse is not None:
        candidates["sparse"] = sparse.held_out
    if steered is not None:
        candidates["steered"] = steered.held_out
    if sparse is not None and steered is not None:
        candidates["combined"] = sparse.held_out.plus(steered.held_out)
    # On equal terms the combination comes first: two views err less than one.
    order = sorted(candidates, key=("combined", "steered", "sparse").index)
    best = min(order, key=lambda name: candidates[name].log_loss())
    chosen = candidates[best]
    scale = chosen.scale()
    weights = ReadoutWeights(sparse=0.0, steered=0.0)
    if sparse is not None and best != "steered":
        share = scale / sparse.held_out.spread if best == "combined" else scale
        weights = replace(weights, sparse=share, sparse_offset=sparse.held_out.middle)
    if steered is not None and best != "sparse":
        share = scale / steered.held_out.spread if best == "combined" else scale
        weights = replace(weights, steered=share, steered_offset=steered.held_out.middle)
    accuracies: dict[str, JSON] = {
        name: round(value.accuracy, 4) if len(value.contrasts) else None
        for name, value in candidates.items()
    }
    return weights, {"readout": best, "held_out_accuracy": accuracies}
