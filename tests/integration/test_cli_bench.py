"""`headwise bench` and `headwise report`: figures, results that are kept, failures told."""

from __future__ import annotations

import json
import shutil

import pytest
from command_line import INSTRUCTION, PAIRS, done, failed, headwise, write_jsonl

from headwise import Rewards
from headwise.evaluation.results import BenchResult

# As many of each class as two seeds of one shot need, and some to score.
ROWS = tuple(
    {"text": f"the {noun} number {number}", "label": label, "split": "a" if number % 2 else "b"}
    for number in range(6)
    for noun, label in (("cat", "cats"), ("dog", "dogs"))
)
OPTIONS = ("--shots", "1", "--seeds", "2", "--task", "classes", "--instruction", INSTRUCTION)


@pytest.fixture
def rows(tmp_path):
    return write_jsonl(tmp_path / "rows.jsonl", ROWS)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "r.json"


def bench(rows, model_folder, *more):
    return ("bench", "--data-file", rows, *OPTIONS, "--model", model_folder, *more)


def test_methods_are_compared_and_a_page_is_made(rows, model_folder, out, tmp_path):
    pytest.importorskip("matplotlib")
    made = done(*bench(rows, model_folder, "--methods", "sav,zero-shot", "-o", out, "--json"))
    figures = json.loads(made.stdout)
    assert [(m["method"], m["role"], m["shots"]) for m in figures["methods"]] == [
        ("sav", "method", 1),
        ("zero-shot", "baseline", 0),
    ]
    for one in figures["methods"]:
        accuracy = one["figures"]["accuracy"]
        assert 0 <= accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1
    assert [(c["method"], c["reference"]) for c in figures["comparisons"]] == [("sav", "zero-shot")]
    found = BenchResult.read(out)
    assert [(r.method, r.seed) for r in found.runs] == [("sav", 0), ("sav", 1), ("zero-shot", 0)]
    assert found.command[:4] == ("headwise", "bench", "--methods", "sav,zero-shot")
    assert len(found.items) + 4 == len(ROWS)
    done("report", out, "-o", tmp_path / "page", "--title", "Animals")
    page = (tmp_path / "page" / "report.md").read_text("utf-8")
    assert page.startswith("# Animals\n")
    assert "| sav |" in page
    assert "| zero-shot |" in page


def test_a_finished_run_is_told_again_without_computing(rows, model_folder, out):
    command = bench(rows, model_folder, "--methods", "sav", "-o", out)
    first = done(*command)
    written = out.read_bytes()
    assert done(*command).stdout == first.stdout
    # Seconds too, for they are of the ledger.
    assert out.read_bytes() == written
    other = bench(rows, model_folder, "--methods", "zero-shot", "-o", out)
    assert "another job, which differs in methods." in failed(2, *other)
    done(*other, "--overwrite")


def test_a_method_that_fails_is_told_and_the_others_are_kept(rows, model_folder, out, tmp_path):
    missing = f"fitted:{tmp_path / 'nowhere'}"
    result = headwise(*bench(rows, model_folder, "--methods", f"sav,{missing}", "-o", out))
    assert result.exit_code == 1
    assert "1 of 3 runs failed" in result.stderr
    assert "nowhere" in result.stderr
    assert "sav" in result.stdout
    assert [run.method for run in BenchResult.read(out).failed] == [missing]


def test_rewards_that_were_saved_together_take_part_and_a_new_fit_is_another_method(
    tmp_path, model_folder, rewards_folder, out
):
    pairs = write_jsonl(tmp_path / "pairs.jsonl", PAIRS)
    folder = shutil.copytree(rewards_folder, tmp_path / "both")
    options = ("--model", model_folder, "--methods", f"fitted:{folder}", "-o", out)
    command = ("bench", "--data-file", pairs, "--shots", "0", *options)
    done(*command)
    both = Rewards.from_pretrained(folder)
    [run] = BenchResult.read(out).runs
    for pair, output in zip(PAIRS, run.outputs, strict=True):
        rewards = both.score([pair["prompt"]] * 2, [pair["chosen"], pair["rejected"]])
        assert output.rewards == pytest.approx(rewards.tolist(), abs=1e-4)
    Rewards(both.criteria, {"better": 2.0}).save_pretrained(folder)
    assert "another job" in failed(2, *command)


def test_pairs_are_told_from_their_columns(tmp_path, model_folder):
    pairs = write_jsonl(tmp_path / "pairs.jsonl", PAIRS)
    options = ("--shots", "1", "--seeds", "1", "--model", model_folder, "--fit-on", "transfer")
    made = done("bench", "--data-file", pairs, *options, "--methods", "sparse-reward", "--json")
    figures = json.loads(made.stdout)
    assert figures["main_figure"] == "pair accuracy"
    [table] = figures["transfers"]
    assert table["splits"] == ["even", "odd"]
    assert all(0 <= cell["value"] <= 1 for row in table["cells"] for cell in row)


def test_support_may_be_a_file_of_its_own_that_does_not_overlap(rows, model_folder, tmp_path):
    support = write_jsonl(
        tmp_path / "support.jsonl", ({**row, "text": f"{row['text']}!"} for row in ROWS)
    )
    command = bench(rows, model_folder, "--methods", "sav", "--support-file")
    assert json.loads(done(*command, support, "--json").stdout)["items"] == len(ROWS)
    assert "12 scored items ask what support items ask" in failed(2, *command, rows)


def test_what_there_is_is_listed():
    names = [
        one["name"] for one in json.loads(done("bench", "list", "--json").stdout)["benchmarks"]
    ]
    assert {"rewardbench", "eurosat", "winoground"} <= set(names)
    assert "rewardbench" in done("bench", "list").stdout
    methods = json.loads(done("bench", "methods", "--json").stdout)
    assert "sav" in methods["classes"]["methods"]
    assert "zero-shot" in methods["classes"]["baselines"]
    assert "leave out --shots" in failed(2, "bench", "list", "--shots", "3")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--methods", "savv"), "no method 'savv' for the task 'classes'; choose among sav,"),
        (("--shots", "few"), "--shots is a number"),
        (("--shots", "6"), "has 6 items that can be support, but 6 shots"),
        (("--judge", "x"), "has no answers rated"),
        (("-o", "r.txt"), "name r.txt with .json"),
        (("--overwrite",), "-o RESULTS.json"),
        (("--data", "x"), "one or the other"),
    ],
)
def test_bad_input_is_told_before_a_model_is_loaded(rows, options, message):
    command = ("bench", "--data-file", rows, *OPTIONS, "--model", "/no/such/model", *options)
    assert message in failed(2, *command)


def test_data_that_could_be_anything_needs_its_task(rows):
    assert "--task classes" in failed(2, "bench", "--data-file", rows)
    assert "headwise bench list" in failed(2, "bench")
    assert "There is no benchmark 'rewardbenhc'" in failed(2, "bench", "rewardbenhc")
    assert "--data-file" in failed(2, "bench", "rewardbench", "--label", "x")


def test_a_results_file_of_an_unknown_run_is_not_written_over(rows, model_folder, out):
    out.write_text("{}")
    command = bench(rows, model_folder, "--methods", "zero-shot", "-o", out)
    assert "no ledger beside it" in failed(2, *command)
    assert out.read_text() == "{}"


def test_a_report_needs_results(tmp_path, out):
    assert "There is no file" in failed(2, "report", out, "-o", tmp_path)
    out.write_text("{}")
    assert "not a result of headwise bench" in failed(2, "report", out, "-o", tmp_path / "page")
    assert "is a file" in failed(2, "report", out, "-o", out)
