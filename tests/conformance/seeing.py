"""What the tests of models that see are given: engine and plain reference, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headwise.content import Image, as_image, parts_of
from headwise.engines.transformers import TransformersEngine
from headwise.heads import HeadLayout, HeadSet, HeadVectors, LayerHeads, Steering
from headwise.prompts.conversation import Conversation, Message
from tiny_models import Heads
from tiny_vision_models import TinyVision, build_vision

from .reference import Edit, _edit_hook, steering_edits

CANDIDATES = ("Yes", " No", " a good answer")
LENGTH = 5


def picture(width: int, height: int, seed: int) -> Image:
    """A picture of coarse colours: noise would vanish where it is made smaller."""
    coarse = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    enlarged = coarse.repeat(-(-height // 4), axis=0).repeat(-(-width // 4), axis=1)
    return as_image(enlarged[:height, :width])


WIDE, TALL, OTHER = picture(60, 40, 0), picture(30, 70, 1), picture(60, 40, 2)
TURNS = (
    Message("user", (WIDE, "the cat sat on")),
    Message("assistant", "the mat"),
    Message("user", "and the dog?"),
)
ASKED = Conversation.user((WIDE, "What is this?"))
TWO = Conversation.user((WIDE, "the cat", TALL, " sat on the mat"))
TEXT = Conversation.user("Is this a good answer?")
RAW = Conversation.completion(("the dog ", TALL, " sat on"))
TALK = Conversation(TURNS, prefill="Answer:")
TWO_RAW = Conversation.completion((OTHER, TALL, " the cat sat"))


@dataclass(frozen=True, slots=True, eq=False)
class Seeing:
    """An engine that sees, and the same model run plainly.

    Args:
        tiny: Model, processor and what is known of them; the engine's own.
        engine: The engine, with a token budget that takes all conversations at once.
        plain: The same model again, with no engine around it.
    """

    tiny: TinyVision
    engine: TransformersEngine
    plain: TinyVision

    @classmethod
    def of(cls, family: str) -> Seeing:
        """The subject of one family."""
        tiny = build_vision(family)
        engine = TransformersEngine(tiny.model, tiny.processor, model_id=family, token_budget=4096)
        return cls(tiny, engine, build_vision(family))

    def with_budget(self, token_budget: int) -> TransformersEngine:
        """An engine that batches fewer tokens at once."""
        return TransformersEngine(
            self.tiny.model, self.tiny.processor, token_budget=token_budget, verify_layout=False
        )

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        """With one picture, with two, with none where the family takes it, chat and raw."""
        text = (TEXT,) if self.tiny.facts.text_only else ()
        return (ASKED, *text, TWO, TALK, TWO_RAW)

    @property
    def heads(self) -> tuple[Heads, ...]:
        """Every layer's heads, by layer."""
        facts = self.tiny.facts
        return tuple(sorted((*facts.heads, *facts.cross_heads), key=lambda one: one.layer))

    @property
    def layout(self) -> HeadLayout:
        """The layout that the family is stated to have."""
        return HeadLayout(tuple(LayerHeads(h.layer, h.n_heads, h.head_dim) for h in self.heads))

    def projection(self, tiny: TinyVision, layer: int) -> nn.Module:
        """The output projection of one layer."""
        path = tiny.facts.projection.format(layer)
        if layer in [one.layer for one in tiny.facts.cross_heads]:
            path = path.replace("self_attn", "cross_attn")
        return tiny.model.get_submodule(path)

    def steering(self, **how: Any) -> Steering:
        """A steering of a head of the first layer and two of the last with random vectors."""
        first, last = self.heads[0], self.heads[-1]
        heads = HeadSet.of([(last.layer, last.n_heads - 1), (first.layer, 1), (last.layer, 0)])
        generator = torch.Generator().manual_seed(0)
        width = {one.layer: one.head_dim for one in self.heads}
        vectors = [torch.randn(width[index.layer], generator=generator) for index in heads]
        return Steering(heads, tuple(vectors), **how)

    def vectors(self) -> HeadVectors:
        """A random vector for every head."""
        generator = torch.Generator().manual_seed(5)
        values = [torch.randn(h.n_heads, h.head_dim, generator=generator) for h in self.heads]
        return HeadVectors(self.layout, tuple(values))

    def masks(self, n: int) -> Tensor:
        """`(n, H)` masks: no head, every head, and random ones."""
        n_heads = sum(one.n_heads for one in self.heads)
        masks = torch.rand(n, n_heads, generator=torch.Generator().manual_seed(3)) < 0.3
        masks[0], masks[1:2] = False, True
        return masks

    def inputs(self, conversation: Conversation) -> dict[str, Tensor]:
        """What a user's own call of the processor gives for a conversation."""
        tiny = self.plain
        images = [image.load() for image in conversation.images]
        if conversation.text is None and not conversation.prefill and tiny.processor.chat_template:
            return tiny.chat(_messages(conversation))
        text, start = self.text(conversation), tiny.processor.tokenizer.bos_token
        if conversation.text is None and start and text.startswith(start):
            # As the chat template's own call does: the text has its beginning already.
            processor: Any = tiny.processor
            inputs = processor(
                images=[images], text=[text], add_special_tokens=False, return_tensors="pt"
            )
            return {name: inputs[name] for name in inputs if name not in tiny.facts.discard}
        return tiny.complete([text], [images] if images else None)

    def text(self, conversation: Conversation) -> str:
        """A conversation's text with the family's own places for pictures."""
        processor: Any = self.plain.processor
        place = str(processor.image_token)
        if conversation.text is not None:
            if self.plain.family.startswith("qwen"):
                place = f"<|vision_start|>{place}<|vision_end|>"
            return _flat(conversation.text, place)
        if processor.chat_template:
            text = processor.apply_chat_template(
                _messages(conversation), tokenize=False, add_generation_prompt=True
            )
            return str(text) + conversation.prefill
        titles = {"user": "User", "assistant": "Assistant"}
        lines = [f"{titles[m.role]}: {_flat(m.content, place)}" for m in conversation.messages]
        end = f"Assistant: {conversation.prefill}" if conversation.prefill else "Assistant:"
        return "\n\n".join([*lines, end])

    def target(self, conversation: Conversation, target: str) -> list[int]:
        """The token ids with which a continuation follows a conversation."""
        tokenizer: Any = self.plain.processor.tokenizer
        tail = self.text(conversation)[-8:]
        if self.plain.facts.both_ways == "prompt":
            tail += "\n"
        before = tokenizer(tail, add_special_tokens=False)["input_ids"]
        joined = tokenizer(tail + target, add_special_tokens=False)["input_ids"]
        if joined[: len(before)] == before:
            return joined[len(before) :]
        return tokenizer(target, add_special_tokens=False)["input_ids"]

    @torch.no_grad()
    def logits(
        self, conversation: Conversation, then: Sequence[int] = (), edits: Iterable[Edit] = ()
    ) -> Tensor:
        """Logits of one plain pass over a conversation and what follows, `(T, vocabulary)`."""
        inputs = self.inputs(conversation)
        if then:
            inputs = self.plain.append_tokens(inputs, torch.tensor([list(then)]))
        with self._edited(tuple(edits)):
            return self.plain.model(**inputs, use_cache=False).logits[0].double()

    def n_tokens(self, conversation: Conversation) -> int:
        """Tokens of a conversation."""
        return self.inputs(conversation)["input_ids"].shape[1]

    def logprobs(
        self, conversation: Conversation, target: Sequence[int], edits: Iterable[Edit] = ()
    ) -> Tensor:
        """Log-probability of each token of a continuation, `(m,)`."""
        logits = self.logits(conversation, target[:-1], edits)
        rows = logits[-len(target) :].log_softmax(dim=-1)
        return rows[torch.arange(len(target)), torch.tensor(list(target))]

    def greedy(self, conversation: Conversation, steering: Steering) -> str:
        """Greedy text, one full pass a token."""
        tiny = self.plain
        ends = tiny.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        last, said = self.n_tokens(conversation) - 1, list[int]()
        for _ in range(LENGTH):
            stop = last + 1 + (len(said) if steering.positions == "generated" else 0)
            edits = steering_edits(steering, range(last, stop))
            token = int(self.logits(conversation, said, edits)[-1].argmax())
            if token in ends:
                break
            said.append(token)
        return tiny.processor.tokenizer.decode(said, skip_special_tokens=True)

    @contextmanager
    def _edited(self, edits: tuple[Edit, ...]) -> Iterator[None]:
        handles = []
        for heads in self.heads:
            own = [edit for edit in edits if edit.layer == heads.layer]
            if own:
                hook = _edit_hook(own, heads.head_dim)
                module = self.projection(self.plain, heads.layer)
                handles.append(module.register_forward_pre_hook(hook))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _messages(conversation: Conversation) -> list[dict[str, Any]]:
    return [
        {
            "role": turn.role,
            "content": [
                {"type": "image", "image": part.load()}
                if isinstance(part, Image)
                else {"type": "text", "text": part}
                for part in parts_of(turn.content)
            ],
        }
        for turn in conversation.messages
    ]


def _flat(content: Any, place: str) -> str:
    return "".join(place if isinstance(part, Image) else part for part in parts_of(content))
