"""`headwise label`: the best and worst completion of each prompt, in TRL's preference format."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command_line import done, failed, read_jsonl, write_jsonl

from headwise import Rewards
from headwise.artifacts import from_pretrained

ANSWERS = ("the good answer", "a bad answer", "the cat sat", "no dog")
LISTED = tuple(
    {"prompt": f"question {n}?", "completions": [f"{a} {n}" for a in ANSWERS], "topic": f"t{n}"}
    for n in range(3)
)


@pytest.fixture
def samples(tmp_path):
    return write_jsonl(tmp_path / "samples.jsonl", LISTED)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "pairs.jsonl"


def rewards_of(folder, row):
    answers = row["completions"]
    return from_pretrained(folder).score([row["prompt"]] * len(answers), answers)


@pytest.mark.parametrize("form", ["scalar", "ranked"])
def test_each_prompt_gives_its_best_and_its_worst(request, samples, out, form):
    folder = request.getfixturevalue(f"{form}_folder")
    figures = json.loads(done("label", folder, samples, "-o", out, "--json").stdout)
    pairs = read_jsonl(out)
    assert len(pairs) == len(LISTED) == figures["pairs"] == figures["prompts"]
    for pair, row in zip(pairs, LISTED, strict=True):
        rewards = rewards_of(folder, row)
        assert pair["prompt"] == row["prompt"]
        assert pair["chosen"] == row["completions"][int(np.argmax(rewards))]
        assert pair["rejected"] == row["completions"][int(np.argmin(rewards))]
        assert pair["margin"] == pytest.approx(rewards.max() - rewards.min(), abs=1e-4)
        assert pair["topic"] == row["topic"]
        assert set(pair) == {"prompt", "chosen", "rejected", "margin", "topic"}


def test_rows_of_one_completion_are_grouped(tmp_path, scalar_folder, samples, out):
    rows = [{"prompt": r["prompt"], "completion": c} for r in LISTED for c in r["completions"]]
    single = write_jsonl(tmp_path / "single.jsonl", rows)
    done("label", scalar_folder, single, "-o", out)
    other = tmp_path / "other.jsonl"
    done("label", scalar_folder, samples, "-o", other)
    kept = ("prompt", "chosen", "rejected", "margin")
    assert [[pair[name] for name in kept] for pair in read_jsonl(out)] == [
        [pair[name] for name in kept] for pair in read_jsonl(other)
    ]


def test_chats_stay_chats(tmp_path, scalar_folder, out):
    chats = [
        {
            "prompt": [{"role": "user", "content": row["prompt"]}],
            "completions": [[{"role": "assistant", "content": c}] for c in row["completions"]],
        }
        for row in LISTED
    ]
    texts = [{**chat, "completions": LISTED[n]["completions"]} for n, chat in enumerate(chats)]
    done("label", scalar_folder, write_jsonl(tmp_path / "chats.jsonl", chats), "-o", out)
    pairs = read_jsonl(out)
    for pair, chat in zip(pairs, chats, strict=True):
        assert pair["prompt"] == chat["prompt"]
        assert pair["chosen"] in chat["completions"]
        assert pair["rejected"] in chat["completions"]
    second = tmp_path / "second.jsonl"
    done("label", scalar_folder, write_jsonl(tmp_path / "texts.jsonl", texts), "-o", second)
    assert read_jsonl(second) == pairs


def test_trl_reads_what_it_writes(scalar_folder, samples, out):
    datasets = pytest.importorskip("datasets")
    trl = pytest.importorskip("trl.data_utils")
    done("label", scalar_folder, samples, "-o", out)
    row = datasets.Dataset.from_list(read_jsonl(out))[0]
    assert not trl.is_conversational(row)
    assert {"prompt", "chosen", "rejected"} <= set(trl.maybe_extract_prompt(row))


def test_another_margin_needs_no_model(tmp_path, scalar_folder, samples, out, monkeypatch):
    done("label", scalar_folder, samples, "-o", out)
    margins = sorted(pair["margin"] for pair in read_jsonl(out))
    monkeypatch.setattr("headwise.cli.models.load_engine_of", None)
    figures = json.loads(
        done(
            *("label", scalar_folder, samples, "-o", out, "--json"),
            *("--min-margin", (margins[0] + margins[1]) / 2),
        ).stdout
    )
    assert sorted(pair["margin"] for pair in read_jsonl(out)) == margins[1:]
    assert figures["resumed_rows"] == len(LISTED) * len(ANSWERS)


def test_criteria_that_were_saved_together_label_by_their_sum(rewards_folder, samples, out):
    done("label", rewards_folder, samples, "-o", out)
    both = Rewards.from_pretrained(rewards_folder)
    for pair, row in zip(read_jsonl(out), LISTED, strict=True):
        answers = row["completions"]
        rewards = both.score([row["prompt"]] * len(answers), answers)
        assert pair["chosen"] == answers[rewards.argmax()]
        assert pair["rejected"] == answers[rewards.argmin()]
        assert pair["margin"] == pytest.approx(rewards.max() - rewards.min(), abs=1e-4)


def test_ties_give_no_pair(tmp_path, scalar_folder, out):
    tied = write_jsonl(tmp_path / "tied.jsonl", [{"prompt": "q?", "completions": ["a", "a"]}])
    done("label", scalar_folder, tied, "-o", out)
    assert read_jsonl(out) == []


def test_pairs_go_to_stdout(scalar_folder, samples, out):
    printed = done("label", scalar_folder, samples).stdout
    done("label", scalar_folder, samples, "-o", out)
    assert printed == out.read_text()


def test_what_is_not_ours_is_left(scalar_folder, samples, out):
    out.write_text('{"mine": 1}\n')
    assert "--overwrite" in failed(2, "label", scalar_folder, samples, "-o", out)
    assert out.read_text() == '{"mine": 1}\n'
    done("label", scalar_folder, samples, "-o", out, "--overwrite")
    assert len(read_jsonl(out)) == len(LISTED)


def test_another_input_is_refused(tmp_path, scalar_folder, samples, out):
    done("label", scalar_folder, samples, "-o", out)
    other = write_jsonl(tmp_path / "other.jsonl", LISTED[:2])
    assert "another job" in failed(2, "label", scalar_folder, other, "-o", out)


def test_bad_rows_are_told(tmp_path, scalar_folder, classifier_folder, samples, out):
    rows = [*LISTED, {"prompt": "q?", "completions": "text"}]
    bad = write_jsonl(tmp_path / "bad.jsonl", rows)
    assert "bad.jsonl:4" in failed(2, "label", scalar_folder, bad, "-o", out)
    done("label", scalar_folder, bad, "-o", out, "--skip-bad")
    assert len(read_jsonl(out)) == len(LISTED)
    assert "no reward model" in failed(2, "label", classifier_folder, samples, "-o", out)
