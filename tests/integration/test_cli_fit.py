"""`headwise fit`: an artifact that the library loads, or an error before anything is computed."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from command_line import EXAMPLES, INSTRUCTION, PAIRS, done, failed, write_jsonl

from headwise.artifacts import folder as artifact_folder
from headwise.artifacts import read_folder


@pytest.fixture
def train(tmp_path):
    return write_jsonl(tmp_path / "train.jsonl", EXAMPLES)


@pytest.fixture
def pairs(tmp_path):
    return write_jsonl(tmp_path / "pairs.jsonl", PAIRS)


@pytest.fixture
def classifier(tmp_path, train, model_folder):
    """Arguments that fit a classifier into the folder `fitted`."""
    return "fit", "classifier", train, "-o", tmp_path / "fitted", "--model", model_folder


@pytest.fixture
def reward(tmp_path, pairs, model_folder):
    """Arguments that fit a reward model into the folder `fitted`."""
    arguments = ("fit", "reward", pairs, "-o", tmp_path / "fitted", "--model", model_folder)
    return *arguments, "--criterion", "It is good."


def settings_in(folder: Path) -> dict[str, object]:
    return read_folder(folder).parameters["settings"]  # type: ignore[return-value]


def test_the_summary_names_the_folder_and_the_next_step(tmp_path, classifier):
    result = done(*classifier)
    assert f"Saved to {tmp_path / 'fitted'}" in result.stdout
    assert f"headwise predict {tmp_path / 'fitted'}" in result.stdout
    assert "6 (cats 3, dogs 3)" in result.stdout


def test_json_is_one_object_with_the_figures(classifier, model_folder):
    figures = json.loads(done(*classifier, "--json", "--heads", 3).stdout)
    assert figures["classes"] == ["cats", "dogs"]
    assert figures["examples_per_class"] == {"cats": 3, "dogs": 3}
    assert figures["n_heads"] == len(figures["heads"]) == 3
    assert figures["model"] == str(model_folder)
    assert figures["bad_rows"] == figures["truncated_rows"] == 0
    assert 0 <= figures["held_out_accuracy"] <= 1


def test_quiet_says_nothing(classifier):
    result = done(*classifier, "--quiet")
    assert result.stdout == result.stderr == ""


def test_a_model_folder_is_remembered_wherever_it_was_named_from(
    tmp_path, train, model_folder, monkeypatch
):
    monkeypatch.chdir(model_folder.parent)
    done("fit", "classifier", train, "-o", tmp_path / "fitted", "--model", model_folder.name)
    assert read_folder(tmp_path / "fitted").base_model.model_id == str(model_folder)


def test_backslash_n_in_the_instruction_is_a_line_break(tmp_path, classifier):
    done(*classifier, "--instruction", r"Message: {text}\nIts animal?")
    assert read_folder(tmp_path / "fitted").prompt["instruction"] == INSTRUCTION


def test_options_reach_the_method(tmp_path, classifier):
    done(
        *classifier,
        *("--heads", 3, "--voting", "majority", "--head-scoring", "resubstitution"),
        *("--system", "Be brief.", "--max-text-tokens", 99, "--seed", 7),
    )
    settings = settings_in(tmp_path / "fitted")
    assert settings["n_heads"] == 3
    assert settings["voting"] == "majority"
    assert settings["head_scoring"] == "resubstitution"
    assert settings["system"] == "Be brief."
    assert settings["max_text_tokens"] == 99
    assert settings["seed"] == 7


def test_paper_is_the_published_procedure_and_other_options_still_count(tmp_path, classifier):
    done(*classifier, "--paper", "--voting", "soft")
    settings = settings_in(tmp_path / "fitted")
    assert settings["head_scoring"] == "resubstitution"
    assert settings["whitened"] is False
    assert settings["voting"] == "soft"


def test_heads_may_be_chosen_by_cross_validation(tmp_path, classifier):
    done(*classifier, "--heads", "auto")
    assert settings_in(tmp_path / "fitted")["n_heads"] == "auto"


@pytest.mark.parametrize("heads", ["0", "-3", "some", "1.5", ""])
def test_other_head_counts_are_bad_usage(classifier, heads):
    assert "--heads" in failed(2, *classifier, f"--heads={heads}")


def test_shots_are_drawn_for_each_class_by_the_seed(tmp_path, model_folder):
    rows = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(40)]
    train = write_jsonl(tmp_path / "many.jsonl", rows)
    texts = {}
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        out = tmp_path / name
        arguments = ("-o", out, "--model", model_folder, "--shots", 4, "--seed", seed, "--json")
        figures = json.loads(done("fit", "classifier", train, *arguments).stdout)
        assert figures["examples_per_class"] == {"a": 4, "b": 4}
        texts[name] = read_folder(out).tensors["centroids.0"].tolist()
    assert texts["one"] == texts["same"] != texts["other"]


def test_more_shots_than_there_are_is_told(classifier):
    assert "3 rows of 'cats' only, where 5" in done(*classifier, "--shots", 5).stderr


def test_examples_come_from_stdin(tmp_path, model_folder):
    lines = "".join(json.dumps(row) + "\n" for row in EXAMPLES)
    out = tmp_path / "fitted"
    done("fit", "classifier", "-", "-o", out, "--model", model_folder, stdin=lines)
    assert read_folder(out).statistics["n_examples"] == 6


def test_columns_may_be_named(tmp_path, model_folder):
    rows = [{"body": row["text"], "kind": row["label"], "text": "decoy"} for row in EXAMPLES]
    train = write_jsonl(tmp_path / "named.jsonl", rows)
    arguments = ("-o", tmp_path / "fitted", "--model", model_folder, "--json")
    result = done("fit", "classifier", train, *arguments, "--text", "body", "--label", "kind")
    assert json.loads(result.stdout)["classes"] == ["cats", "dogs"]


def test_bad_rows_are_named_or_skipped_and_counted(tmp_path, model_folder):
    rows = [*EXAMPLES, {"text": "", "label": "cats"}, {"text": "a cat"}]
    train = write_jsonl(tmp_path / "bad.jsonl", rows)
    arguments = ("fit", "classifier", train, "-o", tmp_path / "fitted", "--model", model_folder)
    message = failed(2, *arguments)
    assert "bad.jsonl:7" in message
    assert "bad.jsonl:8" in message
    result = done(*arguments, "--skip-bad", "--json")
    assert json.loads(result.stdout)["bad_rows"] == 2
    assert "2 of 8 rows were left out" in result.stderr


def test_a_row_without_a_column_of_the_instruction_is_a_bad_row(tmp_path, model_folder):
    rows = [{**row, "tone": "calm"} for row in EXAMPLES]
    del rows[4]["tone"]
    train = write_jsonl(tmp_path / "gaps.jsonl", rows)
    arguments = ("fit", "classifier", train, "-o", tmp_path / "fitted", "--model", model_folder)
    arguments = (*arguments, "--instruction", "{text} in tone {tone}")
    message = failed(2, *arguments)
    assert "gaps.jsonl:5" in message
    assert "'tone'" in message
    assert json.loads(done(*arguments, "--skip-bad", "--json").stdout)["bad_rows"] == 1


def test_long_texts_are_cut_told_and_counted(tmp_path, model_folder):
    rows = [*EXAMPLES, {"text": "meow " * 20_000, "label": "cats", "unused": "x " * 20_000}]
    train = write_jsonl(tmp_path / "long.jsonl", rows)
    arguments = ("-o", tmp_path / "fitted", "--model", model_folder, "--max-text-tokens", 64)
    result = done("fit", "classifier", train, *arguments, "--json")
    assert json.loads(result.stdout)["truncated_rows"] == 1
    warnings = [line for line in result.stderr.splitlines() if line.startswith("Warning: ")]
    assert [line for line in warnings if "1 texts longer than 64 tokens" in line] == warnings


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "is empty"),
        ([{"text": "a", "label": "x"}, {"text": "b", "label": "x"}], "one class only"),
        ([{"words": "a", "label": "x"}], "no column for the text"),
        ([{"text": "a", "colour": "x"}], "no column for the label"),
    ],
    ids=["no rows", "one class", "no text", "no label"],
)
def test_bad_data_is_told_before_a_model_is_loaded(tmp_path, rows, words):
    train = write_jsonl(tmp_path / "train.jsonl", rows)
    arguments = ("-o", tmp_path / "fitted", "--model", tmp_path / "no such model")
    assert words in failed(2, "fit", "classifier", train, *arguments)
    assert not (tmp_path / "fitted").exists()


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path, train):
    (tmp_path / "fitted").mkdir()
    (tmp_path / "fitted" / "thesis.txt").write_text("years of work")
    arguments = ("-o", tmp_path / "fitted", "--model", tmp_path / "no such model")
    assert "thesis.txt" in failed(1, "fit", "classifier", train, *arguments)
    assert (tmp_path / "fitted" / "thesis.txt").read_text() == "years of work"


def test_what_cannot_be_saved_in_its_place_is_saved_elsewhere(tmp_path, classifier, monkeypatch):
    write_file = artifact_folder.write_file

    def full(path: Path, content: bytes) -> None:
        if ".fitted." in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        write_file(path, content)

    monkeypatch.setattr(artifact_folder, "write_file", full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    message = failed(1, *classifier)
    assert "No space left on device" in message
    rescued = Path(message.split("It was saved to ")[1].split(" instead")[0])
    assert read_folder(rescued).statistics["n_examples"] == 6


def test_a_reward_model_is_fitted_on_pairs(tmp_path, reward):
    figures = json.loads(done(*reward, "--readout", "sparse", "--heads", 3, "--json").stdout)
    assert figures["pairs"] == 6
    assert figures["readout"] == "sparse"
    assert figures["n_heads"] == 3
    assert read_folder(tmp_path / "fitted").prompt["criterion"] == "It is good."


def test_the_search_for_heads_takes_the_epochs_given(tmp_path, reward):
    arguments = ("--epochs", 2, "--readout", "steered", "--extraction", "positive", "--seed", 3)
    assert "steered" in done(*reward, *arguments).stdout
    settings = settings_in(tmp_path / "fitted")
    assert settings["selector"]["epochs"] == 2
    assert settings["selector"]["seed"] == settings["seed"] == 3
    assert settings["extraction"] == "positive"


def test_paper_is_the_published_search(tmp_path, reward):
    done(*reward, "--paper", "--epochs", 2, "--form", "ranked", "--system", "Be fair.")
    settings = settings_in(tmp_path / "fitted")
    assert settings["among_answers"] is False
    assert settings["readout"] == "steered"
    assert read_folder(tmp_path / "fitted").prompt == {
        "criterion": "It is good.",
        "form": "ranked",
        "system": "Be fair.",
    }


def test_single_judged_responses_will_do(tmp_path, model_folder):
    rows = [
        {"prompt": pair["prompt"], "completion": pair[side], "label": side == "chosen"}
        for pair in PAIRS
        for side in ("chosen", "rejected")
    ]
    judged = write_jsonl(tmp_path / "judged.jsonl", rows)
    arguments = ("-o", tmp_path / "fitted", "--model", model_folder, "--readout", "sparse")
    arguments = (*arguments, "--criterion", "It is good.", "--pairs", 4, "--json")
    figures = json.loads(done("fit", "reward", judged, *arguments).stdout)
    assert (figures["pairs"], figures["judgements"]) == (0, 8)


def test_odd_pairs_are_warned_of(tmp_path, model_folder):
    rows = [*PAIRS, PAIRS[0], {**PAIRS[1], "chosen": "same", "rejected": "same"}]
    pairs = write_jsonl(tmp_path / "odd.jsonl", rows)
    arguments = ("-o", tmp_path / "fitted", "--model", model_folder, "--readout", "sparse")
    result = done("fit", "reward", pairs, *arguments, "--criterion", "It is good.")
    assert "Warning: 1 of 8 preference pairs repeat an earlier pair." in result.stderr
    assert "same text as chosen and rejected" in result.stderr


def test_pairs_are_drawn(reward):
    result = done(*reward, "--readout", "sparse", "--pairs", 3, "--json")
    assert json.loads(result.stdout)["pairs"] == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit", "reward", "pairs.jsonl", "-o", "out"),
        ("fit", "reward", "pairs.jsonl", "--criterion", "It is good."),
        ("fit", "classifier", "train.jsonl", "-o", "out", "--voting", "loud"),
        ("fit", "classifier", "train.jsonl", "-o", "out", "--shots", "0"),
        ("fit", "classifier", "train.jsonl", "-o", "out", "--no-such-option"),
        ("fit", "poem", "train.jsonl"),
    ],
)
def test_bad_usage_is_told(arguments):
    assert "Usage" in failed(2, *arguments)
