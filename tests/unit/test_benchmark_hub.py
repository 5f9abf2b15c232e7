"""Rows of benchmarks from the Hub and from saved data sets; a stand-in takes the Hub's place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmark_outputs import picture, png

from headwise.benchmarks import benchmark, load_rows
from headwise.errors import InputError

datasets = pytest.importorskip("datasets")
REWARDBENCH = benchmark("rewardbench").header
PAIR = {"prompt": "p", "chosen": "a", "rejected": "b", "subset": "donotanswer", "id": 1}


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
