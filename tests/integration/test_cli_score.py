"""`headwise score`: rewards and margins as the library gives them, in the order of the file."""

from __future__ import annotations

import json

import pytest
from command_line import PAIRS, done, failed, read_jsonl, write_jsonl

from headwise import Rewards
from headwise.artifacts import from_pretrained
from headwise.examples import Preference

# Responses to five prompts, scattered over the file, three to each.
SCATTERED = tuple(
    {"prompt": f"question {n % 5}?", "response": f"answer {n}", "label": n % 2 == 0}
    for n in range(15)
)


@pytest.fixture
def pairs(tmp_path):
    return write_jsonl(tmp_path / "pairs.jsonl", PAIRS)


@pytest.fixture
def responses(tmp_path):
    return write_jsonl(tmp_path / "responses.jsonl", SCATTERED)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.jsonl"


def preferences():
    return [Preference(pair["prompt"], pair["chosen"], pair["rejected"]) for pair in PAIRS]


def test_pairs_gain_rewards_and_a_margin(scalar_folder, pairs, out):
    result = done("score", scalar_folder, pairs, "-o", out, "--json")
    rows = read_jsonl(out)
    margins = from_pretrained(scalar_folder).margins(preferences())
    assert [row["margin"] for row in rows] == pytest.approx(margins.tolist(), abs=1e-4)
    for row, pair in zip(rows, PAIRS, strict=True):
        assert row["margin"] == row["reward_chosen"] - row["reward_rejected"]
        assert {name: row[name] for name in pair} == pair
    figures = json.loads(result.stdout)
    assert figures["pair_accuracy"] == sum(margins > 0) / len(PAIRS)
    assert figures["mean_margin"] == pytest.approx(margins.mean(), abs=1e-4)
    assert set(figures["pair_accuracy_by_split"]) == {"even", "odd"}
    assert figures["mean_reward"] is None


def test_ranked_pairs_gain_a_margin_only(ranked_folder, pairs, out):
    done("score", ranked_folder, pairs, "-o", out)
    rows = read_jsonl(out)
    margins = from_pretrained(ranked_folder).margins(preferences())
    assert [row["margin"] for row in rows] == pytest.approx(margins.tolist(), abs=1e-4)
    assert "reward_chosen" not in rows[0]


@pytest.mark.parametrize("form", ["scalar", "ranked"])
def test_responses_gain_a_reward_in_the_order_of_the_file(request, responses, out, form):
    folder = request.getfixturevalue(f"{form}_folder")
    done("score", folder, responses, "-o", out)
    rows = read_jsonl(out)
    assert [row["response"] for row in rows] == [row["response"] for row in SCATTERED]
    rewards = from_pretrained(folder).score(
        [row["prompt"] for row in SCATTERED], [row["response"] for row in SCATTERED]
    )
    assert [row["reward"] for row in rows] == pytest.approx(rewards.tolist(), abs=1e-4)


def test_judged_responses_have_an_accuracy(scalar_folder, responses, out):
    figures = json.loads(done("score", scalar_folder, responses, "-o", out, "--json").stdout)
    rows = read_jsonl(out)
    right = [(row["reward"] > 0) == row["label"] for row in rows]
    assert figures["accuracy"] == pytest.approx(sum(right) / len(right))
    assert figures["mean_reward"] == pytest.approx(sum(row["reward"] for row in rows) / len(rows))
    assert figures["pair_accuracy"] is None


def test_the_summary_is_for_people(scalar_folder, pairs, out):
    result = done("score", scalar_folder, pairs, "-o", out)
    assert "pair accuracy" in result.stderr
    assert result.stdout == ""


def test_an_interrupted_ranked_job_goes_on_to_the_same_bytes(tmp_path, ranked_folder, out):
    rows = [{"prompt": f"question {n // 3}?", "response": f"answer {n}"} for n in range(201)]
    file = write_jsonl(tmp_path / "many.jsonl", rows)
    done("score", ranked_folder, file, "-o", out)
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    for n_left in (1, 67, 130):
        out.write_bytes(b"".join(lines[:n_left]) + lines[n_left][:9])
        done("score", ranked_folder, file, "-o", out)
        assert out.read_bytes() == whole


def test_a_prompt_with_one_response_cannot_be_ranked(tmp_path, ranked_folder, out):
    rows = [*SCATTERED, {"prompt": "alone?", "response": "yes"}]
    file = write_jsonl(tmp_path / "alone.jsonl", rows)
    message = failed(2, "score", ranked_folder, file, "-o", out, "--model", "no/such-model")
    assert "alone.jsonl:16" in message
    assert not out.exists()


def test_long_responses_are_cut_marked_and_counted(tmp_path, scalar_folder, out):
    rows = [{"prompt": "why?", "response": "z" * 100_000}, {"prompt": "why?", "response": "so"}]
    file = write_jsonl(tmp_path / "long.jsonl", rows)
    result = done("score", scalar_folder, file, "-o", out, "--json")
    assert [row["truncated"] for row in read_jsonl(out)] == [True, False]
    assert json.loads(result.stdout)["truncated_rows"] == 1
    assert result.stderr.count("Warning:") == 1


def test_long_turns_of_a_chat_prompt_are_cut_marked_and_counted(tmp_path, scalar_folder, out):
    chat = [{"role": "user", "content": "z" * 10_000}]
    file = write_jsonl(tmp_path / "chat.jsonl", [{"prompt": chat, "chosen": "a", "rejected": "b"}])
    done("score", scalar_folder, file, "-o", out)
    assert read_jsonl(out)[0]["truncated"] is True
    assert read_jsonl(out)[0]["prompt"] == chat


def test_columns_may_be_named(tmp_path, scalar_folder, out):
    rows = [{"asked": "why?", "said": "so", "left": "a", "right": "b"}]
    file = write_jsonl(tmp_path / "named.jsonl", rows)
    done("score", scalar_folder, file, "-o", out, "--prompt", "asked", "--response", "said")
    assert "reward" in read_jsonl(out)[0]
    columns = ("--prompt", "asked", "--chosen", "left", "--rejected", "right")
    done("score", scalar_folder, file, "-o", out, "--overwrite", *columns)
    assert "margin" in read_jsonl(out)[0]


def test_an_answer_column_is_a_response(tmp_path, scalar_folder, out):
    file = write_jsonl(tmp_path / "answers.jsonl", [{"question": "why?", "answer": "so"}])
    done("score", scalar_folder, file, "-o", out)
    assert "reward" in read_jsonl(out)[0]


def test_pairs_come_from_stdin(scalar_folder, pairs):
    result = done("score", scalar_folder, "-", stdin=pairs.read_text())
    assert [json.loads(line)["prompt"] for line in result.stdout.splitlines()] == [
        pair["prompt"] for pair in PAIRS
    ]


@pytest.mark.parametrize(
    ("rows", "arguments", "words"),
    [
        ([{"text": "a", "label": "b"}], (), "no column for the prompt"),
        ([{"prompt": "a", "chosen": "b"}], ("--chosen", "chosen"), "no column for the rejected"),
        ([{"prompt": "a"}], (), "no column for the completion"),
        ([], (), "no row"),
        (PAIRS, ("--chosen", "chosen", "--response", "rejected"), "one or the other"),
        (PAIRS, ("--prompt", "asked"), "no column 'asked'"),
    ],
)
def test_bad_data_is_told_before_a_model_is_loaded(tmp_path, scalar_folder, rows, arguments, words):
    file = write_jsonl(tmp_path / "rows.jsonl", rows)
    assert words in failed(2, "score", scalar_folder, file, *arguments, "--model", "no/such")


def test_a_classifier_is_no_reward_model(classifier_folder, pairs):
    assert "headwise predict" in failed(2, "score", classifier_folder, pairs)


def test_criteria_that_were_saved_together_are_told_apart(rewards_folder, responses, out):
    done("score", rewards_folder, responses, "-o", out)
    rows = read_jsonl(out)
    found = Rewards.from_pretrained(rewards_folder).score_each(
        [row["prompt"] for row in SCATTERED], [row["response"] for row in SCATTERED]
    )
    assert [row["reward"] for row in rows] == pytest.approx(found.rewards.tolist(), abs=1e-4)
    for name in ("good", "better"):
        told = [row["criteria"][name] for row in rows]
        assert told == pytest.approx(found[name].rewards.tolist(), abs=1e-4)


def test_pairs_of_criteria_gain_their_margins(tmp_path, rewards_folder, scalar_folder, pairs, out):
    done("score", rewards_folder, pairs, "-o", out)
    rows = read_jsonl(out)
    both = Rewards.from_pretrained(rewards_folder)
    assert [row["margin"] for row in rows] == pytest.approx(
        both.margins(preferences()).tolist(), abs=1e-4
    )
    alone = from_pretrained(scalar_folder).margins(preferences())
    assert [row["criteria"]["good"] for row in rows] == pytest.approx(alone.tolist(), abs=1e-4)
    assert "reward_chosen" not in rows[0]
    Rewards({"good": both.criteria["good"]}, {"good": 2.0}).save_pretrained(tmp_path / "twice")
    done("score", tmp_path / "twice", pairs, "-o", out, "--overwrite")
    for row, margin in zip(read_jsonl(out), alone, strict=True):
        assert row["margin"] == row["reward_chosen"] - row["reward_rejected"]
        assert row["margin"] == pytest.approx(2 * margin, abs=1e-4)
        assert row["criteria"]["good"] == pytest.approx(margin, abs=1e-4)


def test_another_weight_is_another_job(tmp_path, rewards_folder, responses, out):
    done("score", rewards_folder, responses, "-o", out)
    both = Rewards.from_pretrained(rewards_folder)
    Rewards(both.criteria, {"better": 2.0}).save_pretrained(tmp_path / "other")
    assert "--overwrite" in failed(2, "score", tmp_path / "other", responses, "-o", out)
