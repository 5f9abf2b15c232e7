"""Grouped attention is plain attention, whichever way the groups are read."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from headwise.engines.transformers.grouped_attention import (
    folded_attention,
    grouped_attention,
    grouped_sdpa,
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


class Causal(nn.Module):
    """What transformers hands to attention as the module."""

    is_causal = True


def attended(model: PreTrainedModel, *parts: Tensor | None) -> Tensor:
    """`(rows, q, heads, d)`, by what `grouped_sdpa` has a model call."""
    with grouped_sdpa(model):
        attend = AttentionInterface()[model.config._attn_implementation]
    found: Tensor = attend(Causal(), *parts, scaling=SCALE)[0]
    return found


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("length", [1, 5, 31, 32, 33, 63, 150, 600])
def test_a_row_is_the_same_to_the_bit_in_a_longer_batch(
    tiny_model: PreTrainedModel, length: int
) -> None:
    query, key, value = drawn(3, 6, 613, 8), drawn(3, 2, 613, 8), drawn(3, 2, 613, 8)
    together = attended(tiny_model, query, key, value, None)
    own = [part[1:2, :, :length] for part in (query, key, value)]
    assert torch.equal(attended(tiny_model, *own, None)[0], together[1, :length])


@pytest.mark.parametrize("start", [1, 40, 64, 149])
@pytest.mark.parametrize("as_bool", [True, False])
def test_a_row_is_the_same_to_the_bit_behind_a_prefix(
    tiny_model: PreTrainedModel, start: int, as_bool: bool
) -> None:
    query, key, value = drawn(2, 6, 150, 8), drawn(2, 2, 150, 8), drawn(2, 2, 150, 8)
    whole = attended(tiny_model, query, key, value, None)
    seen = torch.ones(150, 150, dtype=torch.bool).tril()[None, None, start:]
    mask = seen if as_bool else (~seen).float() * torch.finfo(torch.float32).min
    rest = attended(tiny_model, query[:, :, start:], key, value, mask)
    assert torch.equal(rest, whole[:, start:])
    step = attended(tiny_model, query[:, :, -1:], key, value, None)
    assert torch.equal(step, whole[:, -1:])


def test_tiles_are_plain_attention(tiny_model: PreTrainedModel) -> None:
    query, key, value, mask = example(3, 6, 2)
    found = attended(tiny_model, query, key, value, mask)
    assert torch.allclose(found, plain(query, key, value, mask).transpose(1, 2), atol=1e-5)
    causal = (
        torch.full((5, 5), torch.finfo(torch.float32).min).triu(1)[None, None].expand(3, 1, 5, 5)
    )
    expected = plain(query, key[:, :, :5], value[:, :, :5], causal).transpose(1, 2)
    found = attended(tiny_model, query, key[:, :, :5], value[:, :, :5], None)
    assert torch.allclose(found, expected, atol=1e-5)
