"""The speed benchmark compares like with like, and reports what it found."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from benchmarks import naive, speed
from benchmarks.memory import peak_bytes
from benchmarks.report import main as report_main
from benchmarks.report import render, render_page
from benchmarks.results import (
    Case,
    CaseResult,
    Check,
    Comparison,
    ModelResult,
    SearchRun,
    SpeedReport,
    ratio_of,
)
from benchmarks.subjects import random_llama
from benchmarks.texts import INSTRUCTION, running_words, text_of_length, topics
from benchmarks.timing import Contender, Timer, Timing
from benchmarks.whole_search import NAIVE, PUBLISHED
from transformers import LlamaConfig, PreTrainedModel, PreTrainedTokenizerFast

from headwise import SparseAttentionVectors, TransformersEngine
from headwise.heads import HeadVectors
from headwise.prompts.classification import ClassificationPrompt
from headwise.prompts.conversation import Conversation
from headwise.selection.reinforce import Reinforce
from headwise.selection.search import SearchTask

CPU = torch.device("cpu")
DATA = topics(3, 6)
TARGET = "Yes"
PROMPTS = ("the cat sat on the mat", "Is this a good answer? Answer:", "a")


def encoded(engine: TransformersEngine) -> list[list[int]]:
    """The support prompts' tokens, by the tokenizer alone."""
    prompt = ClassificationPrompt(INSTRUCTION)
    texts = [
        engine.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt.conversation(example).messages[0].content}],
            tokenize=False,
            add_generation_prompt=True,
        )
        for example in (*DATA.support, *DATA.queries)
    ]
    return [engine.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]


def vectors_of(engine: TransformersEngine) -> HeadVectors:
    return engine.capture(
        [Conversation.completion("the dog"), Conversation.completion("No")]
    ).mean()


# --- The naive procedures find what headwise finds --------------------------------------------


def test_naive_counts_and_predictions_are_those_of_headwise(
    tiny_engine: TransformersEngine,
) -> None:
    fitted = SparseAttentionVectors.paper(instruction=INSTRUCTION).fit(tiny_engine, DATA.support)
    prompts, n = encoded(tiny_engine), len(DATA.support)
    published = naive.fit_classifier(tiny_engine.model, prompts[:n], DATA.labels, n_kept=5)
    for head, score in zip(fitted.heads, fitted.heads.scores, strict=True):
        assert int(published.counts[head.layer, head.head]) == round(score * n)
    best = sorted(published.counts.flatten().tolist(), reverse=True)[:5]
    assert [int(published.counts[place]) for place in published.heads] == best

    # Ties between heads may be broken otherwise, so votes are compared on the same heads.
    heads = tuple((head.layer, head.head) for head in fitted.heads)
    same = naive.NaiveClassifier(heads, fitted.readout.centroids, published.counts)
    queries = [example.text for example in DATA.queries]
    activations = tiny_engine.capture(
        [ClassificationPrompt(INSTRUCTION).conversation(e) for e in DATA.queries]
    )
    similar = fitted.readout.similarities(activations).argmax(dim=2)
    for row, ids in enumerate(prompts[n:]):
        assert naive.votes(tiny_engine.model, same, ids) == similar[row].tolist()
        predicted = fitted.classes[naive.predict(tiny_engine.model, same, ids)]
        assert predicted == fitted.predict(queries[row : row + 1])[0]


def test_naive_centroids_are_those_of_headwise(tiny_engine: TransformersEngine) -> None:
    fitted = SparseAttentionVectors.paper(instruction=INSTRUCTION).fit(tiny_engine, DATA.support)
    prompts, n = encoded(tiny_engine), len(DATA.support)
    published = naive.fit_classifier(tiny_engine.model, prompts[:n], DATA.labels, n_kept=1_000)
    theirs = dict(zip(published.heads, published.centroids, strict=True))
    for head, ours in zip(fitted.heads, fitted.readout.centroids, strict=True):
        torch.testing.assert_close(ours, theirs[head.layer, head.head], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_naive_losses_are_those_of_headwise(tiny_engine: TransformersEngine, prompt: str) -> None:
    engine, conversation, vectors = tiny_engine, Conversation.completion(prompt), None
    vectors = vectors_of(engine)
    masks = naive.first_masks(engine.layout.n_heads, 12, seed=3)
    masks[0], masks[1] = False, True
    ours = engine.mask_losses([conversation], [TARGET], vectors, masks)[:, 0]
    ids = engine.tokenizer(prompt)["input_ids"]
    target = engine.tokenizer(prompt + TARGET)["input_ids"][len(ids)]
    theirs = naive.mask_losses(engine.model, ids, target, vectors.values, masks)
    assert float(theirs.std()) > 0.01
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=0)


def test_the_naive_epoch_draws_the_masks_that_the_published_search_draws(
    tiny_engine: TransformersEngine,
) -> None:
    conversation, vectors = Conversation.completion(PROMPTS[0]), vectors_of(tiny_engine)
    task = SearchTask((conversation,), (TARGET,), vectors)
    search = Reinforce(epochs=1, masks_per_epoch=8, final_masks=1, seed=5)
    found = search.search(tiny_engine, task, task)
    masks = naive.first_masks(tiny_engine.layout.n_heads, 8, seed=5)
    losses = tiny_engine.mask_losses([conversation], [TARGET], vectors, masks)
    assert found.epoch_losses[0] == pytest.approx(float(losses.mean()), rel=1e-5)


def test_an_epoch_learns_which_head_lowers_the_loss() -> None:
    logits = naive.first_epoch(lambda masks: 1.0 - masks[:, 4].float(), 9, 64, seed=0)
    assert int(logits.argmax()) == 4
    assert float(logits[4]) > -1


def test_naive_procedures_leave_no_hook(tiny_model: PreTrainedModel) -> None:
    before = naive.all_logits(tiny_model, [5, 6, 7])
    vectors = [torch.ones(6, 8)] * 3
    naive.last_token_heads(tiny_model, [5, 6])
    steered = naive.steered_logits(tiny_model, [5, 6, 7], vectors, torch.ones(18, dtype=torch.bool))
    assert not torch.allclose(steered, before[-1], atol=0.1)
    assert torch.equal(naive.all_logits(tiny_model, [5, 6, 7]), before)
    hooks = [p._forward_hooks or p._forward_pre_hooks for p in naive.projections(tiny_model)]
    assert not any(hooks)


# --- Timing -----------------------------------------------------------------------------------


def test_contenders_take_turns_and_each_is_first_once() -> None:
    calls: list[str] = []
    contenders = [
        Contender("a", "headwise", lambda: calls.append("a"), calls=2),
        Contender("b", "naive", lambda: calls.append("b"), warm=lambda: calls.append("warm")),
    ]
    timings = Timer(CPU, repeats=2).measure(contenders)
    assert calls == ["a", "warm", "a", "b", "a", "b", "a", "a"]
    assert [len(timing.seconds) for timing in timings] == [2, 2]
    assert all(value > 0 for timing in timings for value in timing.seconds)


def test_preparation_is_not_timed_and_a_part_is_scaled_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def spend(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr("benchmarks.timing.time.perf_counter", lambda: now)
    contender = Contender(
        "a", "naive", lambda: spend(2), calls=3, scale=10, prepare=lambda: spend(100)
    )
    (timing,) = Timer(CPU, repeats=2).measure([contender])
    assert timing.seconds == (20.0, 20.0)


def test_ratios_are_taken_within_a_repeat() -> None:
    # A machine twice as slow in the second repeat leaves the ratio as it is.
    timings = (
        Timing("ours", "headwise", (1.0, 2.0, 1.0), 0),
        Timing("naive", "naive", (10.0, 20.0, 13.0), 0),
    )
    speedup = ratio_of(Comparison("ours", "naive", "speedup", 9.0), timings)
    assert (speedup.low, speedup.median, speedup.high) == (10.0, 10.0, 13.0)
    assert speedup.is_met is True
    cost = ratio_of(Comparison("naive", "ours", "cost", 9.0), timings)
    assert (cost.low, cost.median, cost.high) == (10.0, 10.0, 13.0)
    assert cost.is_met is False
    assert ratio_of(Comparison("naive", "ours", "cost"), timings).is_met is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the mark is reset on Linux only")
def test_peak_memory_is_that_of_the_call_alone() -> None:
    def take(mebibytes: int) -> None:
        torch.ones(mebibytes * 2**18)

    peak_bytes(lambda: take(8), CPU)
    assert 180 < peak_bytes(lambda: take(200), CPU) / 2**20 < 260
    assert peak_bytes(lambda: take(20), CPU) / 2**20 < 80


@pytest.mark.parametrize("n_tokens", [16, 33, 128])
def test_prompts_have_the_length_asked_for(
    tiny_tokenizer: PreTrainedTokenizerFast, n_tokens: int
) -> None:
    def count(text: str) -> int:
        return len(tiny_tokenizer(text)["input_ids"])

    text = text_of_length(n_tokens, count, running_words(), "\nTopic:")
    assert n_tokens - 2 <= count(text) <= n_tokens
    assert text.endswith("\nTopic:")


def test_the_large_model_is_made_in_bfloat16(tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
    )
    model = random_llama(config, "cpu", seed=0)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert torch.get_default_dtype() == torch.float32
    engine = TransformersEngine(model, tiny_tokenizer)
    assert engine.layout.n_heads == 8


# --- Reports ----------------------------------------------------------------------------------

RESULT = CaseResult(
    "search-16",
    "One search epoch",
    "Masks on one prompt.",
    (
        Timing("headwise", "headwise", (0.5, 0.25), 3 * 2**20),
        Timing("naive", "naive", (10.0, 10.0), 2**20, "timed on 2 masks, times 16"),
    ),
    (
        ratio_of(
            Comparison("headwise", "naive", "speedup", 25.0),
            (
                Timing("headwise", "headwise", (0.5, 0.25), 0),
                Timing("naive", "naive", (10.0, 10.0), 0),
            ),
        ),
    ),
    (Check("difference", 0.1, 0.01),),
)
RUNS = (
    SearchRun(PUBLISHED, 70.0, 2.0, 2.1, 40),
    SearchRun(NAIVE, 6_000.0, 2.0, 2.1, 40, measured=False, note="0.3 s a mask"),
    SearchRun("quick one", 10.0, 1.9, 2.0, 30),
    SearchRun("quicker, worse", 1.0, 2.5, 2.6, 30),
)
REPORT = SpeedReport(
    command="python -m benchmarks.speed",
    started="2026-01-01T00:00:00+00:00",
    seed=0,
    repeats=2,
    quick=False,
    machine={"cores": "2"},
    versions={"torch": "2"},
    models=(ModelResult("tiny", (RESULT,), RUNS),),
)


def test_a_report_reads_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "speed.json"
    REPORT.write(path)
    assert SpeedReport.read(path) == REPORT
    assert [file.name for file in path.parent.iterdir()] == ["speed.json"]


def test_a_report_states_ratio_spread_target_and_failed_check() -> None:
    text = render(REPORT)
    assert "| headwise: times faster than naive | 30.0 | 20.0 to 40.0 | at least 25 | yes |" in text
    assert "| naive | 10.00 s | 10.00 s to 10.00 s | 1 MiB | timed on 2 masks, times 16 |" in text
    assert "difference: 0.1 (at most 0.01) **does not hold**" in text
    # Of those that reach the published loss the fastest counts, against the naive search.
    assert "quick one, 600 times faster than the naive published search" in text
    assert "| published search, naive | 6,000.0 s (worked out) |" in text


def test_a_missed_target_and_a_quick_run_are_said() -> None:
    missed = replace(RESULT, ratios=(replace(RESULT.ratios[0], target=50.0),))
    report = replace(REPORT, quick=True, models=(ModelResult("tiny", (missed,)),))
    assert "at least 50 | **no** |" in render(report)
    assert "figures mean nothing" in render(report)
    assert "figures mean nothing" not in render(REPORT)


def test_targets_can_be_left_out() -> None:
    case = Case("c", "C", "", (Contender("a", "naive", int),), (Comparison("a", "a", "cost", 1.1),))
    result = case.without_targets().run(Timer(CPU, 1))
    assert [ratio.target for ratio in result.ratios] == [None]


def test_the_page_of_the_docs_is_made_from_the_json(tmp_path: Path) -> None:
    REPORT.write(tmp_path / "speed.json")
    report_main([str(tmp_path / "speed.json"), "-o", str(tmp_path / "docs" / "speed.md")])
    page = (tmp_path / "docs" / "speed.md").read_text(encoding="utf-8")
    assert page == render_page(REPORT)
    assert "benchmarks/naive.py" in page


# --- The command ------------------------------------------------------------------------------


def test_one_command_measures_everything_and_all_checks_hold(
    tmp_path: Path, tiny_model: PreTrainedModel, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    tiny_model.save_pretrained(tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    given = ["--quick", "--repeats", "1", "--whole-search", "--no-gpu-7b"]
    speed.main([*given, "--model", str(tmp_path / "model"), "-o", str(tmp_path / "out" / "speed")])
    report = SpeedReport.read(tmp_path / "out" / "speed.json")
    (model,) = report.models
    names = [case.name for case in model.cases]
    assert names[:3] == ["sav-fit-shared", "sav-fit", "sav-query"]
    assert names[3:] == [
        "search-16",
        "search-64",
        "reward-judged",
        "reward-likelihood",
        "generation",
        "generation-begun",
    ]
    assert [
        (case.name, check) for case in model.cases for check in case.checks if not check.holds
    ] == []
    assert sum(len(case.checks) for case in model.cases) >= 8
    assert [run.name for run in model.whole_search][:2] == [PUBLISHED, NAIVE]
    assert (tmp_path / "out" / "speed.md").read_text(encoding="utf-8") == render(report)
    assert json.loads((tmp_path / "out" / "speed.json").read_text(encoding="utf-8"))["quick"]


@pytest.mark.parametrize("given", [["--cases", "sav,none"], ["--repeats", "0"], ["--cases", ","]])
def test_wrong_arguments_are_refused(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        speed.main(given)
    assert stopped.value.code == 2
    assert "expected" in capsys.readouterr().err
