"""The slow, plain way to do what an engine does: one unpadded full forward pass a question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from headwise.heads import HeadVectors, Steering
from headwise.prompts.conversation import Conversation
from tiny_models import Family
from tiny_tokenizer import EOS_ID

_TITLES = {"system": "System", "user": "User", "assistant": "Assistant"}


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """A change of one head's output at some tokens.

    Args:
        layer: Decoder layer.
        head: Query head.
        vector: `(head_dim,)`.
        positions: Token positions.
        add: Whether the vector is added; it replaces the output otherwise.
    """

    layer: int
    head: int
    vector: Tensor
    positions: tuple[int, ...]
    add: bool = False


class Reference:
    """A family's model, run on one sequence at a time, with edits where asked.

    Args:
        family: The family; the reference builds a model of its own.
        tokenizer: The tokenizer that the engine under test has, too.
    """

    def __init__(self, family: Family, tokenizer: PreTrainedTokenizerFast) -> None:
        self.family = family
        self.model: PreTrainedModel = family.build()
        self.tokenizer = tokenizer

    def text(self, conversation: Conversation) -> str:
        """The text a conversation stands for."""
        if conversation.text is not None:
            return conversation.text
        turns = [{"role": m.role, "content": m.content} for m in conversation.messages]
        if self.tokenizer.chat_template:
            text = self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True
            )
            return text + conversation.prefill
        lines = [f"{_TITLES[turn['role']]}: {turn['content']}" for turn in turns]
        end = f"Assistant: {conversation.prefill}" if conversation.prefill else "Assistant:"
        return "\n\n".join([*lines, end])

    def prompt(self, conversation: Conversation) -> list[int]:
        """The token ids of a conversation."""
        chat = conversation.text is None and bool(self.tokenizer.chat_template)
        return self.tokenizer(self.text(conversation), add_special_tokens=not chat)["input_ids"]

    def target(self, conversation: Conversation, target: str) -> list[int]:
        """The token ids with which a continuation follows a conversation."""
        text = self.text(conversation)
        before = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        joined = self.tokenizer(text + target, add_special_tokens=False)["input_ids"]
        if joined[: len(before)] == before:
            return joined[len(before) :]
        return self.tokenizer(target, add_special_tokens=False)["input_ids"]

    @torch.no_grad()
    def logits(self, ids: Sequence[int], edits: Iterable[Edit] = ()) -> Tensor:
        """Logits of one sequence, `(T, vocabulary)` float64."""
        with self._edited(tuple(edits)):
            return self.model(torch.tensor([list(ids)]), use_cache=False).logits[0].double()

    def target_logprobs(
        self, prompt: Sequence[int], target: Sequence[int], edits: Iterable[Edit] = ()
    ) -> Tensor:
        """Log-probability of each token of a continuation, `(m,)` float64."""
        logits = self.logits([*prompt, *target], edits)
        rows = logits[len(prompt) - 1 : -1].log_softmax(dim=-1)
        return rows[torch.arange(len(target)), torch.tensor(list(target))]

    def greedy(self, conversation: Conversation, n: int, steering: Steering | None = None) -> str:
        """Greedy text, one full forward pass a token."""
        prompt = self.prompt(conversation)
        ids = list(prompt)
        for _ in range(n):
            last = len(prompt) - 1
            stop = len(ids) if steering and steering.positions == "generated" else last + 1
            edits = steering_edits(steering, range(last, stop)) if steering else []
            token = int(self.logits(ids, edits)[-1].argmax())
            if token == EOS_ID:
                break
            ids.append(token)
        return self.tokenizer.decode(ids[len(prompt) :], skip_special_tokens=True)

    @contextmanager
    def _edited(self, edits: tuple[Edit, ...]) -> Iterator[None]:
        handles = []
        for heads in self.family.heads:
            own = [edit for edit in edits if edit.layer == heads.layer]
            if own:
                projection = self.family.projection_module(self.model, heads.layer)
                hook = _edit_hook(own, heads.head_dim)
                handles.append(projection.register_forward_pre_hook(hook))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def steering_edits(steering: Steering, positions: Iterable[int]) -> list[Edit]:
    """What a steering does at some positions."""
    at = tuple(positions)
    add = steering.operation == "add"
    return [
        Edit(index.layer, index.head, steering.scale * vector, at, add)
        for index, vector in zip(steering.heads, steering.vectors, strict=True)
    ]


def mask_edits(mask: Tensor, vectors: HeadVectors, positions: Iterable[int]) -> list[Edit]:
    """What a mask `(H,)` in layout order does at some positions."""
    at = tuple(positions)
    chosen = [head for head, on in zip(vectors.layout, mask.tolist(), strict=True) if on]
    return [Edit(head.layer, head.head, vectors.vector(head), at) for head in chosen]


def _edit_hook(edits: list[Edit], head_dim: int) -> Callable[..., tuple[Tensor, ...]]:
    def hook(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        output = args[0].clone()
        for edit in edits:
            columns = slice(edit.head * head_dim, (edit.head + 1) * head_dim)
            for position in edit.positions:
                old = output[0, position, columns] if edit.add else 0.0
                output[0, position, columns] = edit.vector + old
        return (output, *args[1:])

    return hook
