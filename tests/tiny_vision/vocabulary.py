"""The tiny tokenizer, with the special tokens that a family's processor asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from tiny_tokenizer import VOCAB_SIZE, build_tokenizer, quiet_tokens


def family_tokenizer(
    named: Mapping[str, str], others: Sequence[str] = (), *, adds_bos: bool = False
) -> PreTrainedTokenizerFast:
    """The tokenizer of `build_tokenizer` with more special tokens.

    Args:
        named: Tokens that processors read as attributes, such as `image_token`, by that name.
        others: More special tokens, after those.
        adds_bos: Whether plain text begins with `<|bos|>`.

    Returns:
        A tokenizer that pads on the left, without a chat template: processors carry it.
    """
    plain = build_tokenizer("bos" if adds_bos else "chatml")
    backend = plain.backend_tokenizer
    backend.add_special_tokens(
        [AddedToken(token, normalized=False, special=True) for token in [*named.values(), *others]]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=plain.bos_token,
        eos_token=plain.eos_token,
        pad_token=plain.pad_token,
        extra_special_tokens=dict(named),
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def loud_tokens(size: int) -> list[int]:
    """Tokens of a vocabulary of `size` that greedy text may be made of: ASCII, nothing special."""
    quiet = set(quiet_tokens())
    return [index for index in range(min(size, VOCAB_SIZE)) if index not in quiet]
