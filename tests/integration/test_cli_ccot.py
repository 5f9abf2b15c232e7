"""`headwise ccot`: one image, the rows of a file, and what it says where something is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import done, failed, headwise, read_jsonl, write_jsonl

from openai_server import Reply, Seen, openai_server, question_of, refused, said

pytest.importorskip("openai", reason="the package 'openai' is not installed")
pillow = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

GRAPH = '{"objects":[{"id":"a","name":"dog","color":"brown"}],"relations":[]}'


def script(path: str, body: dict[str, Any]) -> Reply:
    text = question_of(body)
    if text.startswith("Scene graph:"):
        return said("The answer is brown." if "What color" in text else "B")
    if "broken" in text:
        return said(GRAPH[:-3])
    return said("It is a dog." if "words" in text else GRAPH)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with openai_server(script) as seen:
        yield seen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, color in (("dog.png", "brown"), ("cat.png", "white")):
        pillow.new("RGB", (8, 8), color).save(tmp_path / name)
    return tmp_path


def on(server: Seen) -> tuple[str, ...]:
    return ("--engine", "openai", "--base-url", server.url, "--model", "m")


def test_one_image(server: Seen, folder: Path) -> None:
    drawn = folder / "graph.svg"
    result = done(
        *("ccot", folder / "dog.png", "What color is it?", "--show-graph"),
        *("--save-graph", drawn, *on(server)),
    )
    assert result.stdout == "a: brown dog\n\nbrown\n"
    assert "Scene graph (parsed)" in result.stderr
    assert "brown dog" in drawn.read_text()
    assert len(server.requests) == 2


def test_one_image_as_json(server: Seen, folder: Path) -> None:
    asked = ("ccot", folder / "dog.png", "Which?", "--format", "options", "--json")
    result = done(*asked, "--option", "cat", "--option", "dog", *on(server))
    assert json.loads(result.stdout) == {
        "image": str(folder / "dog.png"),
        "question": "Which?",
        "prediction": "B",
        "generated": "B",
        "written": GRAPH,
        "graph": json.loads(GRAPH),
        "graph_status": "parsed",
    }


ROWS = (
    {"image": "dog.png", "question": "What color is it?", "label": "Brown", "note": 1},
    {"image": "cat.png", "question": "What color is the broken one?", "label": "white", "note": 2},
    {"image": "cat.png", "question": "What color, in words?", "label": "brown", "note": 3},
)


def test_the_rows_of_a_file(server: Seen, folder: Path) -> None:
    file, out = write_jsonl(folder / "asked.jsonl", ROWS), folder / "answered.jsonl"
    result = done("ccot", file, "-o", out, "--json", *on(server))
    figures = json.loads(result.stdout)
    assert figures["graphs"] == {"parsed": 1, "repaired": 1, "text": 1}
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert (figures["calls"], figures["prompt_tokens"], figures["rows"]) == (6, 60, 3)
    rows = read_jsonl(out)
    assert [row["prediction"] for row in rows] == ["brown"] * 3
    assert [row["graph_status"] for row in rows] == ["parsed", "repaired", "text"]
    assert [row["note"] for row in rows] == [1, 2, 3]
    assert rows[1]["graph"] == json.loads(GRAPH)
    assert (rows[2]["graph"], rows[2]["written"]) == (None, "It is a dog.")
    # Finished: the same again asks nothing; another question is another job.
    done("ccot", file, "-o", out, *on(server))
    assert len(server.requests) == 6
    words = failed(2, "ccot", file, "-o", out, "--ablation", "caption", *on(server))
    assert "rows of another job" in words
    assert server.url not in Path(f"{out}.headwise.json").read_text()


def test_an_interrupted_job_is_gone_on_with(folder: Path) -> None:
    rows = [{"image": "dog.png", "question": f"What color is number {n}?"} for n in range(70)]
    file, out = write_jsonl(folder / "asked.jsonl", rows), folder / "answered.jsonl"
    fails = True

    def flaky(path: str, body: dict[str, Any]) -> Reply:
        if fails and "number 66?" in question_of(body):
            return refused(400, "overworked")
        return script(path, body)

    with openai_server(flaky) as seen:
        words = failed(1, "ccot", file, "-o", out, *on(seen))
        assert "overworked" in words
        assert "64 of 70 rows are in" in words
        fails, before = False, len(seen.requests)
        done("ccot", file, "-o", out, *on(seen))
        # A call that the failed job had given up may still reach the server now: never an old row.
        asked = [question_of(body) for _, body in seen.requests[before:]]
        again = [n for n in range(70) if any(f"number {n}?" in question for question in asked)]
        assert again == list(range(64, 70))
        assert 12 <= len(asked) < 20
    assert [row["question"] for row in read_jsonl(out)] == [row["question"] for row in rows]


@pytest.mark.parametrize(
    ("ablation", "calls", "opening"),
    [
        ("direct", 1, "What color is it?\n"),
        ("thoughts", 2, "Thoughts: "),
        ("caption", 2, "Caption: "),
        ("words", 2, "Description: "),
        ("no-question", 2, "Scene graph: "),
        ("as-written", 2, "Scene graph: "),
    ],
)
def test_ablations(server: Seen, folder: Path, ablation: str, calls: int, opening: str) -> None:
    asked = ("ccot", folder / "dog.png", "What color is it?", "--ablation", ablation)
    done(*asked, *on(server))
    assert len(server.requests) == calls
    assert question_of(server.requests[-1][1]).startswith(opening)


def test_graphs_are_kept_from_run_to_run(server: Seen, folder: Path) -> None:
    asked = ("ccot", folder / "dog.png", "What color is it?", "--cache", folder / "graphs")
    for calls in (2, 3):
        done(*asked, *on(server))
        assert len(server.requests) == calls


def test_rows_without_images_are_told(server: Seen, folder: Path) -> None:
    rows = [{"question": "Why?"}, {"question": "How?"}]
    words = failed(2, "ccot", write_jsonl(folder / "asked.jsonl", rows), *on(server))
    assert "No row of" in words
    assert "--image COL (columns: question)" in words
    assert server.requests == []


def test_single_rows_that_cannot_be_asked_are_told_or_left_out(server: Seen, folder: Path) -> None:
    rows = [*ROWS[:1], {"image": None, "question": "Why?", "label": "x"}]
    file = write_jsonl(folder / "asked.jsonl", rows)
    words = failed(2, "ccot", file, *on(server))
    assert "asked.jsonl:2: found no image" in words
    result = done("ccot", file, "--skip-bad", *on(server))
    assert len(result.stdout.splitlines()) == 1
    options = [{"image": "dog.png", "question": "Which?", "A": "x", "B": "y", "label": "z"}]
    file = write_jsonl(folder / "options.jsonl", options)
    assert "'z' is neither" in failed(2, "ccot", file, "--format", "options", *on(server))
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-o", "out.jsonl"), "--out is for the rows of a FILE"),
        (("--option", "x"), "--option is for --format options"),
        (("--format", "options"), "needs its options"),
        (("--save-graph", "x.jpg"), ".png or .svg"),
        (("--ablation", "caption", "--ablation", "direct"), "exclude each other"),
        (("--ablation", "caption", "--show-form"), "has none"),
        (("--dtype", "float32"), "server's business"),
        (("--logprobs",), "compares all answers"),
    ],
)
def test_options_that_do_not_go_together(
    server: Seen, folder: Path, options: tuple[str, ...], words: str
) -> None:
    assert words in failed(2, "ccot", folder / "dog.png", "What?", *options, *on(server))
    assert server.requests == []


def test_what_is_wrong_is_told_before_a_model_is_asked(server: Seen, folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no image")
    assert "no kind that can be read" in failed(2, "ccot", folder / "bad.png", "What?", *on(server))
    assert "cannot be read" in failed(2, "ccot", folder / "none.png", "What?", *on(server))
    file = write_jsonl(folder / "asked.jsonl", ROWS)
    assert "one image with its question" in failed(2, "ccot", file, "--show-graph", *on(server))
    named = ("--engine", "openai", "--base-url", server.url)
    assert "--model ID" in failed(2, "ccot", file, *named)
    assert "for --engine openai" in failed(2, "ccot", file, "--base-url", server.url)
    assert server.requests == []


def test_a_caption_needs_no_question(server: Seen, folder: Path) -> None:
    done("ccot", folder / "dog.png", "", "--format", "caption", *on(server))
    assert "Describe the image in one sentence." in question_of(server.requests[-1][1])


def test_a_row_whose_image_cannot_be_decoded_costs_no_other(server: Seen, folder: Path) -> None:
    (folder / "bad.png").write_bytes((folder / "dog.png").read_bytes()[:50])
    rows = [{"image": name, "question": "What color is it?"} for name in ("bad.png", "dog.png")]
    file, out = write_jsonl(folder / "asked.jsonl", rows), folder / "answered.jsonl"
    result = headwise("ccot", file, "-o", out, *on(server))
    assert result.exit_code == 2
    bad, good = read_jsonl(out)
    assert (bad["prediction"], good["prediction"]) == (None, "brown")
    assert "bad.png" in str(bad["error"])


def test_a_model_here_answers_plain_questions(model_folder: Path, tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "asked.jsonl", [{"question": "What?"}, {"question": "Why?"}])
    here = ("--model", model_folder, "--ablation", "direct", "--max-new-tokens", 4)
    rows = [json.loads(line) for line in done("ccot", file, *here).stdout.splitlines()]
    assert [row["question"] for row in rows] == ["What?", "Why?"]
    assert all(row["written"] is None and row["graph_status"] is None for row in rows)
