"""Low-rank weights beside a frozen model: put in through `peft`, taken out without a trace."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from headwise.engines.open_model import DifferentiableEngine
from headwise.engines.transformers.locate import find_decoder, locate_heads
from headwise.errors import EngineError, InputError, MissingExtraError

if TYPE_CHECKING:
    from peft import LoraConfig

Targets = Literal["all", "attention"]
"""Which linear layers of the decoder are adapted: every one, or those of its attention."""

_NAME = "headwise"


@dataclass(frozen=True, slots=True)
class LoraShape:
    """What low-rank weights there are.

    Args:
        rank: Their rank.
        alpha: Their product is scaled by `alpha / rank`.
        targets: Which linear layers of the language decoder get them; never the output embedding,
            and never a vision tower.

    Raises:
        InputError: A value is out of range.
    """

    rank: int = 8
    alpha: int = 16
    targets: Targets = "all"

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha < 1:
            raise InputError(f"rank and alpha are 1 at least; got {self.rank} and {self.alpha}.")
        if self.targets not in get_args(Targets):
            raise InputError(f"targets is 'all' or 'attention'; got {self.targets!r}.")


@contextmanager
def inserted(
    engine: DifferentiableEngine, shape: LoraShape, seed: int = 0
) -> Iterator[dict[str, nn.Parameter]]:
    """Adds new low-rank weights to an engine's model while the block runs.

    They change nothing as they begin. They are float32, or bfloat16 beside weights that are. When
    the block ends, however it ends, every module of the model is the very object that it was, and
    no parameter was written to.

    Args:
        engine: The engine.
        shape: What weights.
        seed: Seed of the weights they begin with.

    Yields:
        The weights by name; they alone ask for gradients.

    Raises:
        MissingExtraError: `peft` is not installed.
        EngineError: The engine's model is not its own to change, or has adapters already.
    """
    model = _model_of(engine)
    names = _target_names(model, shape.targets)
    config = _config(shape, names)
    needed_gradients = {one: one.requires_grad for one in model.parameters()}
    children = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
    ]
    attributes = set(vars(model))
    try:
        yield _injected(model, config, seed)
    finally:
        for parent, name, child in children:
            if getattr(parent, name) is not child:
                setattr(parent, name, child)
        for parameter, needed in needed_gradients.items():
            parameter.requires_grad_(needed)
        for name in set(vars(model)) - attributes:
            delattr(model, name)
        engine.forget_prefixes()


@dataclass(frozen=True, eq=False)
class LoraAdapter:
    """Trained low-rank weights, apart from the model they belong to.

    Args:
        shape: What weights.
        weights: Their values by name, float32 on the CPU.
    """

    shape: LoraShape
    weights: Mapping[str, Tensor]

    @property
    def n_parameters(self) -> int:
        """How many numbers were trained."""
        return sum(one.numel() for one in self.weights.values())

    @contextmanager
    def applied(self, engine: DifferentiableEngine) -> Iterator[None]:
        """Has an engine's model run with the weights while the block lasts, and without after it.

        Args:
            engine: The engine that they were trained on.

        Yields:
            Nothing; ask the engine.

        Raises:
            EngineError: The model has no such layers.
        """
        with inserted(engine, self.shape) as parameters:
            shapes = {name: one.shape for name, one in parameters.items()}
            if shapes != {name: one.shape for name, one in self.weights.items()}:
                raise EngineError(
                    "The adapter was trained on a model with other layers than "
                    f"{type(engine.model).__name__} has here; fit it on this one."
                )
            write(self.weights, parameters)
            engine.forget_prefixes()
            yield


def read(parameters: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """Copies of weights, float32 on the CPU."""
    return {name: one.detach().float().cpu().clone() for name, one in parameters.items()}


@torch.no_grad()
def write(weights: Mapping[str, Tensor], parameters: Mapping[str, nn.Parameter]) -> None:
    """Writes values into weights of the same names."""
    for name, parameter in parameters.items():
        parameter.copy_(weights[name])


def _injected(model: PreTrainedModel, config: LoraConfig, seed: int) -> dict[str, nn.Parameter]:
    from peft import inject_adapter_in_model

    old = set(model.parameters())
    # In float16 gradients vanish; and what is quantised has no dtype of its own to train in.
    dtype = torch.bfloat16 if model.dtype == torch.bfloat16 else torch.float32
    # The user's own random numbers go on as if nothing had been drawn.
    with torch.random.fork_rng(), warnings.catch_warnings():
        # peft tells of what it sets right by itself: transposed layers, layers with no pattern.
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        inject_adapter_in_model(config, model, adapter_name=_NAME)
    found = {}
    for name, parameter in model.named_parameters():
        if parameter not in old:
            parameter.data = parameter.data.to(dtype)
            parameter.requires_grad_(True)
            found[name] = parameter
    return found


def _model_of(engine: DifferentiableEngine) -> PreTrainedModel:
    # Not `isinstance`: that asks a server's engine for its heads, which it refuses to name.
    if not hasattr(engine, "differentiable_logprobs") or not isinstance(
        engine.model, PreTrainedModel
    ):
        raise EngineError(
            f"LoRA trains weights beside the model, which {type(engine).__name__} does not hold; "
            "load the model with the transformers engine (headwise.load)."
        )
    try:
        from peft.tuners.tuners_utils import BaseTunerLayer
    except ImportError as error:
        raise MissingExtraError("peft", "lora", "The LoRA baseline") from error
    if any(isinstance(module, BaseTunerLayer) for module in engine.model.modules()):
        raise EngineError(
            "The model has adapters already, or another block is using it; merge or unload them "
            "first."
        )
    return engine.model


def _target_names(model: PreTrainedModel, targets: Targets) -> list[str]:
    """Names of the linear layers within the decoder, or within its attention."""
    if targets == "attention":
        roots = [entry.attention for entry in locate_heads(model)]
    else:
        roots = [find_decoder(model)]
    within = {module for root in roots for module in root.modules() if _is_linear(module)} - {
        model.get_output_embeddings()
    }
    names = [name for name, module in model.named_modules() if module in within]
    if not names:
        raise EngineError(f"{type(model).__name__} has no linear layer that LoRA could adapt.")
    return names


def _is_linear(module: nn.Module) -> bool:
    # Quantised layers are subclasses of torch's; GPT-2's keeps its weight transposed.
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"


def _config(shape: LoraShape, names: list[str]) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=shape.rank,
        lora_alpha=shape.alpha,
        lora_dropout=0.0,
        target_modules=names,
    )
