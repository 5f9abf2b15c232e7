"""`headwise predict`: every row comes out once, as it went in, with what the library would say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command_line import EXAMPLES, INSTRUCTION, done, failed, headwise, read_jsonl, write_jsonl
from safetensors.torch import load_file, save_file

from headwise.artifacts import from_pretrained
from headwise.examples import Example

ROWS = tuple(
    {"n": number, "text": f"the {animal} number {number} naps", "label": f"{animal}s"}
    for number, animal in enumerate(["cat", "dog"] * 50)
)


@pytest.fixture
def file(tmp_path):
    return write_jsonl(tmp_path / "new.jsonl", ROWS)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.jsonl"


@pytest.fixture
def moved_model(tmp_path, model_folder):
    """A copy of the model that a test may break, and a classifier of it."""
    copy = tmp_path / "copy"
    shutil.copytree(model_folder, copy)
    train = write_jsonl(tmp_path / "train.jsonl", EXAMPLES)
    done("fit", "classifier", train, "-o", tmp_path / "fitted", "--model", copy)
    return copy


def test_rows_keep_their_columns_and_order_and_gain_what_the_library_says(
    classifier_folder, file, out
):
    done("predict", classifier_folder, file, "-o", out)
    rows = read_jsonl(out)
    gained = ("prediction", "probabilities", "truncated")
    assert [{k: v for k, v in row.items() if k not in gained} for row in rows] == list(ROWS)
    classifier = from_pretrained(classifier_folder)
    expected = classifier.predict_proba([Example(row["text"]) for row in ROWS])  # type: ignore[attr-defined]
    for row, probabilities in zip(rows, expected, strict=True):
        assert list(row["probabilities"]) == ["cats", "dogs"]
        assert list(row["probabilities"].values()) == pytest.approx(probabilities, abs=1e-5)
        assert row["prediction"] == max(row["probabilities"], key=row["probabilities"].get)
        assert row["truncated"] is False


def test_figures_are_those_of_the_rows(classifier_folder, file, out):
    result = done("predict", classifier_folder, file, "-o", out, "--json")
    figures = json.loads(result.stdout)
    rows = read_jsonl(out)
    right = [row["prediction"] == row["label"] for row in rows]
    assert figures["accuracy"] == sum(right) / len(right)
    assert figures["rows"] == figures["labelled_rows"] == len(ROWS)
    assert figures["unknown_label_rows"] == figures["bad_rows"] == figures["resumed_rows"] == 0
    assert sum(figures["predictions"].values()) == len(ROWS)
    assert figures["rows_per_second"] > 0


def test_without_out_rows_go_to_stdout_and_the_summary_to_stderr(classifier_folder, file, out):
    result = done("predict", classifier_folder, file)
    done("predict", classifier_folder, file, "-o", out)
    assert result.stdout_bytes == out.read_bytes()
    assert "accuracy" in result.stderr


def test_a_dash_is_stdin_and_stdout(classifier_folder, file):
    expected = done("predict", classifier_folder, file, "--quiet")
    result = done("predict", classifier_folder, "-", "-o", "-", "-q", stdin=file.read_text())
    assert result.stdout_bytes == expected.stdout_bytes
    assert result.stderr == ""


def test_rows_without_labels_have_no_accuracy(tmp_path, classifier_folder, out):
    file = write_jsonl(tmp_path / "new.jsonl", [{"text": "a cat"}])
    figures = json.loads(done("predict", classifier_folder, file, "-o", out, "--json").stdout)
    assert figures["accuracy"] is None
    assert figures["labelled_rows"] == 0


def test_unknown_labels_count_as_wrong_and_are_told(tmp_path, classifier_folder, out):
    rows = [{"text": "a cat", "label": "birds"}, {"text": "a dog", "label": "fish"}]
    file = write_jsonl(tmp_path / "new.jsonl", rows)
    result = done("predict", classifier_folder, file, "-o", out, "--json")
    assert json.loads(result.stdout)["accuracy"] == 0
    assert json.loads(result.stdout)["unknown_label_rows"] == 2
    assert "2 of 2 labelled rows" in result.stderr
    assert "'birds'" in result.stderr


def test_nan_becomes_null_and_is_told(tmp_path, classifier_folder, out):
    file = tmp_path / "new.jsonl"
    file.write_text('{"text": "a cat", "weight": NaN, "more": [Infinity, 1]}\n')
    result = done("predict", classifier_folder, file, "-o", out, "--json")
    assert read_jsonl(out)[0]["weight"] is None
    assert read_jsonl(out)[0]["more"] == [None, 1]
    assert json.loads(result.stdout)["replaced_numbers"] == 2
    assert "2 numbers of the input are NaN or infinite" in result.stderr


def test_columns_that_are_replaced_are_told(tmp_path, classifier_folder, out):
    file = write_jsonl(tmp_path / "new.jsonl", [{"text": "a cat", "prediction": "mine"}])
    result = done("predict", classifier_folder, file, "-o", out)
    assert "replaced in the output: prediction." in result.stderr
    assert read_jsonl(out)[0]["prediction"] in ("cats", "dogs")


def test_a_csv_goes_in_and_jsonl_comes_out(tmp_path, classifier_folder, out):
    file = tmp_path / "new.csv"
    file.write_text("text,label,note\na cat,cats,é\n")
    done("predict", classifier_folder, file, "-o", out)
    row = read_jsonl(out)[0]
    assert (row["text"], row["label"], row["note"]) == ("a cat", "cats", "é")
    assert row["prediction"] in ("cats", "dogs")


def test_long_texts_are_cut_marked_and_counted(tmp_path, classifier_folder, out):
    rows = [{"text": "a cat"}, {"text": "z" * 100_000}, {"text": "short", "unused": "y" * 100_000}]
    file = write_jsonl(tmp_path / "new.jsonl", rows)
    result = done("predict", classifier_folder, file, "-o", out, "--json")
    assert [row["truncated"] for row in read_jsonl(out)] == [False, True, False]
    assert json.loads(result.stdout)["truncated_rows"] == 1
    assert result.stderr.count("Warning:") == 1


def test_bad_rows_are_named_or_skipped_and_counted(tmp_path, classifier_folder, out):
    file = tmp_path / "new.jsonl"
    file.write_text('{"text": "a cat"}\nscribble\n{"text": "a dog"}\n{"text": null}\n')
    message = failed(2, "predict", classifier_folder, file, "-o", out)
    assert "new.jsonl:2" in message
    assert "new.jsonl:4" in message
    assert not out.exists()
    result = done("predict", classifier_folder, file, "-o", out, "--skip-bad", "--json")
    assert [row["text"] for row in read_jsonl(out)] == ["a cat", "a dog"]
    assert json.loads(result.stdout)["bad_rows"] == 2


def test_an_interrupted_job_goes_on_to_the_same_bytes(classifier_folder, file, out):
    done("predict", classifier_folder, file, "-o", out)
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:70]) + lines[70][:25])
    figures = json.loads(done("predict", classifier_folder, file, "-o", out, "--json").stdout)
    assert out.read_bytes() == whole
    assert figures["resumed_rows"] == 70
    assert figures["labelled_rows"] == len(ROWS)


def test_a_complete_job_gives_its_figures_again_without_the_model(tmp_path, moved_model, out):
    file = write_jsonl(tmp_path / "new.jsonl", ROWS)
    arguments = ("predict", tmp_path / "fitted", file, "-o", out, "--json")
    first = json.loads(done(*arguments).stdout)
    shutil.rmtree(moved_model)
    result = done(*arguments[:-1])
    assert "complete already" in result.stderr
    again = json.loads(done(*arguments).stdout)
    assert again["resumed_rows"] == len(ROWS)
    for name in ("accuracy", "predictions", "rows", "labelled_rows", "truncated_rows"):
        assert again[name] == first[name]


@pytest.mark.parametrize("change", ["input", "options", "artifact"])
def test_rows_of_another_job_are_left_alone(
    tmp_path, classifier_folder, model_folder, file, change
):
    out = tmp_path / "out.jsonl"
    done("predict", classifier_folder, file, "-o", out)
    whole = out.read_bytes()
    artifact, options = classifier_folder, ()
    if change == "input":
        write_jsonl(file, [{**ROWS[0], "text": "another"}, *ROWS[1:]])
    elif change == "options":
        options = ("--dtype", "bfloat16")
    else:
        artifact = tmp_path / "other"
        train = write_jsonl(tmp_path / "train.jsonl", EXAMPLES)
        done("fit", "classifier", train, "-o", artifact, "--model", model_folder, "--heads", 2)
    assert f"differs in {change}" in failed(2, "predict", artifact, file, "-o", out, *options)
    assert out.read_bytes() == whole
    done("predict", artifact, file, "-o", out, *options, "--overwrite")
    assert out.read_bytes() != whole


def test_a_file_of_somebody_else_is_left_alone_unless_told(classifier_folder, file, out):
    out.write_text("years of work")
    assert "--overwrite" in failed(2, "predict", classifier_folder, file, "-o", out)
    assert out.read_text() == "years of work"
    done("predict", classifier_folder, file, "-o", out, "--overwrite")
    assert len(read_jsonl(out)) == len(ROWS)


def test_the_input_is_never_written_over(classifier_folder, file):
    before = file.read_bytes()
    message = failed(2, "predict", classifier_folder, file, "-o", file, "--overwrite")
    assert "is the input itself" in message
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("out_name", "words"),
    [
        ("out.csv", "JSON Lines"),
        ("out.jsonl.gz", "JSON Lines"),
        ("missing/out.jsonl", "no folder"),
        (".", "is a folder"),
    ],
)
def test_a_place_where_rows_cannot_go_is_told_before_the_model_is_loaded(
    tmp_path, classifier_folder, file, out_name, words
):
    arguments = ("predict", classifier_folder, file, "--model", "no/such-model")
    assert words in failed(2, *arguments, "-o", tmp_path / out_name)


def test_figures_and_rows_do_not_mix_on_stdout(classifier_folder, file):
    assert "-o OUT" in failed(2, "predict", classifier_folder, file, "--json")
    assert "-o OUT" in failed(2, "predict", classifier_folder, file, "--json", "-o", "-")


def test_a_reward_model_is_no_classifier(scalar_folder, file):
    assert "headwise score" in failed(2, "predict", scalar_folder, file)


def test_a_column_that_the_instruction_asks_for_must_be_there(tmp_path, model_folder, file):
    rows = [{**row, "tone": "calm"} for row in EXAMPLES]
    train = write_jsonl(tmp_path / "train.jsonl", rows)
    arguments = ("-o", tmp_path / "fitted", "--model", model_folder)
    done("fit", "classifier", train, *arguments, "--instruction", INSTRUCTION + " Tone: {tone}")
    message = failed(2, "predict", tmp_path / "fitted", file, "--model", "no/such-model")
    assert "'tone'" in message
    assert "new.jsonl:1" in message


def test_a_model_that_moved_can_be_named(tmp_path, moved_model, file, out):
    moved_model.rename(tmp_path / "elsewhere")
    message = failed(1, "predict", tmp_path / "fitted", file, "-o", out)
    assert str(moved_model) in message
    assert "--model PATH" in message
    done("predict", tmp_path / "fitted", file, "-o", out, "--model", tmp_path / "elsewhere")
    assert len(read_jsonl(out)) == len(ROWS)


@pytest.mark.parametrize("is_named", [False, True], ids=["in its place", "by --model"])
def test_another_model_is_refused(tmp_path, moved_model, file, is_named):
    weights = load_file(moved_model / "model.safetensors")
    changed = {name: tensor.flip(0) for name, tensor in weights.items()}
    save_file(changed, moved_model / "model.safetensors", {"format": "pt"})
    more = ("--model", moved_model) if is_named else ()
    message = failed(1, "predict", tmp_path / "fitted", file, *more)
    assert "fitted on another model" in message
    assert "weights_hash" in message


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("--device", "toaster"), 2, "'toaster'"),
        (("--device", "cuda:99"), 2, "'cuda:99'"),
        (("--dtype", "int8"), 2, "'int8'"),
        (("--revision", "v2"), 2, "v2 is for models on the Hub"),
        (("--text", "body"), 2, "no column 'body'"),
        (("--label", "kind"), 2, "no column 'kind'"),
        (("--model", "./no-such-folder"), 1, "no-such-folder"),
    ],
)
def test_options_that_fit_nothing_are_told(classifier_folder, file, arguments, exit_code, words):
    assert words in failed(exit_code, "predict", classifier_folder, file, *arguments)


@pytest.mark.parametrize(
    ("artifact", "exit_code"), [("no-such-folder", 1), ("./no-such-folder", 1), (".", 1)]
)
def test_what_is_no_artifact_is_told(tmp_path, file, monkeypatch, artifact, exit_code):
    monkeypatch.chdir(tmp_path)
    failed(exit_code, "predict", artifact, file)


def test_a_damaged_artifact_is_told(tmp_path, classifier_folder, file):
    damaged = tmp_path / "damaged"
    shutil.copytree(classifier_folder, damaged)
    weights = damaged / "headwise.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3])
    assert "damaged" in failed(1, "predict", damaged, file)


def test_a_model_folder_without_weights_is_told(tmp_path, moved_model, file):
    (moved_model / "model.safetensors").unlink()
    assert "no weights" in failed(1, "predict", tmp_path / "fitted", file)


def test_a_fault_is_told_as_one_and_the_traceback_is_at_hand(classifier_folder, file, monkeypatch):
    def broken(*_: object) -> None:
        raise AssertionError("boo")

    monkeypatch.setattr("headwise.selection.sparse_readout.SparseReadout.decisions", broken)
    result = headwise("predict", classifier_folder, file)
    assert result.exit_code == 1
    assert "AssertionError: boo" in result.stderr
    assert "--traceback" in result.stderr
    assert "Traceback (" not in result.stderr
    shown = headwise("--traceback", "predict", classifier_folder, file)
    assert isinstance(shown.exception, AssertionError)
    monkeypatch.setenv("HEADWISE_TRACEBACK", "1")
    assert isinstance(headwise("predict", classifier_folder, file).exception, AssertionError)


def test_a_model_out_of_memory_is_told(classifier_folder, file, monkeypatch):
    class OutOfMemoryError(RuntimeError):
        """As torch has it."""

    def full(*_: object, **__: object) -> None:
        raise OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("headwise.engines.transformers.engine.read_heads", full)
    assert "--device cpu" in failed(1, "predict", classifier_folder, file)


def test_files_are_left_as_they_are(classifier_folder, file):
    before = {path: path.read_bytes() for path in Path(classifier_folder).iterdir()}
    done("predict", classifier_folder, file)
    assert {path: path.read_bytes() for path in Path(classifier_folder).iterdir()} == before
