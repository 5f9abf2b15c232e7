"""The command line on pictures: files and folders of them, and what one bad picture costs."""

from __future__ import annotations

import json

import pytest
from command_line import done, failed, headwise, read_jsonl, write_jsonl

from headwise.cli import fit_classifier, fit_reward, fit_task, models
from headwise.cli.models import WatchedEngine
from headwise.content import as_image
from headwise.errors import InputError
from seeing_engine import COLORS, SeeingEngine, colored, said


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    """Every command runs an engine that sees colors."""
    seeing = SeeingEngine()

    def load(*_, **__):
        return WatchedEngine(seeing)

    monkeypatch.setattr(models, "load_engine_of", load)
    for command in (fit_classifier, fit_reward, fit_task):
        monkeypatch.setattr(command, "load_engine", load)
    return seeing


@pytest.fixture
def photos(tmp_path):
    """A folder of classes, four pictures each."""
    for color in COLORS:
        (tmp_path / "photos" / color).mkdir(parents=True)
        for shade in range(4):
            colored(color, shade).load().save(tmp_path / "photos" / color / f"{shade}.png")
    return tmp_path / "photos"


@pytest.fixture
def classifier(tmp_path, photos):
    out = tmp_path / "colors"
    done("fit", "classifier", photos, "-o", out, "--heads", 2, "--instruction", "Its color?")
    return out


def rows_of(photos, n=12):
    """Rows that name pictures, as a file beside the folder has them."""
    names = [(color, f"photos/{color}/{shade}.png") for color in COLORS for shade in range(4)]
    return [{"image": path, "label": color} for color, path in names[:n]]


def damage(path):
    path.write_bytes(path.read_bytes()[:45])


def test_a_folder_is_fitted_and_predicted(classifier, photos, tmp_path, engine):
    assert said(engine.shown[0]) == "<blue>Its color?"
    out = tmp_path / "out.jsonl"
    result = done("predict", classifier, photos, "-o", out, "--json")
    figures = json.loads(result.stdout)
    assert (figures["rows"], figures["accuracy"], figures["failed_rows"]) == (12, 1.0, 0)
    rows = read_jsonl(out)
    assert rows[0]["image"] == str(photos / "blue/0.png")
    assert all(row["prediction"] == row["label"] for row in rows)


def test_one_picture_is_predicted(classifier, photos):
    row = json.loads(done("predict", classifier, photos / "red/2.png").stdout)
    assert row["prediction"] == "red"


def test_what_is_passed_over_in_a_folder_is_told(photos, tmp_path):
    (photos / "red/.DS_Store").write_bytes(b"x")
    (photos / "red/notes.txt").write_text("x")
    result = done("fit", "classifier", photos, "-o", tmp_path / "out", "--heads", 2)
    assert "2 files were passed over" in result.stderr
    (photos / "green2").mkdir()
    told = failed(2, "fit", "classifier", photos, "-o", tmp_path / "out")
    assert "class 'green2' is empty" in told


def test_files_name_pictures_beside_them(classifier, photos, tmp_path):
    file = write_jsonl(tmp_path / "new.jsonl", rows_of(photos))
    rows = [json.loads(line) for line in done("predict", classifier, file).stdout.splitlines()]
    assert [row["image"] for row in rows] == [row["image"] for row in rows_of(photos)]
    assert all(row["prediction"] == row["label"] for row in rows)
    other = write_jsonl(
        tmp_path / "other.jsonl", [{"see": "photos/red/0.png", "image": "photos/blue/0.png"}]
    )
    assert (
        json.loads(done("predict", classifier, other, "--image", "see").stdout)["prediction"]
        == "red"
    )


def test_a_picture_that_cannot_be_decoded_costs_its_own_row(classifier, photos, tmp_path, engine):
    rows = [row for _ in range(10) for row in rows_of(photos)]
    bad = photos / "green/1.png"
    damage(bad)
    file = write_jsonl(tmp_path / "new.jsonl", rows)
    out = tmp_path / "out.jsonl"
    result = headwise("predict", classifier, file, "-o", out)
    assert result.exit_code == 2
    assert "10 of 120 rows" in result.stderr
    assert "`error` says why" in result.stderr
    written = read_jsonl(out)
    assert len(written) == 120
    for row in written:
        if row["image"] == "photos/green/1.png":
            assert row["prediction"] is None
            assert "photos/green/1.png" in row["error"]
            assert "new.jsonl:" in row["error"]
        else:
            assert row["prediction"] == row["label"]
            assert "error" not in row
    # What was computed stays, and nothing is computed again.
    engine.shown.clear()
    again = done(
        "predict", classifier, file, "-o", tmp_path / "other.jsonl", "--skip-bad", "--json"
    )
    figures = json.loads(again.stdout)
    assert (figures["failed_rows"], figures["labelled_rows"], figures["accuracy"]) == (10, 110, 1.0)
    engine.shown.clear()
    assert headwise("predict", classifier, file, "-o", out).exit_code == 2
    assert engine.shown == []


def test_a_picture_that_the_model_refuses_costs_its_own_row(
    classifier, photos, tmp_path, engine, monkeypatch
):
    capture = engine.capture

    def refusing(conversations, heads=None, **how):
        for conversation in conversations:
            for image in conversation.images:
                if "new.jsonl:1)" in image.name:
                    raise InputError(f"The processor refused the image {image.name}: too thin")
        return capture(conversations, heads, **how)

    monkeypatch.setattr(engine, "capture", refusing)
    rows = [rows_of(photos)[0] for _ in range(12)]
    file = write_jsonl(tmp_path / "new.jsonl", rows)
    out = tmp_path / "out.jsonl"
    done("predict", classifier, file, "-o", out, "--skip-bad")
    # Rows 10 to 12 show the same picture and have a name that begins alike.
    assert ["error" in row for row in read_jsonl(out)] == [True] + [False] * 11


def test_a_missing_picture_is_a_bad_row(classifier, photos, tmp_path):
    file = write_jsonl(tmp_path / "new.jsonl", [*rows_of(photos, 2), {"image": "photos/gone.png"}])
    out = tmp_path / "out.jsonl"
    told = failed(2, "predict", classifier, file, "-o", out)
    assert "new.jsonl:3" in told
    assert "photos/gone.png" in told
    assert (
        json.loads(done("predict", classifier, file, "-o", out, "--skip-bad", "--json").stdout)[
            "bad_rows"
        ]
        == 1
    )


def test_a_support_set_is_decoded_before_the_model_runs(photos, tmp_path, engine):
    damage(photos / "green/1.png")
    told = failed(2, "fit", "classifier", photos, "-o", tmp_path / "out")
    assert "green/1.png" in told
    assert "damaged or cut short" in told
    assert engine.shown == []
    result = done(
        "fit", "classifier", photos, "-o", tmp_path / "out", "--heads", 2, "--skip-bad", "--json"
    )
    assert json.loads(result.stdout)["examples"] == 11


def test_pictures_held_in_a_file_are_written_by_what_they_show(classifier, photos, tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    content = (photos / "red/0.png").read_bytes()
    rows = [{"image": {"bytes": content, "path": "0.png"}, "label": "red"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    out = tmp_path / "out.jsonl"
    done("predict", classifier, tmp_path / "a.parquet", "-o", out)
    [row] = read_jsonl(out)
    assert row["image"] == {"path": "0.png", "digest": as_image(content).digest}
    assert row["prediction"] == "red"
    again = done("predict", classifier, tmp_path / "a.parquet", "-o", out)
    assert "complete already" in again.stderr


def test_another_picture_under_the_same_name_is_another_job(classifier, photos, tmp_path):
    file = write_jsonl(tmp_path / "new.jsonl", rows_of(photos))
    out = tmp_path / "out.jsonl"
    done("predict", classifier, file, "-o", out)
    assert "complete already" in done("predict", classifier, file, "-o", out).stderr
    colored("blue", 9).load().save(photos / "red/0.png")
    assert "differs in images" in failed(2, "predict", classifier, file, "-o", out)


def test_an_instruction_without_a_place_needs_pictures(tmp_path):
    file = write_jsonl(tmp_path / "a.jsonl", [{"text": "x", "label": n} for n in "ab"])
    told = failed(2, "fit", "classifier", file, "-o", tmp_path / "out", "--instruction", "What?")
    assert "no place for a text" in told


@pytest.mark.parametrize("form", ["scalar", "ranked"])
def test_rewards_of_answers_about_pictures(photos, tmp_path, form):
    names = list(COLORS)
    pairs = [
        {
            "prompt": "Color?",
            "images": [f"photos/{names[n % 3]}/{n % 4}.png"],
            "chosen": names[n % 3],
            "rejected": names[(n + 1) % 3],
        }
        for n in range(12)
    ]
    file = write_jsonl(tmp_path / "pairs.jsonl", pairs)
    judge = tmp_path / "judge"
    done(
        *("fit", "reward", file, "-o", judge, "--criterion", "The color is right."),
        *("--form", form, "--readout", "sparse", "--heads", 2),
    )
    out = tmp_path / "out.jsonl"
    figures = json.loads(done("score", judge, file, "-o", out, "--json").stdout)
    assert figures["pair_accuracy"] == 1.0
    damage(photos / "red/0.png")
    told = headwise("score", judge, file, "-o", out, "--overwrite", "--json")
    assert told.exit_code == 2
    assert json.loads(told.stdout)["failed_rows"] == 1
    assert [row["margin"] is None for row in read_jsonl(out)].count(True) == 1


def test_a_task_is_answered_about_pictures(photos, tmp_path):
    rows = [{**row, "question": "Color?"} for row in rows_of(photos)]
    file = write_jsonl(tmp_path / "shots.jsonl", rows)
    task = tmp_path / "task"
    done("fit", "task", file, "-o", task, "--prompts", 4, "--selector", "reinforce", "--epochs", 3)
    out = tmp_path / "out.jsonl"
    assert json.loads(done("generate", task, file, "-o", out, "--json").stdout)["accuracy"] == 1.0
    assert json.loads(done("generate", task, photos / "blue/0.png").stdout)["generated"] == "blue"
    damage(photos / "red/0.png")
    assert headwise("generate", task, file, "-o", out, "--overwrite").exit_code == 2
    assert "photos/red/0.png" in str(read_jsonl(out)[0]["error"])


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("fit", "classifier"), ("folder of images for each class", "{image}", "--image")),
        (("fit", "reward"), ("--image",)),
        (("fit", "task"), ("--image",)),
        (("predict",), ("one image", "--image")),
        (("score",), ("--image",)),
        (("generate",), ("one image", "--image")),
    ],
)
def test_the_help_tells_of_pictures(command, words):
    text = " ".join(done(*command, "--help").stdout.replace("│", " ").split())
    for word in words:
        assert word in text
