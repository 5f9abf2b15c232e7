"""The LoRA core: it learns, stops by held-out loss, and leaves the model bit for bit as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from headwise.baselines.lora_adapter import LoraShape, inserted
from headwise.baselines.lora_training import (
    Choice,
    Continuation,
    LoraTraining,
    train_lora,
)
from headwise.engines.open_model import DifferentiableEngine
from headwise.engines.transformers import TransformersEngine
from headwise.errors import EngineError, InputError
from headwise.prompts.conversation import Conversation
from seeing_engine import SeeingEngine, colored
from tiny_models import family
from tiny_tokenizer import build_tokenizer
from tiny_vision_models import build_vision

pytest.importorskip("peft")

LABELS = ("Yes", "No")
TEXTS = ("the cat sat", "a good answer", "the dog sat on the mat", "Hi and Hi")
EVALUATED = [Conversation.user(text) for text in (*TEXTS, "something else")]
QUICK = LoraTraining(learning_rate=5e-3, epochs=12, epochs_without_validation=12, batch_size=4)


def choice(conversation: Conversation, right: int, labels: Sequence[str] = LABELS) -> Choice:
    return Choice(tuple((Continuation(conversation, label),) for label in labels), right)


CHOICES = [choice(Conversation.user(text), number % 2) for number, text in enumerate(TEXTS)]


def engine_of(name: str = "llama", **options: Any) -> TransformersEngine:
    return TransformersEngine(family(name).build(), build_tokenizer(), **options)


def state(model: PreTrainedModel) -> tuple[Any, ...]:
    """All that training could change in a model."""
    modules = tuple((name, id(module)) for name, module in model.named_modules())
    flags = tuple((n, id(p), p.requires_grad, p.grad is None) for n, p in model.named_parameters())
    return modules, flags, tuple(sorted(vars(model))), model.training


def right_share(engine: TransformersEngine) -> float:
    found = engine.token_logprobs([Conversation.user(text) for text in TEXTS], LABELS)
    return float((found.argmax(1) == torch.tensor([0, 1, 0, 1])).double().mean())


@pytest.mark.parametrize("name", ["llama", "gpt2", "gpt_oss", "qwen3_next"])
def test_it_learns_and_leaves_the_model_bit_for_bit_as_it_was(name: str) -> None:
    engine = engine_of(name)
    assert isinstance(engine, DifferentiableEngine)
    engine.model.get_output_embeddings().weight.requires_grad_(False)
    before, there = engine.token_logprobs(EVALUATED, LABELS), state(engine.model)
    weights = [parameter.detach().clone() for parameter in engine.model.parameters()]
    trained = train_lora(engine, CHOICES, settings=QUICK)
    assert trained.training_losses[-1] < 0.5 * trained.training_losses[0]
    assert torch.equal(engine.token_logprobs(EVALUATED, LABELS), before)
    assert state(engine.model) == there
    assert all(map(torch.equal, engine.model.parameters(), weights))
    with trained.adapter.applied(engine):
        assert right_share(engine) == 1.0
        adapted = engine.token_logprobs(EVALUATED, LABELS)
    assert not torch.allclose(adapted, before, atol=1e-2)
    assert torch.equal(engine.token_logprobs(EVALUATED, LABELS), before)
    assert state(engine.model) == there


def test_the_loss_is_the_cross_entropy_among_options() -> None:
    engine = engine_of()
    trained = train_lora(engine, CHOICES[:1], CHOICES, QUICK)
    logprobs = engine.token_logprobs([c.options[0][0].conversation for c in CHOICES], LABELS)
    rights = torch.tensor([c.right for c in CHOICES])
    expected = torch.nn.functional.cross_entropy(logprobs, rights)
    assert trained.held_out_losses[0] == pytest.approx(float(expected), abs=1e-4)


def test_weights_and_conversations_may_differ_from_option_to_option() -> None:
    engine = engine_of()
    pair = [Conversation.user("the cat"), Conversation.user("the dog sat on")]
    options = [(Continuation(c, " Yes"), Continuation(c, " No", -1.0)) for c in pair]
    trained = train_lora(engine, [Choice(tuple(options))], [Choice(tuple(options))], QUICK)
    yes, no = engine.token_logprobs(pair, [" Yes", " No"]).unbind(1)
    margin = (yes - no)[0] - (yes - no)[1]
    expected = float(-torch.nn.functional.logsigmoid(margin))
    assert trained.held_out_losses[0] == pytest.approx(expected, abs=1e-4)
    alone = train_lora(engine, [Choice(options[:1])], [Choice(options[:1])], QUICK)
    assert alone.held_out_losses[0] == pytest.approx(-float((yes - no)[0]), abs=1e-4)


def test_a_step_in_parts_is_the_same_step() -> None:
    long = [choice(Conversation.user(text * 3), 0) for text in TEXTS]
    found = [
        train_lora(
            engine_of(token_budget=budget), long, settings=LoraTraining(tokens_at_once=at_once)
        )
        for at_once, budget in ((10_000, 10_000), (1, 1))
    ]
    for name, weight in found[0].adapter.weights.items():
        assert torch.allclose(weight, found[1].adapter.weights[name], atol=1e-4), name


def test_the_seed_decides_and_the_users_random_numbers_go_on() -> None:
    engine = engine_of()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = train_lora(engine, CHOICES, settings=QUICK)
    assert torch.equal(torch.rand(3), expected)
    again = train_lora(engine_of(), CHOICES, settings=QUICK)
    other = train_lora(engine_of(), CHOICES, settings=LoraTraining(seed=1))
    names = list(first.adapter.weights)
    assert all(torch.equal(first.adapter.weights[n], again.adapter.weights[n]) for n in names)
    assert not torch.equal(first.adapter.weights[names[0]], other.adapter.weights[names[0]])


def test_training_stops_and_goes_back_where_held_out_loss_rises() -> None:
    opposite = [choice(c.options[0][0].conversation, 1 - c.right) for c in CHOICES]
    how = LoraTraining(learning_rate=5e-3, epochs=40, patience=2)
    trained = train_lora(engine_of(), CHOICES, opposite, how)
    losses = trained.held_out_losses
    assert trained.best_epoch == losses.index(min(losses))
    assert len(trained.training_losses) == trained.best_epoch + 2 < 40
    if trained.best_epoch == 0:
        engine = engine_of()
        before = engine.token_logprobs(EVALUATED, LABELS)
        with trained.adapter.applied(engine):
            assert torch.allclose(engine.token_logprobs(EVALUATED, LABELS), before, atol=1e-6)


@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl", "paligemma", "mllama"])
def test_pictures_are_learned_from(name: str) -> None:
    tiny = build_vision(name)
    engine = TransformersEngine(tiny.model, tiny.processor)
    shown = [Conversation.user((colored(c), "the cat")) for c in ("red", "green", "blue")]
    choices = [choice(one, number % 2) for number, one in enumerate(shown)]
    before, there = engine.token_logprobs(shown, LABELS), state(tiny.model)
    trained = train_lora(engine, choices, settings=QUICK)
    assert trained.training_losses[-1] < 0.7 * trained.training_losses[0]
    with trained.adapter.applied(engine):
        assert not torch.allclose(engine.token_logprobs(shown, LABELS), before, atol=1e-2)
    assert torch.equal(engine.token_logprobs(shown, LABELS), before)
    assert state(tiny.model) == there
    assert not any("vision" in name or "visual" in name for name in trained.adapter.weights)


def test_an_error_in_the_block_leaves_no_trace() -> None:
    engine = engine_of()
    there = state(engine.model)
    with pytest.raises(RuntimeError), inserted(engine, LoraShape()):
        raise RuntimeError
    assert state(engine.model) == there


def test_a_half_precision_model_is_trained_in_full_precision() -> None:
    engine = TransformersEngine(family("llama").build().bfloat16(), build_tokenizer())
    trained = train_lora(engine, CHOICES, settings=QUICK)
    assert {one.dtype for one in trained.adapter.weights.values()} == {torch.float32}
    assert trained.training_losses[-1] < 0.7 * trained.training_losses[0]
    assert engine.model.dtype == torch.bfloat16
    # Steps that bfloat16 would round away add up.
    slow = replace(QUICK, learning_rate=1e-6)
    found = train_lora(engine, CHOICES, settings=slow).adapter.weights.values()
    assert all(not torch.equal(one, one.bfloat16().float()) for one in found)


def test_attention_alone_can_be_adapted() -> None:
    how = LoraTraining(shape=LoraShape(rank=2, targets="attention"))
    trained = train_lora(engine_of(), CHOICES, settings=how)
    assert all(".self_attn." in name for name in trained.adapter.weights)
    assert len(trained.adapter.weights) == 3 * 4 * 2


def test_what_cannot_be_trained_is_said() -> None:
    with pytest.raises(EngineError, match="does not hold"):
        train_lora(SeeingEngine(), CHOICES)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="nothing to train on"):
        train_lora(engine_of(), [])
    engine = engine_of()
    trained = train_lora(engine, CHOICES, settings=QUICK)
    with trained.adapter.applied(engine), pytest.raises(EngineError, match="adapters already"):
        train_lora(engine, CHOICES)
    with (
        pytest.raises(EngineError, match="other layers"),
        trained.adapter.applied(engine_of("qwen2")),
    ):
        pass
    with pytest.raises(InputError):
        LoraTraining(epochs=0)
    with pytest.raises(InputError):
        LoraShape(rank=0)
    with pytest.raises(InputError):
        Choice(((),))
