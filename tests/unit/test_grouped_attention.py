"""Grouped attention is plain attention, whichever way the groups are read."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from headwise.engines.transformers.grouped_attention import (
    folded_attention,
    grouped_attention,
    masked_attention,
)

SCALE = 0.3


def example(rows: int, heads: int, kv_heads: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    query, key, value = (
        draw(rows, heads, 5, 4),
        draw(rows, kv_heads, 9, 4),
        draw(rows, kv_heads, 9, 4),
    )
    hidden = draw(rows, 1, 5, 9) > 0.5
    hidden[..., 0] = False
    return query, key, value, hidden.float() * torch.finfo(torch.float32).min


def plain(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """`(rows, heads, q, d)`, one head at a time."""
    group = query.shape[1] // key.shape[1]
    heads = [
        (query[:, j] @ key[:, j // group].mT * SCALE + mask[:, 0]).softmax(-1)
        @ value[:, j // group]
        for j in range(query.shape[1])
    ]
    return torch.stack(heads, dim=1)


@pytest.mark.parametrize(("heads", "kv_heads"), [(6, 2), (4, 1), (3, 3)])
@pytest.mark.parametrize("rows", [1, 3])
def test_equals_attention_of_one_head_at_a_time(rows: int, heads: int, kv_heads: int) -> None:
    parts = example(rows, heads, kv_heads)
    expected = plain(*parts)
    found, _ = masked_attention(nn.Identity(), *parts, scaling=SCALE, dropout=0.0)
    assert torch.allclose(found, expected.transpose(1, 2), atol=1e-5)
    assert torch.allclose(folded_attention(*parts, SCALE), expected, atol=1e-5)


@pytest.mark.parametrize("added", ["s_aux", "softcap", "position_bias"])
def test_what_an_architecture_adds_is_refused(added: str) -> None:
    with pytest.raises(NotImplementedError, match=added):
        masked_attention(nn.Identity(), *example(1, 2, 2), **{added: torch.ones(1)})


def test_a_step_without_a_mask_is_refused() -> None:
    query, key, value, _ = example(1, 2, 2)
    with pytest.raises(NotImplementedError, match="mask"):
        masked_attention(nn.Identity(), query, key, value, None)


def test_a_model_gets_its_own_attention_back(tiny_model: PreTrainedModel) -> None:
    own = tiny_model.config._attn_implementation
    during = []

    def fail() -> None:
        with grouped_attention(tiny_model):
            during.append(tiny_model.config._attn_implementation)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert during != [own]
    assert tiny_model.config._attn_implementation == own
