"""Activation Reward Models: a reward model from a few preference pairs, by chosen heads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Judgement, Preference, check_preferences, images_of
from headwise.heads import HeadActivations
from headwise.methods.reward_choice import ChosenReadout, choose_readout
from headwise.methods.reward_extraction import Extraction
from headwise.methods.reward_fitting import SteeredFitting, fit_sparse
from headwise.methods.reward_model import RewardModel
from headwise.methods.reward_support import JudgedSupport, ranked_support, scalar_support
from headwise.methods.truncation import TextCutter, check_budget
from headwise.prompts.reward import Form, RewardPrompt
from headwise.selection.named import (
    Selector,
    check_selector,
    head_search,
    selector_settings,
)
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
            `"auto"` takes whichever predicts held-out support pairs best, or both together; with
            fewer than four pairs, too few to hold out, the sparse one.
        extraction: What the means are taken over: `"open"`, all support conversations;
            `"positive"`, those of good responses; `"in_context"`, prompts that show judged ones.
        shots_per_prompt: Judged examples in a prompt of the `"in_context"` extraction.
        n_prompts: Prompts of the `"in_context"` extraction.
        n_heads: Heads of the sparse readout, or `"auto"` to choose by cross-validation.
        selector: How the steered heads are chosen: a head search, or the name of one with this
            seed; see `head_search`.
        among_answers: Whether the search compares the right answer with the other answer only;
            False compares it with the whole vocabulary, as published.
        pairs_together: Whether each epoch of the search tries its masks on both responses of a
            pair, so that a liking for Yes cannot pass for judgement; False takes one response an
            epoch, as published.
        system: A system turn before the question.
        max_text_tokens: Longer turns and responses are cut in the middle, counted and reported.
        seed: Seed of folds and draws, and of a selector that is named; one that is given has its
            own.

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
    selector: Selector = "reinforce"
    among_answers: bool = True
    pairs_together: bool = True
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
        check_selector(self.selector)
        check_budget(self.max_text_tokens)
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
            selector=Reinforce.paper(seed=seed),
            among_answers=False,
            pairs_together=False,
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
            preferences: Preference pairs, or single judged responses; one pair is enough. Prompts
                and responses may show pictures.
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
        steered = self._steered_fitting(engine, prompt, support, activations, progress)
        chosen = self._choose(activations, support, steered)
        pairs = [p for p in preferences if isinstance(p, Preference)]
        n_images = sum(len(images_of(preference)) for preference in preferences)
        return RewardModel(
            engine=engine,
            prompt=prompt,
            max_text_tokens=self.max_text_tokens,
            sparse=chosen.sparse,
            steering=chosen.steering,
            weights=chosen.weights,
            parameters=self._settings(),
            statistics={
                "n_pairs": len(pairs),
                "n_judgements": len(preferences) - len(pairs),
                "notes": list(check_preferences(pairs).messages),
                "truncated_texts": cutter.n_texts,
                **({"n_images": n_images} if n_images else {}),
                "fit_seconds": round(time.perf_counter() - started, 1),
                **chosen.statistics,
            },
            fingerprint=engine.fingerprint,
            layout=engine.layout,
        )

    def _settings(self) -> dict[str, Any]:
        # The selector may be anybody's object, so asdict must not look into it.
        named = asdict(replace(self, selector="auto"))
        return {**named, "selector": selector_settings(self.selector)}

    def _steered_fitting(
        self,
        engine: Engine,
        prompt: RewardPrompt,
        support: JudgedSupport,
        activations: HeadActivations,
        progress: bool,
    ) -> SteeredFitting:
        return SteeredFitting(
            engine=engine,
            prompt=prompt,
            support=support,
            activations=activations,
            search=head_search(self.selector, engine, self.seed),
            extraction=self.extraction,
            shots_per_prompt=self.shots_per_prompt,
            n_prompts=self.n_prompts,
            among_answers=self.among_answers,
            pairs_together=self.pairs_together,
            seed=self.seed,
            progress=progress,
        )

    def _choose(
        self, activations: HeadActivations, support: JudgedSupport, steered: SteeredFitting
    ) -> ChosenReadout:
        if self.readout == "steered":
            steering = steered.find_on_all()
            return choose_readout(None, steered.in_sample(steering), lambda: steering)
        sparse = fit_sparse(activations, support, self.n_heads, self.seed)
        if self.readout == "sparse" or not steered.can_hold_out():
            return choose_readout(sparse, None, steered.find_on_all)
        return choose_readout(sparse, steered.held_out(), steered.find_on_all)
