"""The fitted reward model: frozen, scores responses, saves and loads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headwise.artifacts import Artifact, ArtifactRecord
from headwise.artifacts.fields import Fields
from headwise.artifacts.json_value import JSON
from headwise.content import Content, ImageLike, as_images
from headwise.engines.base import Engine, ModelFingerprint
from headwise.errors import InputError
from headwise.examples import Preference, Prompt, Response, prompt_with_images
from headwise.heads import HeadLayout, HeadSet, Steering
from headwise.methods.reward_asking import ask, ask_pairs
from headwise.methods.reward_details import RewardDetails
from headwise.methods.reward_function import RewardFunction
from headwise.methods.reward_inputs import ImagesOfRows, check_rows, prompts_shown
from headwise.methods.reward_judging import Judgements, Questions, judge
from headwise.methods.reward_readouts import ReadoutWeights
from headwise.methods.reward_record import (
    reward_heads,
    reward_tensors,
    sparse_from_record,
    steered_pairs,
    steering_from_record,
    weights_from_record,
)
from headwise.methods.truncation import TextCutter
from headwise.prompts.conversation import Conversation
from headwise.prompts.reward import Form, RewardPrompt
from headwise.selection.directions import DirectionReadout

ResponseT = TypeVar("ResponseT", bound=Content)

_NAME_WORDS = 6


@dataclass(frozen=True, eq=False)
class RewardModel(Artifact):
    """A few-shot reward model; made by `ActivationRewardModel.fit`.

    Rewards are log-odds, calibrated on held-out support. In the scalar form 0 is undecided, and the
    difference of two responses' rewards is the log-odds that the first is better; in the ranked
    form a reward is the mean log-odds of being better than the other responses to the prompt.

    Args:
        engine: The frozen model.
        prompt: How responses are judged.
        max_text_tokens: Longer prompts' turns and responses are cut in the middle.
        sparse: The sparse heads; None where the readout does not use them.
        steering: The steered heads; None where the readout does not use them.
        weights: How the readouts are put together.
        parameters: The settings it was fitted with.
        statistics: What is known of the fit.
        fingerprint: The model it was fitted on.
        layout: The heads of that model.
    """

    engine: Engine
    prompt: RewardPrompt
    max_text_tokens: int
    sparse: DirectionReadout | None
    steering: Steering | None
    weights: ReadoutWeights
    parameters: Mapping[str, JSON]
    statistics: Mapping[str, JSON]
    fingerprint: ModelFingerprint
    layout: HeadLayout

    method: ClassVar[str] = "activation-reward"

    def __repr__(self) -> str:
        return (
            f"RewardModel({self.prompt.criterion!r}, form={self.prompt.form!r}, "
            f"readout={self.readout!r}, {len(self.heads)} heads of {self.fingerprint.model_id})"
        )

    @property
    def __name__(self) -> str:
        """What trainers call it in their metrics: the criterion as one word."""
        words = re.findall(r"[a-z0-9]+", self.criterion.lower())
        return "_".join(words[:_NAME_WORDS]) or "reward"

    def __call__(
        self, prompts: Sequence[object], completions: Sequence[object], **columns: Any
    ) -> list[float]:
        """Rewards as TRL asks for them; see `RewardFunction.__call__`."""
        return self.as_trl()(prompts, completions, **columns)

    def as_trl(self, *, name: str | None = None) -> RewardFunction:
        """A reward function for TRL's `GRPOTrainer` and `RLOOTrainer`.

        The reward model itself is one too; this one has a name of your own and can be pickled.

        Args:
            name: What the trainer calls it in its metrics; the criterion as one word where None.

        Returns:
            The function.
        """
        return RewardFunction(self, name=name or self.__name__)

    @property
    def criterion(self) -> str:
        """What a good response does."""
        return self.prompt.criterion

    @property
    def form(self) -> Form:
        """Whether one response is judged, or two are compared."""
        return self.prompt.form

    @property
    def readout(self) -> str:
        """Which readouts are used: `"sparse"`, `"steered"` or `"combined"`."""
        if self.sparse is not None and self.steering is not None:
            return "combined"
        return "sparse" if self.sparse is not None else "steered"

    @property
    def heads(self) -> HeadSet:
        """Every head in use: the sparse heads, then those only steered."""
        return reward_heads(self.sparse, self.steering)

    def score(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[Response],
        images: ImagesOfRows = None,
        *,
        progress: bool = False,
    ) -> NDArray[np.float64]:
        """The reward of each response.

        In the ranked form a response is compared with every other response to the same prompt, and
        its reward is the mean log-odds that it is the better one.

        Args:
            prompts: `n` prompts, strings or chat messages; messages may show pictures themselves,
                as TRL gives them.
            responses: `n` responses, texts or tuples of texts and Images.
            images: `n` lists of pictures, one a row (or one picture, or None), that the prompts
                show beside their text; see `prompt_with_images`.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n,)` float64 rewards; higher is better.

        Raises:
            InputError: Other numbers of prompts, responses and images; or, in the ranked form, a
                prompt with one response only.
        """
        return self.score_each(prompts, responses, images, progress=progress).rewards

    def score_each(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[Response],
        images: ImagesOfRows = None,
        *,
        progress: bool = False,
    ) -> RewardDetails:
        """The reward of each response with what it was made of; see `score`.

        Returns:
            The rewards, the readouts and which texts were cut.

        Raises:
            InputError: As for `score`.
        """
        check_rows(prompts, responses)
        cutter = TextCutter(self.engine, self.max_text_tokens)
        asked = ask(self.prompt, prompts_shown(prompts, images), responses, cutter)
        details = RewardDetails.of(asked, self._judge(asked.conversations, progress))
        cutter.report("prompts or responses", "max_text_tokens")
        return details

    def prefer(
        self,
        prompts: Sequence[Prompt] | str,
        first: Sequence[Response] | str,
        second: Sequence[Response] | str,
        images: ImagesOfRows = None,
        *,
        progress: bool = False,
    ) -> NDArray[np.float64]:
        """The probability that the first response is better than the second.

        Args:
            prompts: `n` prompts; or one prompt as a string.
            first: `n` responses; or one.
            second: `n` responses; or one.
            images: `n` lists of pictures, one a row; of one prompt as a string, its pictures.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n,)` float64 probabilities.

        Raises:
            InputError: The three lengths differ.
        """
        questions = [prompts] if isinstance(prompts, str) else list(prompts)
        a = [first] if isinstance(first, str) else list(first)
        b = [second] if isinstance(second, str) else list(second)
        if not len(questions) == len(a) == len(b):
            raise InputError(
                f"prefer needs as many prompts as responses; got {len(questions)} prompts, "
                f"{len(a)} first and {len(b)} second responses."
            )
        of_one = isinstance(prompts, str) and images is not None
        rows: ImagesOfRows = [as_images(images)] if of_one else images
        log_odds = self._log_odds(prompts_shown(questions, rows), a, b, progress)
        return torch.sigmoid(log_odds).numpy()

    def margins(
        self, preferences: Sequence[Preference], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Log-odds that the chosen response is better than the rejected one.

        Args:
            preferences: `n` pairs.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n,)` float64; positive where the model agrees with the preference.
        """
        questions = [pair.shown_prompt for pair in preferences]
        chosen = [pair.chosen for pair in preferences]
        rejected = [pair.rejected for pair in preferences]
        return self._log_odds(questions, chosen, rejected, progress).numpy()

    @property
    def shows_order(self) -> bool:
        """Whether responses are shown one after the other: in the ranked form."""
        return self.form == "ranked"

    def ordered_margins(
        self, preferences: Sequence[Preference], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Log-odds that the chosen response is better, in each order; their sum is the margin.

        Args:
            preferences: `n` pairs.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n, 2)` float64: with the chosen response shown first, and with it shown second.

        Raises:
            InputError: The form is scalar, in which responses are not shown together.
        """
        if not self.shows_order:
            raise InputError("Only the ranked form shows responses in an order; this is scalar.")
        cutter = TextCutter(self.engine, self.max_text_tokens)
        questions = [pair.shown_prompt for pair in preferences]
        chosen = [pair.chosen for pair in preferences]
        rejected = [pair.rejected for pair in preferences]
        asked = ask_pairs(self.prompt, questions, chosen, rejected, cutter)
        cutter.report("prompts or responses", "max_text_tokens")
        return asked.of_orders(self._judge(asked.conversations, progress).values).double().numpy()

    def accuracy(self, preferences: Sequence[Preference], *, progress: bool = False) -> float:
        """Share of pairs in which the chosen response wins; a tie is half.

        Raises:
            InputError: There are no pairs.
        """
        if not preferences:
            raise InputError("accuracy needs one preference pair at least.")
        margins = self.margins(preferences, progress=progress)
        return float(np.mean((margins > 0) + 0.5 * (margins == 0)))

    def rank(
        self, prompt: Prompt, responses: Sequence[Response], images: Sequence[ImageLike] = ()
    ) -> list[int]:
        """Positions of the responses from best to worst; equals keep their order.

        Args:
            prompt: One prompt.
            responses: Its responses.
            images: Pictures that the prompt shows beside its text.

        Returns:
            A permutation of `range(len(responses))`.
        """
        if len(responses) < 2:
            return list(range(len(responses)))
        shown = prompt_with_images(prompt, as_images(images))
        rewards = self.score([shown] * len(responses), responses)
        return [int(i) for i in np.argsort(-rewards, kind="stable")]

    def best_of_n(
        self, prompt: Prompt, responses: Sequence[ResponseT], images: Sequence[ImageLike] = ()
    ) -> ResponseT:
        """The best of several responses; of equals the first.

        Args:
            prompt: One prompt.
            responses: Its responses.
            images: Pictures that the prompt shows beside its text.

        Returns:
            One of the responses.

        Raises:
            InputError: There are no responses.
        """
        if not responses:
            raise InputError("best_of_n needs one response at least.")
        return responses[self.rank(prompt, responses, images)[0]]

    def to_record(self) -> ArtifactRecord:
        """All that is needed to have this reward model again."""
        return ArtifactRecord(
            method=self.method,
            parameters={
                "settings": dict(self.parameters),
                "max_text_tokens": self.max_text_tokens,
                "weights": asdict(self.weights),
                "n_sparse_heads": len(self.sparse.heads) if self.sparse else 0,
                "steered_positions": self.steering.positions if self.steering else None,
                "steered_heads": [
                    {"layer": index.layer, "head": index.head, "score": score}
                    for index, score in steered_pairs(self.steering)
                ],
            },
            base_model=self.fingerprint,
            layout=self.layout,
            heads=self.heads,
            prompt=asdict(self.prompt),
            statistics=dict(self.statistics),
            tensors=reward_tensors(self.sparse, self.steering),
        )

    @classmethod
    def from_record(cls, record: ArtifactRecord, engine: Engine) -> Self:
        """The reward model that `to_record` described; see `Artifact.from_record`."""
        prompt = Fields(record.prompt, "prompt")
        parameters = Fields(record.parameters, "parameters")
        form: Form = "ranked" if prompt.text("form") == "ranked" else "scalar"
        return cls(
            engine=engine,
            prompt=RewardPrompt(prompt.text("criterion"), form, prompt.optional_text("system")),
            max_text_tokens=parameters.integer("max_text_tokens", minimum=8),
            sparse=sparse_from_record(record),
            steering=steering_from_record(record),
            weights=weights_from_record(record),
            parameters=parameters.mapping("settings"),
            statistics=record.statistics,
            fingerprint=record.base_model,
            layout=record.layout,
        )

    def questions(self, conversations: Sequence[Conversation]) -> Questions:
        """What is to be read off the model about conversations that ask for a judgement."""
        return Questions(
            conversations, self.prompt.answers, self.sparse, self.steering, self.weights
        )

    def _judge(self, conversations: Sequence[Conversation], progress: bool) -> Judgements:
        return judge(self.engine, [self.questions(conversations)], progress=progress)[0]

    def _log_odds(
        self,
        prompts: Sequence[Prompt],
        first: Sequence[Response],
        second: Sequence[Response],
        progress: bool,
    ) -> Tensor:
        cutter = TextCutter(self.engine, self.max_text_tokens)
        asked = ask_pairs(self.prompt, prompts, first, second, cutter)
        cutter.report("prompts or responses", "max_text_tokens")
        return asked.of_pairs(self._judge(asked.conversations, progress).values)
