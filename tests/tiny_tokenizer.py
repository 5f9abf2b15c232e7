"""A tiny byte-level tokenizer, trained on three sentences, with and without a chat template."""

from __future__ import annotations

from functools import cache
from typing import Literal

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = ("<|pad|>", "<|bos|>", "<|im_start|>", "<|im_end|>")
PAD_ID, BOS_ID, _, EOS_ID = range(len(SPECIAL_TOKENS))
VOCAB_SIZE = 288
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CORPUS = (
    "the cat sat on the mat and the dog sat on the cat",
    "Is this a good answer? Answer: Yes or No",
    "user assistant system question label",
)
TokenizerKind = Literal["chatml", "bos", "plain"]


def quiet_tokens() -> list[int]:
    """Tokens that greedy text should not be full of: end markers and pieces of non-ASCII bytes."""
    vocabulary = _trained_tokenizer().get_vocab()
    ascii_only = set(CORPUS[0]) | {chr(code) for code in range(33, 127)} | {"Ġ"}
    return [
        index
        for token, index in vocabulary.items()
        if token in SPECIAL_TOKENS or not set(token) <= ascii_only
    ]


@cache
def _trained_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS * 4, trainer)
    return tokenizer


def build_tokenizer(kind: TokenizerKind = "chatml") -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of 288 tokens.

    Args:
        kind: `"chatml"` has a ChatML template and adds no token to plain text; `"bos"` begins
            plain text with `<|bos|>`, and its template writes `<|bos|>` as well; `"plain"` has
            neither a chat template nor a padding token.

    Returns:
        The tokenizer.
    """
    backend = Tokenizer.from_str(_trained_tokenizer().to_str())
    if kind == "bos":
        backend.post_processor = processors.TemplateProcessing(
            single="<|bos|> $A", pair="<|bos|> $A $B", special_tokens=[("<|bos|>", BOS_ID)]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=SPECIAL_TOKENS[BOS_ID],
        eos_token=SPECIAL_TOKENS[EOS_ID],
        pad_token=None if kind == "plain" else SPECIAL_TOKENS[PAD_ID],
        additional_special_tokens=["<|im_start|>"],
        clean_up_tokenization_spaces=False,
    )
    if kind != "plain":
        start = "{{ bos_token }}" if kind == "bos" else ""
        tokenizer.chat_template = start + CHATML
    return tokenizer
