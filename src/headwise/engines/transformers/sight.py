"""How a model is shown pictures: what its forward pass takes beside token ids.

The model merges pictures into its sequence itself. What it would compute from pixels, the features
of each picture, is computed here by its own method, once a picture, and handed out while it runs.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, ProcessorMixin
from transformers.models.mllama.processing_mllama import (
    convert_sparse_cross_attention_mask_to_dense,
    get_cross_attention_token_mask,
)

from headwise.engines.transformers.picture_reader import PictureReader
from headwise.engines.transformers.pictures import (
    Picture,
    PictureToken,
    pictures_of,
    true_ids,
)
from headwise.engines.transformers.shelf import Shelf
from headwise.errors import EngineError, InputError

Attention: TypeAlias = Literal["causal", "picture", "prompt", "cross"]

# What tokens attend to: to earlier ones alone; in a picture, or in the whole prompt, to later ones
# as well; or to earlier ones alone and, in layers of their own, to pictures beside the sequence.
KNOWN_MODELS: dict[str, Attention] = {
    "qwen2_vl": "causal",
    "qwen2_5_vl": "causal",
    "qwen3_vl": "causal",
    "llava": "causal",
    "llava_next": "causal",
    "llava_onevision": "causal",
    "smolvlm": "causal",
    "idefics3": "causal",
    "gemma3": "picture",
    "paligemma": "prompt",
    "internvl": "causal",
    "mistral3": "causal",
    "mllama": "cross",
}
_FEATURE_BYTES = 512 * 1024**2


@dataclass(frozen=True, slots=True, eq=False)
class _Features:
    """What a model makes of one picture.

    Args:
        pooled: Features of each of its parts.
        deep: For models that add features in several layers, those of each.
        stacked: Whether the model wants the parts as one tensor.
    """

    pooled: tuple[Tensor, ...]
    deep: tuple[tuple[Tensor, ...], ...]
    stacked: bool

    @property
    def n_bytes(self) -> int:
        every = [*self.pooled, *(one for layer in self.deep for one in layer)]
        return sum(one.numel() * one.element_size() for one in every)


class Sight:
    """Pictures for a model that can see.

    Args:
        model: The model.
        reader: Its processor; None where it is shown no pictures.
        feature_bytes: Memory that features of pictures may take, where the model is.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        reader: PictureReader | None,
        feature_bytes: int = _FEATURE_BYTES,
    ) -> None:
        self.reader = reader
        self.attention = KNOWN_MODELS[model.config.model_type]
        self.core = multimodal_core(model)
        self.counts_in_three = hasattr(self.core, "get_rope_index")
        self._model = model
        self._features: Shelf[tuple[str, bool], _Features] = Shelf(
            feature_bytes, lambda one: one.n_bytes
        )

    def clear(self) -> None:
        """Forgets every picture's features."""
        self._features.clear()

    @property
    def shares_prefixes(self) -> bool:
        """Whether keys and values of a prefix can serve what follows it."""
        return self.attention in ("causal", "picture")

    @property
    def rows_run_alone(self) -> bool:
        """Whether another row of a batch would change what a row gives."""
        # A token before every picture looks at all places for pictures, those of padding as well.
        return self.attention == "cross" and self.reader is not None

    def may_follow(self, rest: Sequence[int]) -> bool:
        """Whether tokens may be run behind a prefix that has been run before."""
        # transformers makes the mask of a picture in a first pass only.
        return self.attention == "causal" or not pictures_of(rest)

    @property
    def _reading(self) -> PictureReader:
        if self.reader is None:
            raise EngineError("A picture came to a model without a processor.")
        return self.reader

    @contextmanager
    def shown(self, rows: Sequence[Sequence[int]]) -> Iterator[None]:
        """Has the model see the pictures of some rows, in order, while the block runs.

        Args:
            rows: The sequences that the model is given.
        """
        with _as_it_was(self.core, "rope_deltas"):
            pictures = [picture for row in rows for picture in pictures_of(row)]
            if not pictures or self.attention == "cross":
                yield
                return
            joined = _joined([self._features_of(picture) for picture in pictures])

            # Generation looks at what the method takes.
            @functools.wraps(self.core.get_image_features)  # type: ignore[arg-type]
            def given(*args: Any, **kwargs: Any) -> Any:
                return joined

            with _as_it_was(self.core, "get_image_features"):
                vars(self.core)["get_image_features"] = given
                yield

    def inputs(
        self,
        rows: Sequence[Sequence[int]],
        prompts: Sequence[int],
        before: Sequence[Sequence[int]] | None = None,
        *,
        on_left: bool = False,
    ) -> dict[str, Tensor]:
        """What the model's forward pass takes beside token ids.

        Args:
            rows: The sequences it is given, of any length.
            prompts: How many tokens of each are of its prompt.
            before: What has been run before each.
            on_left: Whether the rows are padded on the left; then positions are left to the model.

        Returns:
            Keyword arguments.
        """
        inputs: dict[str, Tensor] = {}
        pictures = [picture for row in rows for picture in pictures_of(row)]
        width = max(len(row) for row in rows)
        if pictures and self.attention == "cross":
            inputs.update(self._beside_the_sequence(rows))
        elif pictures:
            # The features are at hand: see `shown`.
            inputs["pixel_values"] = torch.zeros(1, dtype=self._model.dtype)
        if self.attention == "prompt":
            inputs["token_type_ids"] = torch.ones(len(rows), width, dtype=torch.long)
            for number, n_prompt in enumerate(prompts):
                start = width - len(rows[number]) if on_left else 0
                inputs["token_type_ids"][number, start : start + n_prompt] = 0
        elif self.attention == "picture" and pictures:
            inputs["token_type_ids"] = self._padded_marks(rows, width, on_left=on_left)
        if self.counts_in_three and on_left and pictures:
            inputs["mm_token_type_ids"] = self._padded_marks(rows, width, on_left=on_left)
            inputs["image_grid_thw"] = _grids(pictures)
        elif self.counts_in_three and not on_left:
            inputs["position_ids"] = self._padded_positions(rows, before, width)
        return {name: value.to(self._model.device) for name, value in inputs.items()}

    def positions(self, ids: Sequence[int]) -> Tensor:
        """Positions of a sequence's tokens, `(3, T)`, of a model that counts in three."""
        pictures = pictures_of(ids)
        if not pictures:
            return torch.arange(len(ids)).expand(3, -1)
        given: dict[str, Any] = {
            "input_ids": torch.tensor([true_ids(ids)]),
            "mm_token_type_ids": self._marks(ids)[None],
            "image_grid_thw": _grids(pictures),
        }
        core: Any = self.core
        taken = inspect.signature(core.get_rope_index).parameters
        positions: Tensor = core.get_rope_index(**{k: v for k, v in given.items() if k in taken})[0]
        return positions[:, 0]

    def _beside_the_sequence(self, rows: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """What a model with cross-attention takes for equal rows, or for one."""
        made = [self._reading.inputs(picture) for picture in pictures_of(rows[0])]
        names = ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask")
        inputs = {name: torch.cat([one[name] for one in made], dim=1) for name in names}
        ids = true_ids(rows[0])
        sparse = get_cross_attention_token_mask(ids, self._reading.image_token_id)
        n_tiles = [int(one["aspect_ratio_mask"].sum()) for one in made]
        widest = inputs["aspect_ratio_mask"].shape[-1]
        inputs["cross_attention_mask"] = torch.as_tensor(
            convert_sparse_cross_attention_mask_to_dense([sparse], [n_tiles], widest, len(ids))
        )
        return {
            name: value.expand(len(rows), *value.shape[1:]).contiguous()
            for name, value in inputs.items()
        }

    def _padded_positions(
        self, rows: Sequence[Sequence[int]], before: Sequence[Sequence[int]] | None, width: int
    ) -> Tensor:
        padded = torch.zeros(3, len(rows), width, dtype=torch.long)
        earlier = [()] * len(rows) if before is None else before
        whole = [(*first, *row) for first, row in zip(earlier, rows, strict=True)]
        known = {ids: self.positions(ids) for ids in set(whole)}
        for number, (ids, row) in enumerate(zip(whole, rows, strict=True)):
            padded[:, number, : len(row)] = known[ids][:, len(ids) - len(row) :]
        return padded

    def _padded_marks(self, rows: Sequence[Sequence[int]], width: int, *, on_left: bool) -> Tensor:
        """Which tokens are a picture's, `(rows, width)`."""
        marked = torch.zeros(len(rows), width, dtype=torch.long)
        for number, row in enumerate(rows):
            start = width - len(row) if on_left else 0
            marked[number, start : start + len(row)] = self._marks(row)
        return marked

    def _marks(self, row: Sequence[int]) -> Tensor:
        token = int(self._model.config.image_token_id)
        return torch.tensor(
            [int(isinstance(one, PictureToken) and one.token_id == token) for one in row]
        )

    def _features_of(self, picture: Picture) -> _Features:
        found = self._features.get(picture.key)
        if found is None:
            found = self._look(picture)
            self._features.put(picture.key, found)
            self._features.trim(least=1)
            # Once seen, its pixels are of no more use; a stream of pictures would pile them up.
            self._reading.forget(picture)
        return found

    @torch.no_grad()
    def _look(self, picture: Picture) -> _Features:
        core: Any = self.core
        taken = inspect.signature(core.get_image_features).parameters
        inputs = {
            name: value.to(self._model.device)
            for name, value in self._reading.inputs(picture).items()
            if name in taken
        }
        output = core.get_image_features(**inputs, return_dict=True)
        pooled = output.pooler_output
        stacked = isinstance(pooled, Tensor)
        # A picture that was made in company is there twice.
        parts = tuple(pooled)[: len(pooled) // 2 if picture.crowded else None]
        deep = tuple(tuple(layer) for layer in getattr(output, "deepstack_features", None) or ())
        return _Features(parts, deep, stacked)


def sight_of(model: PreTrainedModel, processor: ProcessorMixin | None) -> Sight | None:
    """How a model is shown pictures; None for one of texts, and one headwise was not checked with.

    Args:
        model: The model.
        processor: Its processor; without it the model is shown no pictures.

    Raises:
        InputError: The model's prompts cannot be made without its processor.
    """
    kind = model.config.model_type
    if kind not in KNOWN_MODELS:
        return None
    if processor is None and KNOWN_MODELS[kind] == "prompt":
        raise InputError(
            f"The prompts of {type(model).__name__} are made by its processor, also where they "
            "show no image. Pass processor=AutoProcessor.from_pretrained(...)."
        )
    return Sight(model, None if processor is None else PictureReader(processor, model.config))


def why_blind(model: PreTrainedModel, model_id: str, processor_error: str | None) -> str:
    """What to say of an image that a model without sight is given.

    Args:
        model: The model.
        model_id: What it is called.
        processor_error: Why its processor could not be loaded; None where nobody tried.
    """
    given = f"The model {model_id!r} ({type(model).__name__}) was given an image"
    kind = model.config.model_type
    known = ", ".join(KNOWN_MODELS)
    if kind in KNOWN_MODELS and processor_error:
        return f"{given}, but its processor could not be loaded: {processor_error}"
    if kind in KNOWN_MODELS:
        return (
            f"{given}, but no processor to read it with. Load it with headwise.load, or pass "
            "processor=AutoProcessor.from_pretrained(...)."
        )
    if getattr(model.config, "vision_config", None) is not None:
        return (
            f"{given}, but headwise has not been checked with images on models of the type "
            f"{kind!r}. Leave the image out, or use one of the types {known}."
        )
    return (
        f"{given}, and reads text only. Leave the image out, or load a model that sees: one of "
        f"the types {known}."
    )


def multimodal_core(model: PreTrainedModel) -> nn.Module:
    """The part of a model that merges pictures into the sequence, without its output embedding.

    Raises:
        EngineError: There is none.
    """
    for module in (model.base_model, getattr(model, "model", None)):
        if isinstance(module, nn.Module) and module is not model:
            return module
    raise EngineError(f"{type(model).__name__} keeps its output embedding in one with the rest.")


def _joined(seen: Sequence[_Features]) -> Any:
    """The features of several pictures, in the form of the model's own."""
    parts = [part for one in seen for part in one.pooled]
    pooled = torch.stack(parts) if seen[0].stacked else tuple(parts)
    layers = zip(*(one.deep for one in seen), strict=True)
    deep = [tuple(part for parts in layer for part in parts) for layer in layers]
    return SimpleNamespace(pooler_output=pooled, deepstack_features=deep)


def _grids(pictures: Sequence[Picture]) -> Tensor:
    return torch.cat([picture.facts["image_grid_thw"] for picture in pictures])


@contextmanager
def _as_it_was(module: nn.Module, name: str) -> Iterator[None]:
    """Gives a module back what it has under a name, or has not, when the block ends."""
    own = vars(module)
    there, value = name in own, own.get(name)
    try:
        yield
    finally:
        if there:
            own[name] = value
        else:
            own.pop(name, None)
