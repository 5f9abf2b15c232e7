"""Rows of benchmarks from every place they may come from, without a network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmark_outputs import jsonl, picture, png

from headwise.benchmarks import benchmark, load_rows, names
from headwise.benchmarks.reading.row import Row, as_rows
from headwise.errors import InputError
from headwise.evaluation.items import Header

datasets = pytest.importorskip("datasets")
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
    data = datasets.Dataset.from_list([PAIR, {**PAIR, "id": 2}])
    match path.suffix:
        case ".parquet":
            data.to_parquet(path)
        case ".csv":
            data.to_csv(path)
        case ".tsv":
            data.to_csv(path, sep="\t")
        case ".json":
            path.write_text(json.dumps([PAIR, {**PAIR, "id": 2}]))
        case _:
            jsonl(path, [PAIR, {**PAIR, "id": 2}])
    items = benchmark("rewardbench").items(load_rows(REWARDBENCH, path))
    assert [item.id for item in items] == ["1", "2"]
    assert len(load_rows(REWARDBENCH, path, limit=1)) == 1


def test_a_saved_data_set_is_read_with_its_pictures_and_class_names(tmp_path: Path) -> None:
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["River", "Forest"])}
    )
    rows = [{"image": png(1), "label": 1}, {"image": png(2), "label": 0}]
    data = datasets.Dataset.from_list(rows, features=features)
    bench = benchmark("eurosat")
    data.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"test": data, "train": data}).save_to_disk(tmp_path / "several")
    data.to_parquet(tmp_path / "data" / "test-00000-of-00001.parquet")
    for place in ("one", "several", "data"):
        items = bench.items(load_rows(bench.header, tmp_path / place))
        assert [item.example.label for item in items] == ["Forest", "River"]  # type: ignore[union-attr]
        assert all(item.example.images[0].load().size == (4, 4) for item in items)  # type: ignore[union-attr]
    with pytest.raises(InputError, match="no split 'val'; it has test, train"):
        load_rows(bench.header, tmp_path / "several", split="val")


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
    (tmp_path / "a.jsonl").write_text("{broken\n")
    with pytest.raises(InputError, match=r"a\.jsonl:1.*broken JSON"):
        load_rows(REWARDBENCH, tmp_path / "a.jsonl")
    with pytest.raises(InputError, match="1 at least"):
        load_rows(REWARDBENCH, tmp_path / "a.jsonl", limit=0)
    with pytest.raises(InputError, match="no row"):
        as_rows([])


class Hub:
    """Stands in for `datasets.load_dataset`."""

    def __init__(self, tables: dict[str, object]) -> None:
        self.tables = tables
        self.asked: list[dict[str, object]] = []

    def __call__(self, dataset: str, **asked: object) -> object:
        self.asked.append({"dataset": dataset, **asked})
        data = self.tables[str(asked.get("name") or asked.get("data_files") or asked["split"])]
        if isinstance(data, Exception):
            raise data
        return data.to_iterable_dataset() if asked["streaming"] else data  # type: ignore[attr-defined]


def on_hub(monkeypatch: pytest.MonkeyPatch, **tables: object) -> Hub:
    hub = Hub(dict(tables))
    monkeypatch.setattr(datasets, "load_dataset", hub)
    return hub


def test_rows_of_the_hub_have_a_place_and_stream_with_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = on_hub(monkeypatch, filtered=datasets.Dataset.from_list([PAIR] * 5))
    rows = load_rows(REWARDBENCH, limit=2, revision="abc")
    assert [row.location for row in rows] == [
        *("allenai/reward-bench:filtered row 1", "allenai/reward-bench:filtered row 2")
    ]
    assert hub.asked == [
        {
            "dataset": "allenai/reward-bench",
            "revision": "abc",
            "streaming": True,
            "split": "filtered",
        }
    ]
    assert len(load_rows(REWARDBENCH)) == 5
    assert hub.asked[-1]["streaming"] is False


def test_configurations_and_files_of_the_hub_are_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    header = benchmark("preferencehack").header
    table = datasets.Dataset.from_list([{"prompt": "p", "chosen": "a", "rejected": "b"}])
    hub = Hub(dict.fromkeys(header.files, table))
    monkeypatch.setattr(datasets, "load_dataset", hub)
    assert [row.part for row in load_rows(header)] == ["helpful", "length", "positivity"]
    assert {asked["split"] for asked in hub.asked} == {"train"}

    blink = benchmark("blink").header
    hub = Hub(dict.fromkeys(blink.configs, table))
    monkeypatch.setattr(datasets, "load_dataset", hub)
    assert [row.part for row in load_rows(blink)] == list(blink.configs)
    assert [asked["name"] for asked in hub.asked] == list(blink.configs)


def test_without_a_network_the_error_says_how_to_give_data(monkeypatch: pytest.MonkeyPatch) -> None:
    on_hub(monkeypatch, filtered=ConnectionError("offline"))
    with pytest.raises(InputError, match=r"ConnectionError: offline\n.*--data PATH"):
        load_rows(REWARDBENCH)


def test_rows_of_the_hub_may_not_name_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = picture(tmp_path / "secret.png")
    named = {"id": "1", "image": str(secret), "safe": False, "instr-resp": [{"instruction": "x"}]}
    bench = benchmark("vlguard")
    monkeypatch.setattr(
        datasets, "load_dataset", Hub({"test.json": datasets.Dataset.from_list([named])})
    )
    with pytest.raises(InputError, match="--data FOLDER"):
        bench.items(load_rows(bench.header))
    # The same row from disk may.
    data = tmp_path / "test.json"
    data.write_text(json.dumps([named]))
    assert len(bench.items(load_rows(bench.header, data))) == 1


def test_class_numbers_of_the_hub_become_names(monkeypatch: pytest.MonkeyPatch) -> None:
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["banded", "dotted"])}
    )
    table = datasets.Dataset.from_list(
        [{"image": png(n), "label": n % 2} for n in range(4)], features=features
    )
    on_hub(monkeypatch, test=table)
    bench = benchmark("dtd")
    for limit in (None, 4):
        items = bench.items(load_rows(bench.header, limit=limit))
        assert {item.example.fields["A"] for item in items} <= {"banded", "dotted"}  # type: ignore[union-attr]
        assert len(items) == 4


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
