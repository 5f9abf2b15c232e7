"""Tiny random vision-language models, one a family, each with its real processor.

Everything is offline, seeded, float32 and in eval mode, and works without torchvision. What is
stated of a family (`VisionFacts`) comes from its published architecture and chat template, not from
headwise, so that tests can hold one against the other. What an engine author meets:

- Processor outputs belong together: everything in `VisionFacts.extras` must reach the forward pass
  of the prompt, and nothing of it the passes after a cache, but for the attention mask and Mllama's
  `cross_attention_mask`. `append_tokens` says how each grows with a continuation.
- Rotary positions of three axes (qwen2_vl, qwen2_5_vl, qwen3_vl): `model.model.get_rope_index(
  input_ids, mm_token_type_ids=, image_grid_thw=, attention_mask=)` gives `(positions, deltas)`, of
  shapes `(3, batch, tokens)` and `(batch, 1)`. A text token after a cached prompt has position
  `cached tokens + delta` on all axes. A forward pass with a picture leaves its deltas in
  `model.model.rope_deltas`, where the next pass with a cache finds them, whichever prompt it is of:
  pass `position_ids` when prompts take turns.
- Attention both ways: gemma3 among the tokens of one picture (`token_type_ids` 1, in the windowed
  layers as well), paligemma in the whole prompt (`token_type_ids` 0; 1 for a suffix). A cache cut
  inside such a block is not what one pass over the longer text gives. Neither mask is made on a
  pass after a filled cache; without `token_type_ids` they are silently causal.
- paligemma has no chat template and needs a picture. Its processor writes the begin token after the
  pictures and a newline at the end, counts positions from one, and also returns `labels`, which are
  for training; `VisionFacts.discard` names them.
- mllama's cross-attention layers have heads as well (`cross_attn.o_proj`), which read pictures and
  never text; without a picture those layers are skipped and their projections see nothing. Its
  picture token is outside the vocabulary that it writes.
- llava, llava_next, llava_onevision, smolvlm and idefics3 silently drop a content that is a plain
  string: contents must be lists of parts. The first three also write a turn's pictures first.
- llava_next and mistral3 write the same with and without a generation prompt.
- Pictures go to a processor as a list for each row. One row's pixels may be padded because of
  another row's (`pixel_attention_mask`, `image_sizes`).
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
        inputs = self.processor.apply_chat_template(
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
