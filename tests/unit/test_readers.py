"""Readers: every form of file gives the same nouns, and no bad row goes unnoticed."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import os
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwise.errors import InputError, MissingExtraError
from headwise.examples import Example, Judgement, Preference
from headwise.readers import (
    detect_kind,
    open_source,
    read_examples,
    read_judgements,
    read_preferences,
)

ROWS = [
    {"text": "Rates rise, again", "label": "Business", "id": "a", "source": "wire"},
    {"text": 'He said "goal"\nand left', "label": "Sports", "id": "b", "source": "blog"},
]
EXAMPLES = (
    Example("Rates rise, again", "Business", {"text": ROWS[0]["text"], "source": "wire"}, "a"),
    Example(ROWS[1]["text"], "Sports", {"text": ROWS[1]["text"], "source": "blog"}, "b"),
)


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def csv_text(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def lines_of(rows: list[dict[str, str]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


CONTENTS = {
    "a.jsonl": lines_of(ROWS),
    "a.json": json.dumps(ROWS, indent=1),
    "data.json": json.dumps({"version": {"data": [1]}, "data": ROWS, "more": "}"}, indent=1),
    "lines.json": lines_of(ROWS),
    "a.csv": csv_text(ROWS),
    "semicolons.csv": csv_text(ROWS, ";"),
    "a.tsv": csv_text(ROWS, "\t"),
    "list.unknown": json.dumps(ROWS),
    "lines": lines_of(ROWS),
    "cells.txt": csv_text(ROWS),
    "bom.jsonl": "\ufeff" + lines_of(ROWS),
    "bom.json": "\ufeff" + json.dumps(ROWS),
    "bom.csv": "\ufeff" + csv_text(ROWS),
    "crlf.jsonl": lines_of(ROWS).replace("\n", "\r\n"),
    "blank.jsonl": "\n\n" + lines_of(ROWS).replace("\n", "\n \n"),
    "blank.csv": "\n\n" + csv_text(ROWS) + "\n\n",
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", CONTENTS)
def test_every_format_gives_the_same_examples(tmp_path: Path, name: str, zipped: bool) -> None:
    path = tmp_path / (name + ".gz" if zipped else name)
    content = CONTENTS[name].encode()
    path.write_bytes(gzip.compress(content) if zipped else content)
    result = read_examples(path)
    assert result.items == EXAMPLES
    assert [dict(row) for row in result.rows] == ROWS
    assert result.bad == ()
    assert all(location.startswith(f"{path}:") for location in result.locations)


def test_parquet_gives_the_same_examples(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    result = read_examples(path)
    assert result.items == EXAMPLES
    assert result.locations == (f"{path} row 1", f"{path} row 2")
    unnamed = tmp_path / "no_ending"
    unnamed.write_bytes(path.read_bytes())
    assert read_examples(unnamed).items == EXAMPLES


def test_parquet_conversations_and_damage(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    user, good, bad = turn("user", "Hi?"), turn("assistant", "Hello."), turn("assistant", "No.")
    pq.write_table(
        pa.Table.from_pylist([{"chosen": [user, good], "rejected": [user, bad], "score": 0.5}]),
        path,
    )
    assert read_preferences(path).items == (Preference([user], "Hello.", "No."),)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=r"a\.parquet cannot be read"):
        read_preferences(path)


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"headwise\[parquet\]"):
        read_examples(tmp_path / "a.parquet")


@pytest.mark.parametrize("content", [lines_of(ROWS), json.dumps(ROWS)])
def test_stdin_is_read_once_for_detection_and_reading(
    monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    source = open_source("-")
    assert detect_kind(source) == "examples"
    result = read_examples(source)
    assert result.items == EXAMPLES
    assert result.locations[0].startswith("<stdin>:1")


def test_detection_leaves_stdin_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines_of(ROWS).encode())))
    with pytest.raises(InputError, match="open_source"):
        detect_kind("-")
    assert read_examples("-").items == EXAMPLES


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_can_be_detected_and_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(lines_of(ROWS),))
    writer.start()
    source = open_source(pipe)
    writer.join()
    assert detect_kind(source) == "examples"
    assert read_examples(source).items == EXAMPLES


class TestLocations:
    def test_csv_rows_are_located_by_their_first_physical_line(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text('text,label\n"one\ntwo\n\nthree",x\nfour\n"five\n",y\n', encoding="utf-8")
        result = read_examples(path, skip_bad=True)
        assert result.locations == (f"{path}:2", f"{path}:7")
        assert [bad.location for bad in result.bad] == [f"{path}:6"]

    @pytest.mark.parametrize("wrap", ["%s", '{"n": 1,\n "data": %s}'])
    def test_json_items_are_located_by_line_and_number(self, tmp_path: Path, wrap: str) -> None:
        path = tmp_path / "a.json"
        items = '[\n{"text": "a",\n "label": "x"}, {"text": "b", "label": "y"},\n\n 3]'
        path.write_text(wrap % items, encoding="utf-8")
        shift = 1 if "data" in wrap else 0
        result = read_examples(path, skip_bad=True)
        assert result.locations == (f"{path}:{2 + shift} (item 1)", f"{path}:{3 + shift} (item 2)")
        assert result.bad[0].location == f"{path}:{5 + shift} (item 3)"

    def test_jsonl_rows_are_counted_with_blank_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        path.write_text('\n{"text": "a\\u2028b", "label": "x"}\n\n{}\n', encoding="utf-8")
        result = read_examples(path, skip_bad=True)
        assert (result.locations, result.bad[0].location) == ((f"{path}:2",), f"{path}:4")


BAD_LINES = [
    ('{"text": "a", "label" ', "broken JSON (column 22: Expecting ':' delimiter"),
    ('["a", "b"]', "a list"),
    ("7", "7"),
    ('{"text": null, "label": "x"}', "null in column 'text'"),
    ('{"label": "x"}', "no column 'text'"),
    ('{"text": " ", "label": "x"}', "empty text in column 'text'"),
    ('{"text": ["a"], "label": "x"}', "a list in column 'text'"),
    ('{"text": {"a": 1}, "label": "x"}', "an object in column 'text'"),
    ('{"text": NaN, "label": "x"}', "nan in column 'text'"),
    ('{"text": "a", "label": Infinity}', "inf in column 'label'"),
    ('{"text": "a", "label": null}', "null in column 'label'"),
    ('{"text": "a"}', "no column 'label'"),
    ('{"text": "a", "label": ""}', "empty text in column 'label'"),
    ('{"text": "half \\ud83d", "label": "x"}', "half a character"),
    ('{"text": "a", "label": "x", "deep": [{"k": "\\ud83d"}]}', "half a character"),
    ("[" * 100_000, "cannot be read"),
    ('{"text": ' + "9" * 5000 + "}", "cannot be read"),
]


@pytest.mark.parametrize(("line", "found"), BAD_LINES)
def test_a_bad_row_is_reported_and_can_be_skipped(tmp_path: Path, line: str, found: str) -> None:
    path = tmp_path / "a.jsonl"
    good = '{"text": "a", "label": "x"}\n'
    path.write_text(good + line + "\n" + good, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_examples(path)
    assert f"{path}:2: found" in str(error.value)
    assert found in str(error.value)
    assert "--skip-bad" in str(error.value)
    result = read_examples(path, skip_bad=True)
    assert result.locations == (f"{path}:1", f"{path}:3")
    assert len(result.bad) == 1
    assert found in result.bad[0].found
    assert result.bad[0].message in str(error.value)


def test_invalid_utf8_spoils_its_own_row_only(tmp_path: Path) -> None:
    lines = tmp_path / "a.jsonl"
    lines.write_bytes(b'{"text": "a", "label": "x"}\n{"text": "caf\xe9", "label": "x"}\n')
    cells = tmp_path / "a.csv"
    cells.write_bytes(b"text,label\na,x\ncaf\xe9,x\n")
    for path, line in ((lines, 2), (cells, 3)):
        result = read_examples(path, skip_bad=True)
        assert len(result) == 1
        assert result.bad[0].location == f"{path}:{line}"
        assert "invalid UTF-8" in result.bad[0].found


def test_the_first_ten_bad_rows_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", ROWS[0], *[{"text": "a"}] * 13)
    with pytest.raises(InputError) as error:
        read_examples(path)
    assert "13 of 14 rows" in str(error.value)
    assert "and 3 more" in str(error.value)
    assert f"{path}:11:" in str(error.value)
    assert f"{path}:12:" not in str(error.value)
    assert len(read_examples(path, skip_bad=True).bad) == 13


@pytest.mark.parametrize("rows", [[{"text": None, "label": "x"}], [1, 2]])
def test_nothing_but_bad_rows_is_an_error_even_when_skipping(
    tmp_path: Path, rows: list[object]
) -> None:
    with pytest.raises(InputError, match="No row is left"):
        read_examples(jsonl(tmp_path / "a.jsonl", *rows), skip_bad=True)


UNREADABLE = {
    "empty.jsonl": (b"", "is empty"),
    "blank.jsonl": (b"\n \n", "is empty"),
    "empty.json": (b"", "is empty"),
    "empty_list.json": (b"[ ]", "is empty"),
    "empty.csv": (b"", "is empty"),
    "header_only.csv": (b"text,label\n", "is empty"),
    "empty_unknown": (b"", "is empty"),
    "broken.json": (b'[{"text": "a"},\n{"text" 1}]', "broken.json:2: broken JSON"),
    "open.json": (b'[{"text": "a"}\n', "broken JSON"),
    "trailing.json": (b'[{"text": "a"}]\n[]', "trailing.json:2: broken JSON"),
    "number.json": (b"17", "no list of JSON objects"),
    "one_object.json": (b'{"train":\n [{"text": "a"}]}', "over several lines"),
    "latin1.json": (b'[{"text": "a"},\n{"text": "caf\xe9"}]', "latin1.json:2: invalid UTF-8"),
    "latin1_header.csv": (b"text,caf\xe9\na,b\n", "latin1_header.csv:1: the header is not UTF-8"),
    "utf16.csv": ("text,label\na,b\n".encode("utf-16"), "UTF-16"),
    "utf16be.jsonl": (codecs.BOM_UTF16_BE + "{}".encode("utf-16-be"), "UTF-16"),
    "twice.csv": (b"text,label,text\na,b,c\n", "'text' occurs more than once"),
    "open_quote.csv": (b'text,label\na,x\n"b,x\nc,x\n', "open_quote.csv:3: a quoted cell"),
    "prose": (b"Once upon a time\n", "cannot be told"),
    "cut.jsonl.gz": (gzip.compress(b'{"text": "a", "label": "x"}\n' * 99)[:-9], "damaged"),
    "not_parquet.parquet": (b"text,label\n", "cannot be read"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_file_says_why(tmp_path: Path, name: str) -> None:
    content, message = UNREADABLE[name]
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as error:
        read_examples(tmp_path / name, skip_bad=True)
    assert message in str(error.value)
    assert name in str(error.value)


@pytest.mark.parametrize(("cells", "found"), [("a", "1 cell"), ("a,x,y", "3 cells")])
def test_csv_rows_with_a_wrong_number_of_cells_are_bad(
    tmp_path: Path, cells: str, found: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"text,label\nb,z\n{cells}\n", encoding="utf-8")
    bad = read_examples(path, skip_bad=True).bad[0]
    assert bad.message == f"{path}:3: found {found}; expected 2 cells (text, label)."


def test_a_stray_quote_spoils_one_csv_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text,label\na,x\n"b"c,x\nd,x\n', encoding="utf-8")
    result = read_examples(path, skip_bad=True)
    assert [item.text for item in result.items] == ["a", "d"]
    assert result.bad[0].location == f"{path}:3"


def test_csv_cells_longer_than_the_csv_module_allows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = "word " * 50_000
    path.write_text(f"text,label\n{text},x\n", encoding="utf-8")
    limit = csv.field_size_limit()
    assert read_examples(path).items[0].text == text
    assert csv.field_size_limit() == limit


def test_folders_and_missing_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read_examples(tmp_path)
    for name in ("no.jsonl", "no/such.json", "no/such.csv.gz", "./no/such", "no"):
        with pytest.raises(InputError, match="There is no file"):
            read_examples(name)
    with pytest.raises(InputError, match="cannot be read"):
        read_examples("x" * 5000)


class TestExamples:
    @pytest.mark.parametrize(
        ("text", "label"),
        [
            ("input", "output"),
            ("question", "answer"),
            ("Sentence", " CLASS"),
            ("prompt", "category"),
        ],
    )
    def test_usual_names_are_found(self, tmp_path: Path, text: str, label: str) -> None:
        path = jsonl(tmp_path / "a.jsonl", {"other": "o", label: "x", text: "a"})
        item = read_examples(path).items[0]
        assert (item.text, item.label) == ("a", "x")
        assert item.fields == {"other": "o", text: "a"}

    def test_the_users_names_win(self, tmp_path: Path) -> None:
        path = jsonl(tmp_path / "a.jsonl", {"text": "t", "label": "l", "body": "b", "kind": "k"})
        item = read_examples(path, text="body", label="kind").items[0]
        assert (item.text, item.label) == ("b", "k")
        swapped = read_examples(path, text="label", label="text").items[0]
        assert (swapped.text, swapped.label) == ("l", "t")

    def test_a_column_is_never_both_text_and_label(self, tmp_path: Path) -> None:
        path = jsonl(tmp_path / "a.jsonl", {"label": "long text", "target": "x"})
        item = read_examples(path, text="label").items[0]
        assert (item.text, item.label) == ("long text", "x")

    def test_a_missing_column_lists_columns_and_names(self, tmp_path: Path) -> None:
        path = jsonl(tmp_path / "a.jsonl", {"body": "a", "tag": "x"})
        with pytest.raises(InputError, match=r"body, tag.*Names looked for: text, question"):
            read_examples(path)
        with pytest.raises(InputError, match=r"no column 'nope'.*body, tag"):
            read_examples(path, text="nope")
        with pytest.raises(InputError, match="no column for the label"):
            read_examples(path, text="body")

    def test_labels_may_be_left_out(self, tmp_path: Path) -> None:
        path = jsonl(tmp_path / "a.jsonl", {"text": "a"}, {"text": "b", "label": None})
        labels = [item.label for item in read_examples(path, require_label=False).items]
        assert labels == [None, None]
        path = jsonl(tmp_path / "b.jsonl", {"text": "a"}, {"text": "b", "label": "x"})
        labels = [item.label for item in read_examples(path, require_label=False).items]
        assert labels == [None, "x"]

    def test_scalars_become_text_and_the_rest_is_no_field(self, tmp_path: Path) -> None:
        row = {"text": 5, "label": True, "id": 7, "n": 1.5, "ok": False}
        gone = {"null": None, "nan": float("nan"), "list": [1], "object": {"a": 1}}
        result = read_examples(jsonl(tmp_path / "a.jsonl", row | gone))
        assert result.items == (
            Example("5", "true", {"text": "5", "n": "1.5", "ok": "false"}, "7"),
        )
        assert set(result.rows[0]) == set(row | gone)

    def test_the_limit_counts_rows(self, tmp_path: Path) -> None:
        path = jsonl(tmp_path / "a.jsonl", *ROWS, {"text": None})
        assert read_examples(path, limit=2).items == EXAMPLES
        with pytest.raises(InputError, match="at least 1"):
            read_examples(path, limit=0)


def turn(role: str, content: object) -> dict[str, object]:
    return {"role": role, "content": content}


def hh(*turns: str) -> str:
    names = ("Human", "Assistant")
    return "".join(f"\n\n{names[n % 2]}: {text}" for n, text in enumerate(turns))


class TestPreferences:
    def read_one(self, tmp_path: Path, row: dict[str, object], **names: str) -> Preference:
        return read_preferences(jsonl(tmp_path / "p.jsonl", row), **names).items[0]

    def bad_row(self, tmp_path: Path, row: dict[str, object]) -> str:
        good = {"prompt": "p", "chosen": "c", "rejected": "r"}
        rows = [row, {k: v for k, v in good.items() if k != "prompt" or "prompt" in row}]
        if "prompt" not in row:
            rows[1] = {"chosen": "What? This.", "rejected": "What? That."}
        bad = read_preferences(jsonl(tmp_path / "p.jsonl", *rows), skip_bad=True).bad
        assert [row.location for row in bad] == [f"{tmp_path / 'p.jsonl'}:1"]
        return bad[0].message

    @pytest.mark.parametrize(
        ("prompt", "chosen", "rejected"),
        [
            ("prompt", "chosen", "rejected"),
            ("question", "good", "bad"),
            ("instruction", "preferred", "dispreferred"),
            ("query", "better", "worse"),
        ],
    )
    def test_explicit_text(self, tmp_path: Path, prompt: str, chosen: str, rejected: str) -> None:
        row = {prompt: "Why?", chosen: "Because.", rejected: "", "id": 3, "subset": "easy"}
        expected = Preference("Why?", "Because.", "", "easy", "3")
        assert self.read_one(tmp_path, row) == expected

    def test_the_users_names_win(self, tmp_path: Path) -> None:
        row = {"q": "Why?", "chosen": "no", "rejected": "yes", "split": "s", "subset": "t"}
        found = self.read_one(tmp_path, row, prompt="q", chosen="rejected", rejected="chosen")
        assert found == Preference("Why?", "yes", "no", "s")

    def test_explicit_conversation(self, tmp_path: Path) -> None:
        prompt = [turn("system", "Be kind."), turn("user", "Why?")]
        row = {
            "prompt": prompt,
            "chosen": [turn("assistant", "Because.")],
            "rejected": [turn("assistant", [{"type": "text", "text": "No."}])],
        }
        expected = Preference(prompt, "Because.", "No.")
        assert self.read_one(tmp_path, row) == expected
        repeated = row | {key: prompt + row[key] for key in ("chosen", "rejected")}
        assert self.read_one(tmp_path, repeated) == expected
        assert self.read_one(tmp_path, row | {"chosen": "Because.", "rejected": "No."}) == expected
        del repeated["prompt"]
        assert self.read_one(tmp_path, repeated) == expected

    def test_a_plain_prompt_beside_messages(self, tmp_path: Path) -> None:
        user, good, bad = turn("user", "Why?"), turn("assistant", "So."), turn("assistant", "No.")
        expected = Preference([user], "So.", "No.")
        row = {"prompt": "Why?", "chosen": [good], "rejected": [bad]}
        assert self.read_one(tmp_path, row) == expected
        row = {"prompt": "ignored", "chosen": [user, good], "rejected": [user, bad]}
        assert self.read_one(tmp_path, row) == expected

    def test_conversations_that_fork_early_keep_every_turn(self, tmp_path: Path) -> None:
        start = [turn("user", "Hi"), turn("assistant", "Hey"), turn("user", "Why?")]
        longer = [turn("assistant", "A"), turn("user", "B"), turn("assistant", "C")]
        row = {"chosen": start + longer, "rejected": [*start, turn("assistant", "D")]}
        expected = Preference(start, "A\n\nHuman: B\n\nAssistant: C", "D")
        assert self.read_one(tmp_path, row) == expected

    def test_hh_dialogues(self, tmp_path: Path) -> None:
        row = {"chosen": hh("Hi", "Hey", "Why?", "So. "), "rejected": hh("Hi", "Hey", "Why?", "")}
        prompt = [turn("user", "Hi"), turn("assistant", "Hey"), turn("user", "Why?")]
        assert self.read_one(tmp_path, row) == Preference(prompt, "So. ", "")

    def test_hh_dialogues_that_fork_early(self, tmp_path: Path) -> None:
        row = {"chosen": hh("Hi", "A", "B", "C"), "rejected": hh("Hi", "D", "E", "F")}
        expected = Preference(
            [turn("user", "Hi")],
            "A\n\nHuman: B\n\nAssistant: C",
            "D\n\nHuman: E\n\nAssistant: F",
        )
        assert self.read_one(tmp_path, row) == expected
        row["rejected"] = hh("Hi", "A", "other", "F")
        assert self.read_one(tmp_path, row).rejected == "A\n\nHuman: other\n\nAssistant: F"
        row["rejected"] = hh("Hi", "A")
        assert self.read_one(tmp_path, row) == Preference(expected.prompt, expected.chosen, "A")

    def test_a_repeated_hh_speaker_is_one_turn(self, tmp_path: Path) -> None:
        row = {"chosen": hh("Hi", "A") + "\n\nAssistant: B", "rejected": hh("Hi", "C")}
        expected = Preference([turn("user", "Hi")], "A\n\nAssistant: B", "C")
        assert self.read_one(tmp_path, row) == expected
        row["rejected"] = hh("Hi", "A") + "\n\nAssistant: C"
        assert self.read_one(tmp_path, row).prompt == [turn("user", "Hi")]

    def test_text_before_an_hh_dialogue_is_the_system_message(self, tmp_path: Path) -> None:
        row = {"chosen": "Be kind." + hh("Hi", "A"), "rejected": "Be kind." + hh("Hi", "B")}
        prompt = [turn("system", "Be kind."), turn("user", "Hi")]
        assert self.read_one(tmp_path, row) == Preference(prompt, "A", "B")

    def test_implicit_text_is_cut_at_whitespace(self, tmp_path: Path) -> None:
        row = {"chosen": "Q: capital?\nA: Rome.", "rejected": "Q: capital?\nA: Roma!"}
        assert self.read_one(tmp_path, row) == Preference("Q: capital?\nA: ", "Rome.", "Roma!")

    @pytest.mark.parametrize(
        ("row", "found"),
        [
            ({"chosen": "Rome", "rejected": "Paris"}, "begin with different words"),
            ({"chosen": "Romeo", "rejected": "Roma"}, "begin with different words"),
            ({"chosen": "the same", "rejected": "the same"}, "same text"),
            ({"chosen": hh("a", "b"), "rejected": hh("c", "d")}, "differ from their first turn"),
            ({"chosen": hh("a", "b"), "rejected": "a b"}, "none in rejected"),
            ({"chosen": [turn("user", "a")], "rejected": [turn("user", "a")]}, "first turn"),
            ({"chosen": [], "rejected": [turn("user", "a")]}, "an empty list in column 'chosen'"),
            ({"chosen": ["a", "b"], "rejected": ["c"]}, "message 1 of column 'chosen'"),
            ({"chosen": [turn("gpt", "a")], "rejected": [turn("user", "a")]}, "role 'gpt'"),
            ({"chosen": [turn("user", None)], "rejected": [turn("user", "a")]}, "null as the cont"),
            (
                {"chosen": [turn("user", [{"type": "audio"}])], "rejected": [turn("user", "a")]},
                "a list as the content",
            ),
            ({"chosen": [turn("user", "a")], "rejected": "a"}, "messages in one"),
            ({"prompt": "p", "chosen": None, "rejected": "r"}, "null in column 'chosen'"),
            ({"prompt": "", "chosen": "c", "rejected": "r"}, "empty text in column 'prompt'"),
            ({"prompt": None, "chosen": "c", "rejected": "r"}, "null in column 'prompt'"),
        ],
    )
    def test_bad_pairs(self, tmp_path: Path, row: dict[str, object], found: str) -> None:
        assert found in self.bad_row(tmp_path, row)

    def test_missing_columns(self, tmp_path: Path) -> None:
        path = jsonl(tmp_path / "p.jsonl", {"prompt": "p", "chosen": "c"})
        with pytest.raises(InputError, match=r"for the rejected.*prompt, chosen.*dispreferred"):
            read_preferences(path)

    # A turn that ends in \r ends in half of a Windows line break, which is part of the separator.
    speech = st.text(min_size=1).filter(
        lambda text: text.strip() and "\n" not in text and not text.endswith("\r")
    )

    @settings(max_examples=60, deadline=None)
    @given(st.lists(speech, min_size=1, max_size=3), speech, speech)
    def test_no_text_of_a_dialogue_is_lost(self, turns: list[str], good: str, bad: str) -> None:
        shared = turns if len(turns) % 2 else turns[:-1]
        row = {"chosen": hh(*shared, good), "rejected": hh(*shared, bad)}
        with tempfile.TemporaryDirectory() as folder:
            pair = self.read_one(Path(folder), row)
        prompt = hh(*[str(message["content"]) for message in pair.prompt])
        assert f"{prompt}\n\nAssistant: {pair.chosen}" == row["chosen"]
        assert f"{prompt}\n\nAssistant: {pair.rejected}" == row["rejected"]


class TestJudgements:
    @pytest.mark.parametrize(
        ("value", "label"),
        [
            (True, True), (False, False), (1, True), (0.0, False), ("Yes", True), ("no", False),
            ("TRUE", True), (" false ", False), ("1", True), ("0", False), (None, None), ("", None),
        ],
    )  # fmt: skip
    def test_labels(self, tmp_path: Path, value: object, label: bool | None) -> None:
        path = jsonl(tmp_path / "j.jsonl", {"prompt": "p", "completion": "c", "label": value})
        assert read_judgements(path).items == (Judgement("p", "c", label),)

    @pytest.mark.parametrize("value", [2, "good", [True], float("nan")])
    def test_other_labels_are_bad(self, tmp_path: Path, value: object) -> None:
        path = jsonl(tmp_path / "j.jsonl", {"prompt": "p", "completion": "c", "label": value})
        with pytest.raises(InputError, match="expected true or false"):
            read_judgements(path)

    @pytest.mark.parametrize("name", ["completion", "response", "answer", "output"])
    def test_names(self, tmp_path: Path, name: str) -> None:
        path = jsonl(tmp_path / "j.jsonl", {"question": "p", name: "c", "id": "i"})
        assert read_judgements(path).items == (Judgement("p", "c", None, "i"),)

    def test_conversations(self, tmp_path: Path) -> None:
        row = {"prompt": [turn("user", "p")], "completion": [turn("assistant", "c")]}
        path = jsonl(tmp_path / "j.jsonl", row, row | {"completion": [turn("user", "c")]})
        result = read_judgements(path, skip_bad=True)
        assert result.items == (Judgement([turn("user", "p")], "c"),)
        assert "the turn of 'user'" in result.bad[0].found

    def test_required_labels(self, tmp_path: Path) -> None:
        path = jsonl(tmp_path / "j.jsonl", {"prompt": "p", "completion": "c"})
        with pytest.raises(InputError, match="no column for the label"):
            read_judgements(path, require_label=True)
        path = jsonl(tmp_path / "j.jsonl", {"prompt": "p", "completion": "c", "label": None})
        with pytest.raises(InputError, match="null in column 'label'"):
            read_judgements(path, require_label=True)


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"text": "a", "label": "x"}, "examples"),
        ({"input": "a", "output": "x"}, "examples"),
        ({"question": "a", "answer": "x", "label": "Sports"}, "examples"),
        ({"note": "a"}, "examples"),
        ({"chosen": "a", "rejected": "b"}, "preferences"),
        ({"question": "q", "good": "a", "bad": "b", "label": 1}, "preferences"),
        ({"prompt": "p", "completion": "c"}, "judgements"),
        ({"prompt": "p", "response": "c", "label": True}, "judgements"),
        ({"question": "p", "answer": "c", "label": "no"}, "judgements"),
    ],
)
def test_detect_kind(tmp_path: Path, row: dict[str, object], kind: str) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text("broken\n" + json.dumps(row), encoding="utf-8")
    assert detect_kind(path) == kind


def test_detect_kind_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text("broken\n", encoding="utf-8")
    with pytest.raises(InputError, match="no row that can be read"):
        detect_kind(tmp_path / "d.jsonl")


class TestHub:
    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
        """A stand-in for `datasets` that notes what was asked for."""
        seen: list[tuple[object, ...]] = []

        def load_dataset(name: str, config: str | None, *, split: str | None) -> object:
            seen.append((name, config, split))
            if name == "org/gone":
                raise ConnectionError("offline")
            if split is not None:
                return ROWS
            return {"test": ROWS} if name == "org/one" else {"train": ROWS, "test": ROWS}

        stand_in = SimpleNamespace(load_dataset=load_dataset)
        monkeypatch.setitem(sys.modules, "datasets", stand_in)
        return seen

    @pytest.mark.parametrize(
        ("spec", "asked"),
        [
            ("org/many:train", ("org/many", None, "train")),
            ("org/many/en:train", ("org/many", "en", "train")),
            ("org/one", ("org/one", None, None)),
        ],
    )
    def test_rows(
        self, calls: list[tuple[object, ...]], spec: str, asked: tuple[object, ...]
    ) -> None:
        result = read_examples(spec)
        assert calls == [asked]
        assert result.items == EXAMPLES
        split = spec.partition(":")[2] or "test"
        assert result.locations[0] == f"{spec.partition(':')[0]}:{split} row 1"

    @pytest.mark.usefixtures("calls")
    def test_errors_say_what_to_do(self) -> None:
        with pytest.raises(InputError, match=r"several splits \(train, test\)"):
            read_examples("org/many")
        with pytest.raises(InputError, match=r"no file here.*offline"):
            read_examples("org/gone")

    def test_without_datasets_the_extra_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "datasets", None)
        with pytest.raises(MissingExtraError, match=r"no file here.*headwise\[hub\]"):
            read_examples("org/name")


any_text = st.text(min_size=1).filter(str.strip)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(any_text, any_text), min_size=1, max_size=5), st.booleans())
def test_jsonl_keeps_any_text(pairs: list[tuple[str, str]], ascii_only: bool) -> None:
    rows = [{"text": text, "label": label} for text, label in pairs]
    lines = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        path.write_bytes("\n".join(lines).encode())
        result = read_examples(path)
    assert [(item.text, item.label) for item in result.items] == pairs
    assert list(result.rows) == rows


cell = st.text(st.sampled_from("ab,;\t\"'\n\r\\ é\u2028")).map(lambda text: f"{text}x")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(cell | any_text, cell | any_text), min_size=1, max_size=5),
    st.sampled_from([",", ";", "\t"]),
)
def test_csv_keeps_any_text(pairs: list[tuple[str, str]], delimiter: str) -> None:
    rows = [{"text": text, "label": label} for text, label in pairs]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(csv_text(rows, delimiter).encode())
        result = read_examples(path)
    assert [(item.text, item.label) for item in result.items] == pairs
    assert list(result.rows) == rows
