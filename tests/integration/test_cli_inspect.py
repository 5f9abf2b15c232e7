"""`headwise inspect`: what an artifact is, without its model."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
from command_line import EXAMPLES, done, failed, write_jsonl

from headwise.artifacts import read_folder


def test_it_says_what_the_artifact_is(classifier_folder, model_folder):
    text = done("inspect", classifier_folder).stdout
    for fact in ("sparse-attention-vectors", str(model_folder), "Its animal?", "cats 3, dogs 3"):
        assert fact in text


def test_the_map_shows_each_head_in_its_place(classifier_folder):
    record = read_folder(classifier_folder)
    lines = done("inspect", classifier_folder).stdout.splitlines()
    top = next(number for number, line in enumerate(lines) if line.startswith("layer"))
    drawn = [line.split()[1] for line in lines[top + 1 : top + 4]]
    places = {(index.layer, index.head) for index in record.heads}
    assert len(places) == 4
    for layer, signs in enumerate(drawn):
        assert [sign == "●" for sign in signs] == [(layer, head) in places for head in range(6)]


def test_steered_heads_have_a_sign_of_their_own(tmp_path, model_folder):
    rows = [{"prompt": f"{n}?", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(3)]
    pairs = write_jsonl(tmp_path / "pairs.jsonl", rows)
    arguments = ("-o", tmp_path / "judge", "--model", model_folder, "--criterion", "Good.")
    done("fit", "reward", pairs, *arguments, "--readout", "steered", "--epochs", 2)
    n_heads = len(read_folder(tmp_path / "judge").heads)
    text = done("inspect", tmp_path / "judge").stdout
    drawing = text[text.index("layer  heads") :]
    assert drawing.count("○") == n_heads + 1
    assert "○ steered" in drawing


def test_json_is_the_record(classifier_folder):
    record = json.loads(done("inspect", classifier_folder, "--json").stdout)
    assert record == read_folder(classifier_folder).to_json()


def test_no_model_is_needed(tmp_path, model_folder):
    copy = tmp_path / "model"
    shutil.copytree(model_folder, copy)
    train = write_jsonl(tmp_path / "train.jsonl", EXAMPLES)
    done("fit", "classifier", train, "-o", tmp_path / "fitted", "--model", copy)
    shutil.rmtree(copy)
    assert "3 layers" not in done("inspect", tmp_path / "fitted").stderr


def test_what_is_no_artifact_is_told(tmp_path):
    assert "no such folder" in failed(1, "inspect", tmp_path / "missing")
    assert "headwise.json" in failed(1, "inspect", tmp_path)


def test_without_matplotlib_a_plot_says_what_to_install(classifier_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    message = failed(1, "inspect", classifier_folder, "--plot", tmp_path / "heads.png")
    assert "pip install 'headwise[plot]'" in message


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_plot_is_drawn(classifier_folder, tmp_path, ending):
    pytest.importorskip("matplotlib")
    image = tmp_path / f"heads.{ending}"
    result = done("inspect", classifier_folder, "--plot", image, "--json")
    assert image.stat().st_size > 1_000
    json.loads(result.stdout)


def test_an_unknown_image_format_is_told(classifier_folder, tmp_path):
    pytest.importorskip("matplotlib")
    message = failed(2, "inspect", classifier_folder, "--plot", tmp_path / "heads.doc")
    assert ".png" in message
