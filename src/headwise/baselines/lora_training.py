"""Trains a LoRA adapter to prefer right continuations over wrong ones: a real fine-tune, small.

What is trained on is a `Choice` between options, each the weighted log-probabilities of some
continuations. That covers classes (one conversation, a label an option), preferences (two
responses, each with its own conversation) and plain answers (one option, which is to be likely).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from headwise.baselines.lora_adapter import LoraAdapter, LoraShape, inserted, read
from headwise.engines.open_model import DifferentiableEngine
from headwise.errors import ActivationError, InputError
from headwise.progress import ProgressBar, progress_bar
from headwise.prompts.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Continuation:
    """A text that may follow a conversation.

    Args:
        conversation: The conversation, with images or without.
        text: What follows it, as `Engine.token_logprobs` takes it.
        weight: What its log-probability counts; with `"Yes"` at 1 and `"No"` at -1 an option's
            score is the log-odds of yes.
    """

    conversation: Conversation
    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Choice:
    """Options of which one is right.

    Args:
        options: Each is some continuations; its score is the weighted sum of their
            log-probabilities. The loss is the cross-entropy of the right option among all; of a
            single option, its negative score.
        right: Which of them is right.

    Raises:
        InputError: There is no option, one without continuations, or none that is right.
    """

    options: tuple[tuple[Continuation, ...], ...]
    right: int = 0

    def __post_init__(self) -> None:
        if not all(self.options) or not 0 <= self.right < len(self.options):
            raise InputError(
                f"A choice needs continuations in each option and a right one among them; got "
                f"{len(self.options)} options and right={self.right}."
            )


@dataclass(frozen=True, slots=True)
class LoraTraining:
    """How an adapter is trained.

    Args:
        shape: What weights are trained.
        learning_rate: Step size of AdamW.
        weight_decay: Weight decay of AdamW.
        epochs: Most passes over the training choices.
        patience: Passes without a lower held-out loss after which it stops.
        epochs_without_validation: Passes where nothing is held out, so nothing says when to stop.
        batch_size: Choices a step.
        tokens_at_once: Tokens that are run at once where gradients are kept; a step of more is
            run in parts that add up to the same step.
        seed: Seed of the first weights and of the order of the choices.

    Raises:
        InputError: A value is out of range.
    """

    shape: LoraShape = field(default_factory=LoraShape)
    learning_rate: float = 5e-4
    weight_decay: float = 0.01
    epochs: int = 20
    patience: int = 4
    epochs_without_validation: int = 5
    batch_size: int = 8
    tokens_at_once: int = 4_096
    seed: int = 0

    def __post_init__(self) -> None:
        counts = {
            "epochs": self.epochs,
            "patience": self.patience,
            "epochs_without_validation": self.epochs_without_validation,
            "batch_size": self.batch_size,
            "tokens_at_once": self.tokens_at_once,
        }
        for name, value in counts.items():
            if value < 1:
                raise InputError(f"{name} is 1 at least; got {value}.")
        if self.learning_rate <= 0 or self.weight_decay < 0:
            raise InputError(
                "learning_rate is above 0 and weight_decay not below; got "
                f"{self.learning_rate} and {self.weight_decay}."
            )


@dataclass(frozen=True, eq=False)
class TrainedLora:
    """An adapter, and how it came about.

    Args:
        adapter: The weights of the best epoch: the one with the lowest held-out loss, or the last
            where nothing was held out.
        best_epoch: Which epoch that was; 0 is the untouched model, which is kept where training
            only made the held-out loss worse.
        training_losses: Mean loss of each epoch, in nats, taken as it went.
        held_out_losses: Mean held-out loss before the first epoch and after each; empty where
            nothing was held out.
    """

    adapter: LoraAdapter
    best_epoch: int
    training_losses: tuple[float, ...]
    held_out_losses: tuple[float, ...]


def train_lora(
    engine: DifferentiableEngine,
    training: Sequence[Choice],
    held_out: Sequence[Choice] = (),
    settings: LoraTraining | None = None,
    *,
    progress: bool = False,
) -> TrainedLora:
    """Trains an adapter; the engine's model is afterwards just what it was.

    Args:
        engine: An engine that holds its model.
        training: The choices that are learned from.
        held_out: Choices by whose loss training is stopped; none where there are too few.
        settings: How; the defaults where None.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The adapter; `adapter.applied(engine)` has the engine run with it.

    Raises:
        InputError: There is no choice to learn from.
        MissingExtraError: `peft` is not installed.
        EngineError: The engine holds no model that can be trained.
        ActivationError: The loss became NaN or infinite.
    """
    if not training:
        raise InputError("There is nothing to train on; give one choice at least.")
    how = settings or LoraTraining()
    n_epochs = how.epochs if held_out else how.epochs_without_validation
    with (
        inserted(engine, how.shape, how.seed) as parameters,
        torch.enable_grad(),
        progress_bar("Training LoRA", n_epochs * len(training), enabled=progress) as bar,
    ):
        run = _Run(engine, how, parameters, bar)
        return run.train(training, held_out, n_epochs)


class _Weights:
    """Weights in float32 beside those that the model runs with: small steps are lost in bfloat16.

    Args:
        running: The model's own; where they are float32 there is nothing beside them.
    """

    def __init__(self, running: dict[str, nn.Parameter]) -> None:
        self._running = running
        self.exact = {
            name: one if one.dtype == torch.float32 else nn.Parameter(one.detach().float())
            for name, one in running.items()
        }

    def take_gradients(self) -> None:
        """Gives the exact weights the gradients of the running ones."""
        for name, one in self._running.items():
            exact = self.exact[name]
            if exact is not one and one.grad is not None:
                exact.grad, one.grad = one.grad.float(), None

    @torch.no_grad()
    def write_back(self) -> None:
        """Has the model run with the exact weights, rounded, and forgets the gradients."""
        for name, one in self._running.items():
            exact = self.exact[name]
            exact.grad = None
            if exact is not one:
                one.copy_(exact)


class _Run:
    """One training; lives while the weights are in the model."""

    def __init__(
        self,
        engine: DifferentiableEngine,
        how: LoraTraining,
        parameters: dict[str, nn.Parameter],
        bar: ProgressBar,
    ) -> None:
        self._engine = engine
        self._how = how
        self._bar = bar
        self._weights = _Weights(parameters)
        self._optimizer = torch.optim.AdamW(
            self._weights.exact.values(), lr=how.learning_rate, weight_decay=how.weight_decay
        )
        self._order = torch.Generator().manual_seed(how.seed)

    def train(
        self, training: Sequence[Choice], held_out: Sequence[Choice], n_epochs: int
    ) -> TrainedLora:
        costs = [self._cost(choice) for choice in training]
        held_out_costs = [self._cost(choice) for choice in held_out]
        losses: list[float] = []
        held_out_losses = [self._mean_loss(held_out, held_out_costs)] if held_out else []
        best, best_epoch = read(self._weights.exact), 0
        for epoch in range(1, n_epochs + 1):
            losses.append(self._epoch(training, costs))
            if held_out:
                held_out_losses.append(self._mean_loss(held_out, held_out_costs))
            if not held_out or held_out_losses[-1] < min(held_out_losses[:-1]):
                best, best_epoch = read(self._weights.exact), epoch
            elif epoch - best_epoch >= self._how.patience:
                break
        adapter = LoraAdapter(self._how.shape, best)
        return TrainedLora(adapter, best_epoch, tuple(losses), tuple(held_out_losses))

    def _epoch(self, training: Sequence[Choice], costs: Sequence[int]) -> float:
        order = torch.randperm(len(training), generator=self._order).tolist()
        size, total = self._how.batch_size, 0.0
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            for part in self._parts(rows, costs):
                loss = self._losses([training[row] for row in part]).sum()
                (loss / len(rows)).backward()
                total += float(loss.detach())
            self._weights.take_gradients()
            nn.utils.clip_grad_norm_(self._weights.exact.values(), 1.0)
            self._optimizer.step()
            self._weights.write_back()
            self._bar.advance(len(rows))
        return total / len(training)

    @torch.no_grad()
    def _mean_loss(self, choices: Sequence[Choice], costs: Sequence[int]) -> float:
        parts = self._parts(range(len(choices)), costs)
        total = sum(float(self._losses([choices[row] for row in part]).sum()) for part in parts)
        return total / len(choices)

    def _parts(self, rows: Sequence[int], costs: Sequence[int]) -> Iterator[list[int]]:
        """Rows in parts that may be run at once."""
        part: list[int] = []
        tokens = 0
        for row in rows:
            if part and tokens + costs[row] > self._how.tokens_at_once:
                yield part
                part, tokens = [], 0
            part.append(row)
            tokens += costs[row]
        if part:
            yield part

    def _cost(self, choice: Choice) -> int:
        """About how many tokens a choice runs."""
        asked = [one.conversation for option in choice.options for one in option]
        return sum(self._engine.count_tokens(asked))

    def _losses(self, choices: Sequence[Choice]) -> Tensor:
        """One loss a choice."""
        texts: dict[Conversation, dict[str, None]] = {}
        for choice in choices:
            for option in choice.options:
                for one in option:
                    texts.setdefault(one.conversation, {})[one.text] = None
        found = self._engine.differentiable_logprobs(
            list(texts), [list(candidates) for candidates in texts.values()]
        )
        known = {
            (conversation, text): value
            for (conversation, candidates), values in zip(texts.items(), found, strict=True)
            for text, value in zip(candidates, values, strict=True)
        }
        losses = torch.stack([_loss(choice, known) for choice in choices])
        if not bool(torch.isfinite(losses.detach()).all()):
            raise ActivationError(
                "The loss became NaN or infinite. Lower learning_rate, or load the model with "
                "dtype='float32' or 'bfloat16'."
            )
        return losses


def _loss(choice: Choice, known: dict[tuple[Conversation, str], Tensor]) -> Tensor:
    scores = torch.stack(
        [
            torch.stack([one.weight * known[one.conversation, one.text] for one in option]).sum()
            for option in choice.options
        ]
    )
    if len(scores) == 1:
        return -scores[0]
    return -scores.log_softmax(dim=0)[choice.right]
