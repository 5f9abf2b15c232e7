"""The registry, and rows of benchmarks from files and folders."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmark_outputs import jsonl, picture

from headwise.benchmarks import benchmark, load_rows, load_support, names
from headwise.benchmarks.reading.row import Row, as_rows
from headwise.errors import InputError
from headwise.evaluation.items import Header

REWARDBENCH = benchmark("rewardbench").header
PAIR = {"prompt": "p", "chosen": "a", "rejected": "b", "subset": "donotanswer", "id": 1}


def test_every_file_is_a_benchmark_with_a_full_header() -> None:
    assert len(names()) == 25
    for name in names():
        header = benchmark(name).header
        assert header.name == name
        assert header.title
        assert header.licence
        assert header.scoring
        assert header.paper
        assert header.fields
        assert header.dataset or header.source
        assert header.task in ("rewards", "classes", "answers")


def test_a_name_may_be_written_as_people_do() -> None:
    assert benchmark("RewardBench 2") is benchmark("rewardbench-2")
    assert benchmark("RewardBench2") is benchmark("rewardbench_2")
    with pytest.raises(InputError, match="Did you mean vizwiz"):
        benchmark("vizwz")
    with pytest.raises(InputError, match="The benchmarks are: blink"):
        benchmark("registry")


def test_the_registry_loads_no_torch() -> None:
    code = (
        "import sys\nfrom headwise.benchmarks import benchmark, names\n"
        "for name in names(): benchmark(name)\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv", "a.parquet"])
def test_a_file_of_every_format_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    rows = [PAIR, {**PAIR, "id": 2}]
    mark = "\t" if path.suffix == ".tsv" else ","
    match path.suffix:
        case ".parquet":
            pa = pytest.importorskip("pyarrow")
            pytest.importorskip("pyarrow.parquet").write_table(pa.Table.from_pylist(rows), path)
        case ".csv" | ".tsv":
            lines = [mark.join(PAIR), *(mark.join(map(str, row.values())) for row in rows)]
            path.write_text("\n".join(lines))
        case ".json":
            path.write_text(json.dumps(rows))
        case _:
            jsonl(path, rows)
    items = benchmark("rewardbench").items(load_rows(REWARDBENCH, path))
    assert [item.id for item in items] == ["1", "2"]
    assert len(load_rows(REWARDBENCH, path, limit=1)) == 1


def test_a_folder_has_its_splits_by_name(tmp_path: Path) -> None:
    header = benchmark("ok-vqa").header
    jsonl(tmp_path / "data" / "val2014-00000-of-00002.jsonl", [{"a": 1}])
    jsonl(tmp_path / "data" / "val2014-00001-of-00002.jsonl", [{"a": 2}])
    jsonl(tmp_path / "data" / "train.jsonl", [{"a": 3}])
    (tmp_path / "dataset_infos.json").write_text("{}")
    assert [row["a"] for row in load_rows(header, tmp_path)] == [1, 2]
    assert [row["a"] for row in load_rows(header, tmp_path, split="train")] == [3]
    only = tmp_path / "only"
    jsonl(only / "train.jsonl", [{"a": 3}])
    with pytest.raises(InputError, match=r"no file of the split 'val2014'; it has train\.jsonl"):
        load_rows(header, only)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file or folder"):
        load_rows(REWARDBENCH, tmp_path / "none")
    with pytest.raises(InputError, match="without pictures"):
        load_rows(REWARDBENCH, tmp_path)
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(InputError, match="no row"):
        load_rows(REWARDBENCH, tmp_path / "a.jsonl")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        load_rows(REWARDBENCH, tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("{broken\n")
    with pytest.raises(InputError, match=r"a\.jsonl:1.*broken JSON"):
        load_rows(REWARDBENCH, tmp_path / "a.jsonl")
    with pytest.raises(InputError, match="1 at least"):
        load_rows(REWARDBENCH, tmp_path / "a.jsonl", limit=0)
    with pytest.raises(InputError, match="no row"):
        as_rows([])


def test_a_row_tells_what_is_wrong_with_it() -> None:
    row = as_rows([{"Text": "x", "n": float("nan"), "list": "[1, 2]", "no": None, "t": "maybe"}])[0]
    assert isinstance(row, Row)
    assert row.text("text") == "x"
    assert row.texts("list") == ("1", "2")
    assert row.optional("no") is None
    with pytest.raises(InputError, match="row 1: found nan in column 'n'; expected text"):
        row.text("n")
    with pytest.raises(InputError, match="expected true or false"):
        row.truth("t")
    with pytest.raises(InputError, match="a list"):
        row.sequence("text")


def test_a_benchmark_may_be_described_by_anyone() -> None:
    header = Header("x", "X", "rewards", "", "test", "mit", {"a": "b"}, "s", "p", source="here")
    with pytest.raises(InputError, match="from here"):
        load_rows(header)


def test_support_is_read_where_data_has_it_apart(tmp_path: Path) -> None:
    header = benchmark("vlguard").header
    jsonl(tmp_path / "both" / "test.json", [{"a": 1}])
    jsonl(tmp_path / "both" / "train.json", [{"a": 2}])
    found = load_support(header, tmp_path / "both")
    assert found is not None
    assert [row["a"] for row in found] == [2]
    assert [row["a"] for row in load_rows(header, tmp_path / "both")] == [1]

    # Rows of one file, or of a folder of classes, are never support and test at once.
    pictures = benchmark("dtd").header
    picture(tmp_path / "classes" / "banded" / "1.png")
    for one, data in ((header, "both/test.json"), (pictures, "classes")):
        assert load_support(one, tmp_path / data) is None
        with pytest.raises(InputError, match="does not tell the split 'train' from others"):
            load_rows(one, tmp_path / data, split="train")

    picture(tmp_path / "splits" / "train" / "banded" / "1.png")
    picture(tmp_path / "splits" / "test" / "banded" / "2.png")
    assert len(load_support(pictures, tmp_path / "splits") or ()) == 1
    assert load_support(REWARDBENCH) is None
