"""`headwise fit task` and `headwise generate`: examples become answers, row by row."""

from __future__ import annotations

import json

import pytest
from command_line import done, failed, read_jsonl, write_jsonl

from headwise.artifacts import from_pretrained, read_folder
from headwise.engines.base import Sampling
from headwise.heads import HeadSet
from headwise.methods.task_answers import is_answer
from headwise.selection.search import SearchResult

SHOTS = tuple({"text": f"the cat {n}", "label": f"dog {n}"} for n in range(6))
ROWS = tuple({"n": n, "question": f"the cat number {n}", "answer": "dog"} for n in range(70))
QUICK = ("--prompts", 6, "--epochs", 2, "--max-text-tokens", 32)
SHORT = ("--max-new-tokens", 3)


@pytest.fixture(scope="module")
def task_folder(tmp_path_factory, model_folder):
    """A task vector; leave it as it is."""
    folder = tmp_path_factory.mktemp("task")
    shots = write_jsonl(folder / "shots.jsonl", SHOTS)
    done("fit", "task", shots, "-o", folder / "task", "--model", model_folder, *QUICK)
    return folder / "task"


@pytest.fixture
def fitting(tmp_path, model_folder):
    """Arguments that fit a task vector into the folder `fitted`."""
    shots = write_jsonl(tmp_path / "shots.jsonl", SHOTS)
    return "fit", "task", shots, "-o", tmp_path / "fitted", "--model", model_folder, *QUICK


@pytest.fixture
def file(tmp_path):
    return write_jsonl(tmp_path / "new.jsonl", ROWS)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.jsonl"


# --- fit task --------------------------------------------------------------------------------


def test_the_summary_names_the_folder_and_the_next_step(tmp_path, fitting):
    words = done(*fitting).stdout
    assert f"Saved to {tmp_path / 'fitted'}" in words
    assert f"headwise generate {tmp_path / 'fitted'}" in words
    assert "6, of which 2 held out" in words


def test_json_is_one_object_with_the_figures(fitting, model_folder):
    figures = json.loads(done(*fitting, "--json").stdout)
    assert figures["method"] == "task-vectors"
    assert figures["model"] == str(model_folder)
    assert (figures["examples"], figures["training"], figures["held_out"]) == (6, 4, 2)
    assert figures["held_out_loss"] > 0
    assert figures["plain_loss"] > 0
    assert figures["n_heads"] == len(figures["heads"])
    assert figures["bad_rows"] == figures["truncated_rows"] == 0


def test_options_reach_the_method(tmp_path, fitting):
    done(
        *fitting,
        *("--style", "chat", "--instruction", r"Say\nit.", "--shots-per-prompt", 2, "--seed", 7),
        *("--target-tokens", "all", "--positions", "generated", "--max-text-tokens", 40),
    )
    record = read_folder(tmp_path / "fitted")
    settings = record.parameters["settings"]
    assert record.prompt["instruction"] == settings["instruction"] == "Say\nit."
    assert record.prompt["style"] == "chat"
    assert (settings["shots_per_prompt"], settings["n_prompts"]) == (2, 6)
    assert settings["selector"]["epochs"] == 2
    assert settings["selector"]["seed"] == settings["seed"] == 7
    assert settings["target_tokens"] is None
    assert record.parameters["positions"] == settings["positions"] == "generated"
    assert record.parameters["max_text_tokens"] == 40


def test_prefixes_reach_the_prompt(tmp_path, fitting):
    done(*fitting, "--input-prefix", "In: ", "--target-prefix", r"Out:\n")
    prompt = read_folder(tmp_path / "fitted").prompt
    assert (prompt["input_prefix"], prompt["target_prefix"]) == ("In: ", "Out:\n")


def test_paper_is_the_published_procedure_and_other_options_still_count(tmp_path, fitting):
    done(*fitting, "--paper", "--target-tokens", "first")
    settings = read_folder(tmp_path / "fitted").parameters["settings"]
    assert settings["positions"] == "generated"
    assert settings["target_tokens"] == 1
    assert (settings["n_prompts"], settings["selector"]["epochs"]) == (6, 2)


@pytest.mark.parametrize("name", ["attribution", "descent", "variance-reduced"])
def test_the_selector_is_the_one_that_is_named(tmp_path, fitting, name):
    epochs = ["--epochs", "2"]
    arguments = [str(argument) for argument in fitting]
    at = arguments.index("--epochs")
    assert arguments[at : at + 2] == epochs
    if name == "attribution":
        del arguments[at : at + 2]
    done(*arguments, "--selector", name)
    record = read_folder(tmp_path / "fitted")
    expected = {"attribution": "Attribution", "descent": "MaskDescent"}.get(name, "Reinforce")
    assert record.statistics["selector"] == expected


def test_epochs_of_a_selector_that_takes_none_are_an_error(fitting):
    assert "takes no epochs" in failed(2, *fitting, "--selector", "attribution")


def test_columns_may_be_named_and_examples_drawn(tmp_path, model_folder):
    rows = [{"a": f"the cat {n}", "b": f"dog {n}", "text": "decoy"} for n in range(9)]
    shots = write_jsonl(tmp_path / "shots.jsonl", rows)
    arguments = ("-o", tmp_path / "fitted", "--model", model_folder, *QUICK, "--examples", 4)
    result = done("fit", "task", shots, *arguments, "--text", "a", "--label", "b", "--json")
    assert json.loads(result.stdout)["examples"] == 4


def test_long_inputs_and_answers_are_cut_and_counted(tmp_path, model_folder):
    rows = [*SHOTS, {"text": "cat " * 99, "label": "dog"}, {"text": "cat", "label": "dog " * 99}]
    shots = write_jsonl(tmp_path / "shots.jsonl", rows)
    arguments = ("-o", tmp_path / "fitted", "--model", model_folder, *QUICK, "--json")
    result = done("fit", "task", shots, *arguments)
    assert json.loads(result.stdout)["truncated_rows"] == 2
    assert "2 inputs or targets longer than 32 tokens" in result.stderr


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([SHOTS[0]], "two examples with different texts"),
        ([SHOTS[0], {**SHOTS[0], "label": "mat"}], "2 examples with 1 texts"),
        ([{"text": "the cat"}], "no column for the label"),
    ],
    ids=["one", "one text", "no label"],
)
def test_bad_data_is_told_before_a_model_is_loaded(tmp_path, rows, words):
    shots = write_jsonl(tmp_path / "shots.jsonl", rows)
    arguments = ("-o", tmp_path / "fitted", "--model", tmp_path / "no such model")
    assert words in failed(2, "fit", "task", shots, *arguments)
    assert not (tmp_path / "fitted").exists()


def test_a_task_vector_that_does_no_good_is_told(fitting, monkeypatch):
    def useless(search, engine, training, held_out, *, progress=False):
        return SearchResult(HeadSet.of([(0, 1)]), 2.0, 1.5, ())

    monkeypatch.setattr("headwise.selection.descent.MaskDescent.search", useless)
    assert "no better than the plain one (loss 2.000 and 1.500)" in done(*fitting).stderr


def test_inspect_draws_the_heads_as_steered(task_folder):
    n_heads = len(read_folder(task_folder).heads)
    text = done("inspect", task_folder).stdout
    drawing = text[text.index("layer  heads") :]
    assert drawing.count("○") == n_heads + 1
    assert "○ steered" in drawing


# --- generate --------------------------------------------------------------------------------


def test_rows_keep_their_columns_and_gain_what_the_library_says(task_folder, file, out):
    done("generate", task_folder, file, "-o", out, *SHORT)
    rows = read_jsonl(out)
    gained = ("generated", "truncated")
    assert [{k: v for k, v in row.items() if k not in gained} for row in rows] == list(ROWS)
    task = from_pretrained(task_folder)
    sampling = Sampling(max_new_tokens=3, stop=("\n\n",))
    expected = task.generate([row["question"] for row in ROWS], sampling)
    assert [row["generated"] for row in rows] == expected
    assert not any(row["truncated"] for row in rows)


def test_accuracy_is_of_first_lines_but_for_case(task_folder, file, out, tmp_path):
    done("generate", task_folder, file, "-o", out, *SHORT)
    answers = [str(row["generated"]) for row in read_jsonl(out)]
    rows = [
        {"text": row["question"], "label": answer.partition("\n")[0].upper() or "-"}
        for row, answer in zip(ROWS, answers, strict=True)
    ]
    rows[0]["label"] = "something else"
    labelled = write_jsonl(tmp_path / "labelled.jsonl", [*rows, {"text": "a mat", "label": None}])
    result = done("generate", task_folder, labelled, "-o", tmp_path / "o", *SHORT, "--json")
    figures = json.loads(result.stdout)
    right = [is_answer(a, r["label"]) for a, r in zip(answers, rows, strict=True)]
    assert figures["labelled_rows"] == len(ROWS)
    assert figures["rows"] == len(ROWS) + 1
    assert figures["accuracy"] == sum(right) / len(right) > 0.5


def test_rows_without_a_target_have_no_accuracy(tmp_path, task_folder, out):
    new = write_jsonl(tmp_path / "new.jsonl", [{"text": "a cat"}])
    figures = json.loads(done("generate", task_folder, new, "-o", out, *SHORT, "--json").stdout)
    assert figures["accuracy"] is None
    assert figures["labelled_rows"] == 0


def test_without_out_rows_go_to_stdout_and_the_summary_to_stderr(task_folder, file, out):
    result = done("generate", task_folder, file, *SHORT)
    done("generate", task_folder, file, "-o", out, *SHORT)
    assert result.stdout_bytes == out.read_bytes()
    assert "70 rows with a target" in result.stderr
    assert done("generate", task_folder, file, *SHORT, "-q").stderr == ""


def test_an_interrupted_job_goes_on_to_the_same_bytes(task_folder, file, out):
    arguments = ("generate", task_folder, file, "-o", out, *SHORT, "--temperature", 1.0, "--json")
    done(*arguments)
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:67]) + lines[67][:15])
    assert json.loads(done(*arguments).stdout)["resumed_rows"] == 67
    assert out.read_bytes() == whole


@pytest.mark.parametrize(
    "change",
    [("--max-new-tokens", 2), ("--temperature", 0.5), ("--stop", "x"), ("--text", "question")],
    ids=str,
)
def test_rows_of_another_job_are_left_alone(task_folder, file, out, change):
    arguments = ("generate", task_folder, file, "-o", out)
    done(*arguments, *SHORT)
    whole = out.read_bytes()
    assert "differs in options" in failed(2, *arguments, *SHORT, *change)
    assert out.read_bytes() == whole


def test_answers_end_at_any_stop(task_folder, file, out, tmp_path):
    done("generate", task_folder, file, "-o", out, "--max-new-tokens", 8)
    whole = [str(row["generated"]) for row in read_jsonl(out)]
    first = next(text for text in whole if len(text) > 3)[2]
    assert first != "z"
    other = tmp_path / "stopped.jsonl"
    arguments = ("--max-new-tokens", 8, "--stop", "zzz", "--stop", first, "--stop", r"\n\n")
    done("generate", task_folder, file, "-o", other, *arguments)
    stopped = [str(row["generated"]) for row in read_jsonl(other)]
    assert stopped != whole
    assert [text.partition(first)[0].strip() for text in whole] == stopped


def test_a_temperature_draws_by_the_seed(task_folder, file, tmp_path):
    found = []
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        arguments = ("-o", tmp_path / name, *SHORT, "--temperature", 1.5, "--seed", seed)
        done("generate", task_folder, file, *arguments)
        found.append((tmp_path / name).read_bytes())
    assert found[0] == found[1] != found[2]


def test_long_texts_are_cut_marked_and_counted(tmp_path, task_folder, out):
    new = write_jsonl(tmp_path / "new.jsonl", [{"text": "a cat"}, {"text": "z" * 9_000}])
    result = done("generate", task_folder, new, "-o", out, *SHORT, "--json")
    assert [row["truncated"] for row in read_jsonl(out)] == [False, True]
    assert json.loads(result.stdout)["truncated_rows"] == 1
    assert result.stderr.count("Warning:") == 1


def test_what_is_no_task_vector_is_told(classifier_folder, file):
    message = failed(2, "generate", classifier_folder, file)
    assert "no task vector" in message
    assert "headwise predict" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--stop", ""), "--stop is empty"),
        (("--max-new-tokens", "0"), "--max-new-tokens"),
        (("--temperature", "-1"), "--temperature"),
        (("--text", "body"), "no column 'body'"),
        (("--json",), "-o OUT"),
    ],
)
def test_options_that_have_no_meaning_are_told(task_folder, file, arguments, words):
    assert words in failed(2, "generate", task_folder, file, *arguments)
