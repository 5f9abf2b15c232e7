"""Tiny random language models, one a family, with facts stated by hand about where their heads are.

Everything is offline, seeded, float32 and in eval mode. The facts come from each family's published
architecture, not from headwise, so that tests can hold one against the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import nn
from transformers import PreTrainedModel

from tiny_tokenizer import BOS_ID, EOS_ID, PAD_ID, VOCAB_SIZE, quiet_tokens


@dataclass(frozen=True, slots=True)
class Heads:
    """What is known of one layer's heads.

    Args:
        layer: Decoder layer.
        n_heads: Query heads.
        n_kv_heads: Key-value heads; query head `j` reads value head `j // (n_heads / n_kv_heads)`.
        head_dim: Width of a head's output.
    """

    layer: int
    n_heads: int
    n_kv_heads: int
    head_dim: int


@dataclass(frozen=True, slots=True)
class Family:
    """A model family at toy size.

    Args:
        name: What tests call it.
        model: Name of the transformers model class.
        config: Keyword arguments of its configuration.
        n_layers: Decoder layers, with heads or not.
        heads: The layers that have softmax-attention heads.
        values: Which of the oracle's ways to read value vectors applies.
        projection: Path of a layer's output projection, the layer's number left as `{}`.
        window: Sliding window of the layers that have one.
    """

    name: str
    model: str
    config: Mapping[str, Any]
    n_layers: int
    heads: tuple[Heads, ...]
    values: str = "v_proj"
    projection: str = "model.layers.{}.self_attn.o_proj"
    window: int | None = None

    def __str__(self) -> str:
        return self.name

    def build(self, attn_implementation: str | None = None) -> PreTrainedModel:
        """A new model with the family's weights; always the same ones."""
        model_class = getattr(transformers, self.model)
        config = model_class.config_class(**_SHARED_CONFIG, **self.config)
        config._attn_implementation = attn_implementation
        torch.manual_seed(0)
        model = model_class(config)
        _initialise(model)
        return model.float().eval()

    def layer_module(self, model: nn.Module, layer: int) -> nn.Module:
        """One decoder layer of a model of this family."""
        return model.get_submodule(self.projection.split(".{}")[0]).get_submodule(str(layer))

    def projection_module(self, model: nn.Module, layer: int) -> nn.Module:
        """The attention output projection of one layer."""
        return model.get_submodule(self.projection.format(layer))

    def attention_module(self, model: nn.Module, layer: int) -> nn.Module:
        """The attention of one layer: what holds the output projection."""
        return model.get_submodule(self.projection.format(layer).rpartition(".")[0])


_SHARED_CONFIG = {
    "vocab_size": VOCAB_SIZE,
    "pad_token_id": PAD_ID,
    "bos_token_id": BOS_ID,
    "eos_token_id": EOS_ID,
    "tie_word_embeddings": False,
}


def _initialise(model: PreTrainedModel) -> None:
    """Draws weights large enough that heads differ and logits are far from uniform."""
    generator = torch.Generator().manual_seed(1)
    embedding = model.get_input_embeddings().weight
    head = model.get_output_embeddings().weight
    scale = 1.3 * embedding.shape[-1] ** -0.5
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter is embedding:
                parameter.copy_(noise)
            elif parameter.ndim >= 2:
                parameter.copy_(scale * noise)
            else:  # Norms, biases, sinks and decay rates stay near the family's own initial value.
                parameter.add_(0.2 * noise)
        head *= 3.0
        head[quiet_tokens()] *= 0.05


def _same(
    layers: tuple[int, ...], n_heads: int, n_kv_heads: int, head_dim: int
) -> tuple[Heads, ...]:
    return tuple(Heads(layer, n_heads, n_kv_heads, head_dim) for layer in layers)


def _decoder(hidden: int, layers: int, heads: int, kv_heads: int, **more: Any) -> dict[str, Any]:
    return {
        "hidden_size": hidden,
        "intermediate_size": 48,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": 512,
        **more,
    }


_FEW_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
_LINEAR_ATTENTION = {
    "layer_types": ["linear_attention", "full_attention"] * 2,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_conv_kernel_dim": 4,
}
_FALCON = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
_FALCON_SITE = "transformer.h.{}.self_attention.dense"

FAMILIES: tuple[Family, ...] = (
    Family("llama", "LlamaForCausalLM", _decoder(48, 3, 6, 2), 3, _same((0, 1, 2), 6, 2, 8)),
    Family("qwen2", "Qwen2ForCausalLM", _decoder(32, 3, 4, 2), 3, _same((0, 1, 2), 4, 2, 8)),
    Family(
        "qwen3",
        "Qwen3ForCausalLM",
        _decoder(32, 3, 4, 2, head_dim=16),
        3,
        _same((0, 1, 2), 4, 2, 16),
    ),
    Family(
        "mistral",
        "MistralForCausalLM",
        _decoder(32, 3, 4, 2, sliding_window=8),
        3,
        _same((0, 1, 2), 4, 2, 8),
        window=8,
    ),
    Family(
        "gemma3",
        "Gemma3ForCausalLM",
        _decoder(
            40,
            4,
            4,
            2,
            head_dim=16,
            query_pre_attn_scalar=16,
            sliding_window=8,
            layer_types=["sliding_attention", "full_attention"] * 2,
        ),
        4,
        _same((0, 1, 2, 3), 4, 2, 16),
        window=8,
    ),
    Family(
        "gemma4",
        "Gemma4ForCausalLM",
        _decoder(
            32,
            4,
            4,
            2,
            head_dim=8,
            global_head_dim=16,
            sliding_window=8,
            layer_types=["sliding_attention", "full_attention"] * 2,
            num_kv_shared_layers=2,
            hidden_size_per_layer_input=8,
            vocab_size_per_layer_input=VOCAB_SIZE,
        ),
        4,
        (Heads(0, 4, 2, 8), Heads(1, 4, 2, 16), Heads(2, 4, 2, 8), Heads(3, 4, 2, 16)),
        values="shared_v_norm",
        window=8,
    ),
    Family(
        "gpt2",
        "GPT2LMHeadModel",
        {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 512},
        3,
        _same((0, 1, 2), 4, 4, 8),
        values="c_attn",
        projection="transformer.h.{}.attn.c_proj",
    ),
    Family(
        "phi",
        "PhiForCausalLM",
        _decoder(32, 3, 4, 2),
        3,
        _same((0, 1, 2), 4, 2, 8),
        projection="model.layers.{}.self_attn.dense",
    ),
    Family(
        "phi3", "Phi3ForCausalLM", _decoder(32, 3, 4, 2), 3, _same((0, 1, 2), 4, 2, 8), "qkv_proj"
    ),
    Family(
        "opt",
        "OPTForCausalLM",
        {
            "hidden_size": 32,
            "word_embed_proj_dim": 16,
            "ffn_dim": 48,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "max_position_embeddings": 512,
        },
        3,
        _same((0, 1, 2), 4, 4, 8),
        projection="model.decoder.layers.{}.self_attn.out_proj",
    ),
    Family(
        "falcon",
        "FalconForCausalLM",
        {**_FALCON, "multi_query": True},
        3,
        _same((0, 1, 2), 4, 1, 8),
        "falcon_multi_query",
        _FALCON_SITE,
    ),
    Family(
        "falcon_new",
        "FalconForCausalLM",
        {**_FALCON, "new_decoder_architecture": True, "num_kv_heads": 2},
        3,
        _same((0, 1, 2), 4, 2, 8),
        "falcon_new",
        _FALCON_SITE,
    ),
    Family(
        "falcon_alibi",
        "FalconForCausalLM",
        {**_FALCON, "alibi": True, "multi_query": False, "parallel_attn": False, "bias": True},
        3,
        _same((0, 1, 2), 4, 4, 8),
        "interleaved_qkv",
        _FALCON_SITE,
    ),
    Family(
        "bloom",
        "BloomForCausalLM",
        {"hidden_size": 32, "n_layer": 3, "n_head": 4},
        3,
        _same((0, 1, 2), 4, 4, 8),
        "interleaved_qkv",
        _FALCON_SITE,
    ),
    Family(
        "gpt_neox",
        "GPTNeoXForCausalLM",
        {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "max_position_embeddings": 512,
        },
        3,
        _same((0, 1, 2), 4, 4, 8),
        "interleaved_qkv",
        "gpt_neox.layers.{}.attention.dense",
    ),
    Family(
        "mixtral",
        "MixtralForCausalLM",
        _decoder(32, 3, 4, 2, num_local_experts=4, num_experts_per_tok=2),
        3,
        _same((0, 1, 2), 4, 2, 8),
    ),
    Family(
        "qwen3_moe",
        "Qwen3MoeForCausalLM",
        _decoder(32, 3, 4, 2, head_dim=16, **_FEW_EXPERTS),
        3,
        _same((0, 1, 2), 4, 2, 16),
    ),
    Family(
        "gpt_oss",
        "GptOssForCausalLM",
        _decoder(
            32,
            4,
            4,
            2,
            head_dim=16,
            num_local_experts=4,
            num_experts_per_tok=2,
            sliding_window=8,
        ),
        4,
        _same((0, 1, 2, 3), 4, 2, 16),
        window=8,
    ),
    Family(
        "deepseek_v3",
        "DeepseekV3ForCausalLM",
        _decoder(
            32,
            3,
            4,
            4,
            q_lora_rank=12,
            kv_lora_rank=12,
            qk_rope_head_dim=4,
            qk_nope_head_dim=8,
            v_head_dim=6,
            first_k_dense_replace=1,
            n_routed_experts=4,
            num_experts_per_tok=2,
            moe_intermediate_size=16,
            n_group=1,
            topk_group=1,
        ),
        3,
        _same((0, 1, 2), 4, 4, 6),
        values="kv_b_proj",
    ),
    Family(
        "qwen3_next",
        "Qwen3NextForCausalLM",
        _decoder(
            32,
            4,
            4,
            2,
            head_dim=16,
            shared_expert_intermediate_size=16,
            **_FEW_EXPERTS,
            **_LINEAR_ATTENTION,
        ),
        4,
        _same((1, 3), 4, 2, 16),
        values="gated_v_proj",
    ),
    Family(
        "qwen3_5",
        "Qwen3_5ForCausalLM",
        _decoder(32, 4, 4, 2, head_dim=16, **_LINEAR_ATTENTION),
        4,
        _same((1, 3), 4, 2, 16),
        values="gated_v_proj",
    ),
    Family(
        "jamba",
        "JambaForCausalLM",
        _decoder(
            32,
            4,
            4,
            2,
            attn_layer_period=2,
            attn_layer_offset=1,
            num_experts=2,
            num_experts_per_tok=1,
            mamba_d_state=4,
            mamba_dt_rank=4,
        ),
        4,
        _same((1, 3), 4, 2, 8),
    ),
    Family(
        "lfm2",
        "Lfm2ForCausalLM",
        _decoder(
            32,
            4,
            4,
            2,
            layer_types=["conv", "full_attention", "conv", "full_attention"],
            block_multiple_of=16,
        ),
        4,
        _same((1, 3), 4, 2, 8),
        projection="model.layers.{}.self_attn.out_proj",
    ),
)


def family(name: str) -> Family:
    """The family of a name, such as `"llama"`."""
    return next(one for one in FAMILIES if one.name == name)
