"""Tiny random vision-language models, one a family, each with its real processor.

Everything is offline, seeded, float32 and in eval mode, and works without torchvision. What is
stated of a family (`VisionFacts`) comes from its published architecture and chat template, not from
headwise, so that tests can hold one against the other. What an engine author meets, in transformers
5.19; tests/unit/test_tiny_vision.py holds most of it to be so:

- Whatever the processor returns must reach the pass over the prompt (`VisionFacts.extras`), but for
  `VisionFacts.discard`. Left out, most raise; silently wrong are qwen2_5_vl without
  `mm_token_type_ids`, mllama without `cross_attention_mask`, gemma3 without `token_type_ids`
  (causal) and paligemma without them (both ways over a suffix too, but only where no row is padded
  and attention is sdpa). qwen2_vl and qwen3_vl refuse to go without `mm_token_type_ids`.
- Over a cache, a pass gets new tokens, the attention mask of all tokens, and for mllama the
  `cross_attention_mask` of new tokens or of all. `TinyVision.after` makes such inputs.
- Rotary positions of three axes (qwen2_vl, qwen2_5_vl, qwen3_vl): `model.model.get_rope_index(
  input_ids, mm_token_type_ids=, image_grid_thw=, attention_mask=)` gives `(positions, deltas)`, of
  shapes `(3, rows, tokens)` and `(rows, 1)`; padding does not count. A text token over a cache has
  position `earlier tokens that are not padding + delta` on all axes. Pass `position_ids` over a
  cache: left to itself the model raises with an attention mask and several tokens, and without a
  mask uses `model.model.rope_deltas`, left there by the last pass with pictures over any prompt,
  for prompts of text as well.
- Attention both ways: gemma3 among the tokens of one picture (`token_type_ids` 1, in windowed
  layers too), paligemma in the whole prompt (type 0; type 1 is a causal suffix). Where a cache may
  be cut is `VisionFacts.cut`. gemma3 goes on over a cached beginning with pictures to come only
  with `token_type_ids` of all tokens; with those of the new ones the mask is silently wrong.
- paligemma has no chat template and needs a picture in every row: in a batch where some row has
  none, its begin token lands after that row's sixth character. Otherwise the processor writes it
  after the pictures, and a newline at the end; positions count from one; `labels` are for training.
- mllama's cross-attention layers have heads as well (`cross_attn.o_proj`), which read pictures and
  never text; without a picture the layers are skipped and their projections see nothing. Tokens
  before the first picture attend to all of them, and in a row with fewer pictures than another to
  the blank ones it is filled up with: its heads then depend on the batch (`VisionFacts.ragged`).
  Its picture token is outside the vocabulary that it writes. Its processor refuses a batch with
  pictures in some rows only.
- llava, llava_next, llava_onevision, smolvlm and idefics3 silently drop a content that is a plain
  string: contents must be lists of parts. The first three also write a turn's pictures first.
- llava_next and mistral3 write the same with and without a generation prompt; qwen2_vl, qwen2_5_vl,
  mistral3 and, without pictures, mllama write a system text of their own.
- llava's tokenizer begins the text, since its template does not; other templates write their own
  beginning, and `apply_chat_template` then has the tokenizer add none. Texts rendered first and
  given to a processor later get a second begin token unless `add_special_tokens=False`.
- Which pixels are of which row: qwen pixels are `(patches of all pictures, ...)`, split by
  `image_grid_thw.prod(-1)`; the llava families, gemma3, internvl and mistral3 have pictures (tiles
  for internvl) of all rows after another, and nothing for rows without (nor do llava_onevision's
  `batch_num_images`); smolvlm, idefics3 and mllama have an axis of rows, and the first two blank
  pictures up to the row with most. Pixels are padded to the batch's largest picture in llava_next,
  llava_onevision (tiles) and mistral3.
- llava_onevision encodes a row's only picture in tiles, but each of several as one.
- Without torchvision `AutoProcessor` fails for the Qwen families, llava_onevision, smolvlm and
  internvl (video processor) and for mistral3 (`PixtralProcessor` cannot be imported); smolvlm also
  needs num2words. tests/tiny_vision/processors.py is how they work here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import transformers
from torch import Tensor, nn
from transformers import PreTrainedModel, ProcessorMixin

from tiny_models import Heads
from tiny_vision import gemma, idefics, llava, others, qwen
from tiny_vision.parts import Parts
from tiny_vision.weights import initialise


@dataclass(frozen=True, slots=True)
class VisionFacts:
    """What is known of a family.

    Args:
        heads: The language model's softmax-attention heads over text.
        projection: Path of a language layer's output projection, the layer's number left as `{}`.
        extras: Processor outputs with one picture, beyond `input_ids`, `attention_mask` and
            `pixel_values`.
        cross_heads: Heads over pictures alone, at `cross_attn.o_proj`.
        discard: Outputs that the forward pass of a prompt should not get.
        m_rope: Whether rotary positions have three axes.
        both_ways: Where a token attends to later ones: nowhere, in one picture, or in the prompt.
        strings: Whether the chat template reads a plain string as content or drops it; None
            without a chat template.
        system: What the chat template does with a system turn beside a picture.
        generation_prompt: Whether asking for a generation prompt changes the text.
        text_only: Whether prompts without pictures are accepted.
        mixed: Whether a batch may have rows with pictures and rows without.
        ragged: Whether a row is the same beside a row with another number of pictures.
        cut: Where the cache of a prompt with a picture may be cut and gone on from: outside its
            pictures, after them, or at the prompt's end only.
    """

    heads: tuple[Heads, ...]
    projection: str
    extras: frozenset[str] = frozenset()
    cross_heads: tuple[Heads, ...] = ()
    discard: frozenset[str] = frozenset()
    m_rope: bool = False
    both_ways: Literal["no", "picture", "prompt"] = "no"
    strings: Literal["read", "dropped"] | None = "read"
    system: Literal["written", "refused"] | None = "written"
    generation_prompt: bool = True
    text_only: bool = True
    mixed: bool = True
    ragged: bool = True
    cut: Literal["outside", "after", "end"] = "outside"


@dataclass(frozen=True, slots=True)
class TinyVision:
    """A tiny model with its processor.

    Args:
        family: The family's name.
        model: The model.
        processor: Its processor; text is padded on the left.
        image_token_id: The token in `input_ids` whose embeddings are replaced by picture features;
            for mllama, the one from which on a picture can be seen.
        facts: What is known of the family.
    """

    family: str
    model: PreTrainedModel
    processor: ProcessorMixin
    image_token_id: int
    facts: VisionFacts

    def projection_module(self, layer: int) -> nn.Module:
        """The attention output projection of one language layer."""
        return self.model.get_submodule(self.facts.projection.format(layer))

    def chat(self, *conversations: list[dict[str, Any]], **more: Any) -> dict[str, Tensor]:
        """Model inputs of conversations, padded, by the processor's chat template."""
        inputs: Any = self.processor.apply_chat_template(
            list(conversations),
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
            **{"add_generation_prompt": True, **more},
        )
        return self._kept(inputs)

    def complete(self, texts: list[str], images: list[list[Any]] | None) -> dict[str, Tensor]:
        """Model inputs of texts that already hold picture tokens, padded."""
        return self._kept(
            self.processor(images=images, text=texts, padding=True, return_tensors="pt")
        )

    def append_tokens(self, inputs: Mapping[str, Tensor], tokens: Tensor) -> dict[str, Tensor]:
        """Model inputs of prompts followed by `(rows, n)` tokens of text, for one pass over all."""
        longer = dict(inputs)
        longer["input_ids"] = torch.cat([inputs["input_ids"], tokens], dim=1)
        # PaliGemma's suffix is causal, type 1; elsewhere 0 is text.
        suffix_type = 1 if self.facts.both_ways == "prompt" else 0
        fills = {"attention_mask": 1, "token_type_ids": suffix_type, "mm_token_type_ids": 0}
        for name in fills.keys() & inputs.keys():
            longer[name] = torch.cat([inputs[name], torch.full_like(tokens, fills[name])], dim=1)
        if "cross_attention_mask" in inputs:  # New text sees what the prompt's last token sees.
            last = inputs["cross_attention_mask"][:, -1:].expand(-1, tokens.shape[1], -1, -1)
            longer["cross_attention_mask"] = torch.cat(
                [inputs["cross_attention_mask"], last], dim=1
            )
        return longer

    def after(self, inputs: Mapping[str, Tensor], tokens: Tensor) -> dict[str, Tensor]:
        """Model inputs of `(rows, n)` tokens of text over a cache of prompts."""
        longer = self.append_tokens(inputs, tokens)
        step = {"input_ids": tokens, "attention_mask": longer["attention_mask"]}
        if "cross_attention_mask" in longer:
            step["cross_attention_mask"] = longer["cross_attention_mask"]
        if self.facts.m_rope:
            step["position_ids"] = self.positions(longer)[..., -tokens.shape[1] :]
        return step

    def positions(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Positions `(3, rows, tokens)` of a family whose rotary positions have three axes."""
        names = ("input_ids", "mm_token_type_ids", "image_grid_thw", "attention_mask")
        found = {name: inputs[name] for name in names if name in inputs}
        positions: Tensor = self.model.model.get_rope_index(**found)[0]
        return positions

    def _kept(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: inputs[name] for name in inputs if name not in self.facts.discard}


def _heads(layers: tuple[int, ...], heads: int, kv_heads: int, width: int) -> tuple[Heads, ...]:
    return tuple(Heads(layer, heads, kv_heads, width) for layer in layers)


_THREE, _FOUR = (0, 1, 2), (0, 1, 2, 3)
_LANGUAGE = "model.language_model.layers.{}.self_attn.o_proj"
_TEXT = "model.text_model.layers.{}.self_attn.o_proj"
_GRID = frozenset({"image_grid_thw", "mm_token_type_ids"})
_SIZES = frozenset({"image_sizes"})
_MASK = frozenset({"pixel_attention_mask"})
_TYPES = frozenset({"token_type_ids"})
_CROSS = frozenset({"cross_attention_mask", "aspect_ratio_ids", "aspect_ratio_mask"})

_FAMILIES: dict[str, tuple[Callable[[], Parts], VisionFacts]] = {
    "qwen2_vl": (
        qwen.qwen2_vl,
        VisionFacts(_heads(_THREE, 4, 2, 12), _LANGUAGE, _GRID, m_rope=True),
    ),
    "qwen2_5_vl": (
        qwen.qwen2_5_vl,
        VisionFacts(_heads(_FOUR, 4, 2, 12), _LANGUAGE, _GRID, m_rope=True),
    ),
    "qwen3_vl": (
        qwen.qwen3_vl,
        VisionFacts(_heads(_FOUR, 4, 2, 16), _LANGUAGE, _GRID, m_rope=True),
    ),
    "llava": (llava.llava, VisionFacts(_heads(_THREE, 6, 2, 8), _LANGUAGE, strings="dropped")),
    "llava_next": (
        llava.llava_next,
        VisionFacts(
            _heads(_THREE, 4, 2, 12),
            _LANGUAGE,
            _SIZES,
            strings="dropped",
            generation_prompt=False,
        ),
    ),
    "llava_onevision": (
        llava.llava_onevision,
        VisionFacts(
            _heads(_THREE, 4, 2, 12), _LANGUAGE, _SIZES | {"batch_num_images"}, strings="dropped"
        ),
    ),
    "smolvlm": (
        idefics.smolvlm,
        VisionFacts(_heads(_THREE, 6, 2, 8), _TEXT, _MASK, strings="dropped"),
    ),
    "idefics3": (
        idefics.idefics3,
        VisionFacts(_heads(_THREE, 6, 2, 8), _TEXT, _MASK, strings="dropped"),
    ),
    "gemma3": (
        gemma.gemma3,
        VisionFacts(_heads(_FOUR, 4, 2, 16), _LANGUAGE, _TYPES, both_ways="picture"),
    ),
    "paligemma": (
        gemma.paligemma,
        VisionFacts(
            _heads(_THREE, 4, 1, 16),
            _LANGUAGE,
            _TYPES,
            discard=frozenset({"labels"}),
            both_ways="prompt",
            strings=None,
            system=None,
            text_only=False,
            mixed=False,
            cut="end",
        ),
    ),
    "internvl": (others.internvl, VisionFacts(_heads(_THREE, 4, 2, 12), _LANGUAGE)),
    "mistral3": (
        others.mistral3,
        VisionFacts(_heads(_THREE, 4, 2, 16), _LANGUAGE, _SIZES, generation_prompt=False),
    ),
    "mllama": (
        others.mllama,
        VisionFacts(
            _heads((0, 2, 4), 4, 2, 12),
            _LANGUAGE,
            _CROSS,
            cross_heads=_heads((1, 3), 4, 2, 12),
            system="refused",
            mixed=False,
            ragged=False,
            cut="after",
        ),
    ),
}
VISION_FAMILIES: tuple[str, ...] = tuple(_FAMILIES)


def build_vision(family: str, seed: int = 0) -> TinyVision:
    """A new model of a family and a new processor; the same weights for the same seed."""
    build, facts = _FAMILIES[family]
    parts = build()
    torch.manual_seed(seed)
    model = getattr(transformers, parts.model)(parts.config)
    initialise(model, seed)
    image_token_id = parts.processor.tokenizer.convert_tokens_to_ids(parts.image_token)
    return TinyVision(family, model.float().eval(), parts.processor, image_token_id, facts)
