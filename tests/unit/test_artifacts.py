"""An artifact comes back from its folder bit for bit, or with an error that says what is wrong."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, cast

import numpy as np
import pytest
import safetensors.torch
import torch
from huggingface_hub import ModelCard
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from torch import Tensor

from headwise.artifacts import (
    FORMAT_VERSION,
    Artifact,
    ArtifactRecord,
    from_pretrained,
    hub,
    read_folder,
    registry,
    write_folder,
)
from headwise.artifacts.card import render_card
from headwise.artifacts.markdown import code_span, fence, table
from headwise.engines.base import Engine, ModelFingerprint
from headwise.errors import ArtifactError, EngineError, InputError
from headwise.heads import HeadIndex, HeadLayout, HeadSet, LayerHeads

FINGERPRINT = ModelFingerprint(
    model_id="org/tiny-llama",
    revision="0123abc",
    architecture="LlamaForCausalLM",
    layout_hash="layout-a",
    weights_hash="weights-a",
    chat_template_hash="template-a",
    dtype="float32",
)
LAYOUT = HeadLayout((LayerHeads(0, 4, 8), LayerHeads(3, 2, 16)))
TOKEN = "hf_" + "x" * 8
FILES = {"headwise.json", "headwise.safetensors", "README.md"}


@dataclass(frozen=True, slots=True)
class FakeEngine:
    """An engine of which only the identity is asked."""

    fingerprint: ModelFingerprint = FINGERPRINT
    layout: HeadLayout = LAYOUT


def engine(**changes: str) -> Engine:
    return cast("Engine", FakeEngine(replace(FINGERPRINT, **changes)))


@dataclass(frozen=True, eq=False)
class Centroids(Artifact):
    """The smallest artifact: two numbers a head."""

    method: ClassVar[str] = "centroids-for-tests"

    engine: Engine
    heads: HeadSet
    centroids: Tensor

    def to_record(self) -> ArtifactRecord:
        return record(
            method=self.method,
            base_model=self.engine.fingerprint,
            layout=self.engine.layout,
            heads=self.heads,
            tensors={"centroids": self.centroids},
        )

    @classmethod
    def from_record(cls, record: ArtifactRecord, engine: Engine) -> Centroids:
        return cls(engine, record.heads, record.tensors["centroids"])


@pytest.fixture(autouse=True)
def _method_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {**registry.ARTIFACT_CLASSES, Centroids.method: f"{__name__}:Centroids"}
    monkeypatch.setattr(registry, "ARTIFACT_CLASSES", known)


def record(**changes: Any) -> ArtifactRecord:
    parts: dict[str, Any] = {
        "method": "sparse-attention-vectors",
        "parameters": {"k": 2, "note": "größer", "nested": {"list": [1, 2.5, None, True]}},
        "base_model": FINGERPRINT,
        "layout": LAYOUT,
        "heads": HeadSet((HeadIndex(3, 1), HeadIndex(0, 2)), (0.1 + 0.2, 1 / 3)),
        "prompt": {"instruction": "Which topic?\n{text}", "system": None},
        "statistics": {"n_examples": {"sport": 3, "world": 4}, "accuracy": 0.75, "seconds": 1.5},
        "tensors": {"centroids": torch.arange(6.0).reshape(2, 3)},
    }
    return ArtifactRecord(**(parts | changes))


def artifact() -> Centroids:
    generator = torch.Generator().manual_seed(0)
    return Centroids(engine(), record().heads, torch.randn(2, 3, generator=generator))


def document(folder: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((folder / "headwise.json").read_text("utf-8")))


def rewrite(folder: Path, content: object) -> None:
    (folder / "headwise.json").write_text(json.dumps(content), "utf-8")


def names_in(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "saved"
    write_folder(folder, record(), "# card\n")
    return folder


# --- Round trip ------------------------------------------------------------------------------


def test_everything_but_the_tensors_comes_back_equal(saved: Path) -> None:
    before, after = record(), read_folder(saved)
    for name in ("method", "parameters", "base_model", "layout", "site", "heads", "prompt"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.statistics == before.statistics
    assert after.versions == before.versions
    assert after.prompt_hash == before.prompt_hash


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.bool])
def test_tensors_come_back_bit_for_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    bits = torch.randint(-(2**62), 2**62, (3, 5), generator=torch.Generator().manual_seed(1))
    tensor = bits > 0 if dtype == torch.bool else bits.view(dtype)
    write_folder(tmp_path / "a", record(tensors={"x": tensor}), "")
    loaded = read_folder(tmp_path / "a").tensors["x"]
    assert loaded.dtype == dtype
    assert loaded.shape == tensor.shape
    # By bytes, since random bits hold NaNs, and NaN != NaN.
    assert loaded.numpy().tobytes() == tensor.numpy().tobytes()


def test_views_shared_storage_scalars_and_no_tensors_are_saved(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {
        "whole": base,
        "transposed": base.T,
        "row": base[1],
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "trained": torch.nn.Parameter(base),
    }
    write_folder(tmp_path / "a", record(tensors=tensors), "")
    loaded = read_folder(tmp_path / "a").tensors
    assert set(loaded) == set(tensors)
    for name, tensor in tensors.items():
        assert torch.equal(loaded[name], tensor), name
    write_folder(tmp_path / "b", record(tensors={}), "")
    assert read_folder(tmp_path / "b").tensors == {}


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_folder(tmp_path / name, record(), "card")
    for file in FILES:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_the_folder_holds_three_files_and_nothing_is_left_beside_it(saved: Path) -> None:
    assert names_in(saved) == FILES
    assert names_in(saved.parent) == {saved.name}


def test_numpy_numbers_and_tuples_of_a_fit_are_saved(tmp_path: Path) -> None:
    odd = {"accuracy": np.float32(0.5), "n": np.int64(3), "ok": np.bool_(True), "folds": (1, 2)}
    write_folder(tmp_path / "a", record(statistics=odd), "")
    expected = {"accuracy": 0.5, "n": 3, "ok": True, "folds": [1, 2]}
    assert read_folder(tmp_path / "a").statistics == expected


def test_a_record_keeps_no_hold_on_what_it_was_made_from() -> None:
    parameters = {"labels": ["a", "b"]}
    made = record(parameters=parameters)
    parameters["labels"].append("c")
    assert made.parameters == {"labels": ["a", "b"]}


def test_versions_name_the_packages_that_matter() -> None:
    versions = record().versions
    assert set(versions) == {"headwise", "torch", "transformers", "numpy", "python"}
    assert versions["torch"] == torch.__version__


def test_the_prompt_hash_depends_on_the_prompt_and_not_on_key_order() -> None:
    one = record(prompt={"a": "x", "b": None})
    assert one.prompt_hash == record(prompt={"b": None, "a": "x"}).prompt_hash
    assert one.prompt_hash != record(prompt={"a": "x ", "b": None}).prompt_hash


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON_VALUES, max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_json_survives_the_document(values: dict[str, Any]) -> None:
    made = record(parameters=values, prompt=values, statistics=values)
    text = json.dumps(made.to_json(), allow_nan=False)
    read = ArtifactRecord.from_json(json.loads(text), made.tensors)
    assert (read.parameters, read.prompt, read.statistics) == (values, values, values)
    assert render_card(made)


# --- What cannot be saved --------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x", object(), "\ud800"])
def test_what_json_cannot_hold_is_named(value: object) -> None:
    with pytest.raises(ArtifactError, match=r"statistics\.folds\[1\]"):
        record(statistics={"folds": [1, value]})


def test_a_score_that_is_not_finite_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    heads = HeadSet((HeadIndex(0, 0),), (float("nan"),))
    with pytest.raises(ArtifactError, match=r"heads\[0\]\.score"):
        write_folder(tmp_path / "a", record(heads=heads), "")
    assert names_in(tmp_path) == set()


def test_what_could_not_be_read_again_is_refused_when_saving(tmp_path: Path) -> None:
    nameless = replace(FINGERPRINT, model_id=cast("str", None))
    with pytest.raises(ArtifactError, match=r"base_model\.model_id"):
        write_folder(tmp_path / "a", record(base_model=nameless), "")
    assert names_in(tmp_path) == set()


@pytest.mark.parametrize("head", [HeadIndex(1, 0), HeadIndex(0, 4)])
def test_heads_outside_the_layout_are_refused(head: HeadIndex) -> None:
    with pytest.raises(ArtifactError, match="heads do not fit the layout"):
        record(heads=HeadSet((head,), (1.0,)))


def test_a_tensor_that_safetensors_cannot_hold_is_an_artifact_error(tmp_path: Path) -> None:
    sparse = torch.eye(3).to_sparse_coo()
    with pytest.raises(ArtifactError, match="safetensors"):
        write_folder(tmp_path / "a", record(tensors={"x": sparse}), "")
    assert names_in(tmp_path) == set()


# --- Damaged folders -------------------------------------------------------------------------


def fields_of(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of every field that headwise itself names; what users put into mappings is theirs."""
    free = {"parameters", "prompt", "statistics", "versions"}
    pairs = value.items() if isinstance(value, Mapping) else enumerate(cast("list[Any]", value))
    for key, inner in pairs:
        here = (*path, key)
        if isinstance(key, str):
            yield here
        if isinstance(inner, dict | list) and key not in free:
            yield from fields_of(inner, here)


ALL_FIELDS = list(fields_of(record().to_json() | {"weights_sha256": "x"}))
WRONG: Mapping[type, tuple[object, ...]] = {
    str: (3, True, ["x"], {"x": 1}),
    int: ("1", 1.5, True, None, -1),
    float: ("1", True, None, [0.5]),
    dict: ("x", 3, None, []),
    list: ("x", 3, None, {}, [3]),
}


def spelled(path: tuple[str | int, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def holder(content: Any, path: tuple[str | int, ...]) -> Any:
    for part in path[:-1]:
        content = content[part]
    return content


def test_the_list_of_fields_is_the_one_meant() -> None:
    names = {spelled(path) for path in ALL_FIELDS}
    assert {"format_version", "base_model.revision", "layout.layers[1].head_dim"} <= names
    assert {"heads[0].score", "site", "prompt_hash", "weights_sha256", "versions"} <= names


@pytest.mark.parametrize("path", ALL_FIELDS, ids=spelled)
def test_a_missing_field_is_named(saved: Path, path: tuple[str | int, ...]) -> None:
    content = document(saved)
    del holder(content, path)[path[-1]]
    rewrite(saved, content)
    with pytest.raises(ArtifactError) as caught:
        read_folder(saved)
    assert f"'{spelled(path)}' is missing; expected" in str(caught.value)


@pytest.mark.parametrize("path", ALL_FIELDS, ids=spelled)
def test_a_field_of_the_wrong_type_is_named(saved: Path, path: tuple[str | int, ...]) -> None:
    content = document(saved)
    where = holder(content, path)
    wrong = WRONG[type(where[path[-1]])]
    for value in wrong:
        where[path[-1]] = value
        rewrite(saved, content)
        with pytest.raises(ArtifactError) as caught:
            read_folder(saved)
        assert f"'{spelled(path)}" in str(caught.value), value
        assert "expected" in str(caught.value), value
        assert "again" in str(caught.value), value


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("versions", "torch"), 2, r"versions\.torch"),
        (("heads", 0, "head"), 99, "heads"),
        (("heads", 1), {"layer": 3, "head": 1, "score": 0}, "heads"),
        (("layout", "layers"), [], r"layout\.layers"),
        (("layout", "layers", 1, "layer"), 0, r"layout\.layers"),
        (("site",), "somewhere", "site"),
        (("prompt", "instruction"), "Another question: {text}", "prompt_hash"),
        (("heads", 0, "score"), 10**400, "score"),
    ],
)
def test_values_that_do_not_fit_each_other_are_named(
    saved: Path, path: tuple[str | int, ...], value: object, named: str
) -> None:
    content = document(saved)
    holder(content, path)[path[-1]] = value
    rewrite(saved, content)
    with pytest.raises(ArtifactError, match=named):
        read_folder(saved)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 200_000,
    ],
    ids=lambda content: repr(content[:24]),
)
def test_a_broken_json_file_says_so(saved: Path, content: bytes) -> None:
    (saved / "headwise.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"headwise\.json.*again"):
        read_folder(saved)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_refused(saved: Path, number: str) -> None:
    file = saved / "headwise.json"
    text = file.read_text("utf-8")
    assert "0.75" in text
    file.write_text(text.replace("0.75", number), "utf-8")
    with pytest.raises(ArtifactError, match=f"not valid JSON.*{number}"):
        read_folder(saved)


def test_any_flipped_bit_of_the_weights_is_found(saved: Path) -> None:
    weights = saved / "headwise.safetensors"
    good = weights.read_bytes()
    for place in range(len(good)):
        weights.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(ArtifactError, match="damaged"):
            read_folder(saved)
    weights.write_bytes(good)
    assert read_folder(saved).tensors


@pytest.mark.parametrize("size", [0, 7, -1])
def test_truncated_weights_are_found(saved: Path, size: int) -> None:
    weights = saved / "headwise.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(ArtifactError, match=r"headwise\.safetensors is damaged.*[Ff]it again"):
        read_folder(saved)


def test_weights_of_the_right_hash_that_are_no_safetensors_are_refused(saved: Path) -> None:
    (saved / "headwise.safetensors").write_bytes(b"no tensors")
    content = document(saved) | {"weights_sha256": hashlib.sha256(b"no tensors").hexdigest()}
    rewrite(saved, content)
    with pytest.raises(ArtifactError, match="not a safetensors file"):
        read_folder(saved)


def test_a_newer_format_names_both_versions_and_the_way_out(saved: Path) -> None:
    # Nothing else of a newer document may be relied on.
    rewrite(saved, {"format_version": FORMAT_VERSION + 6, "weights_sha256": 1})
    with pytest.raises(ArtifactError, match="pip install -U headwise") as caught:
        read_folder(saved)
    assert f"version {FORMAT_VERSION + 6}" in str(caught.value)
    assert f"version {FORMAT_VERSION}." in str(caught.value)


@pytest.mark.parametrize("name", ["headwise.json", "headwise.safetensors"])
def test_a_missing_file_is_named_with_what_is_there(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ArtifactError, match=f"no {name}") as caught:
        read_folder(saved)
    assert "README.md" in str(caught.value)


def test_a_missing_folder_and_a_file_are_told_apart(saved: Path) -> None:
    with pytest.raises(ArtifactError, match="no folder"):
        read_folder(saved / "deeper")
    with pytest.raises(ArtifactError, match="is a file; expected the folder"):
        read_folder(saved / "headwise.json")


def test_a_folder_that_cannot_be_read_is_an_artifact_error(saved: Path) -> None:
    (saved / "headwise.safetensors").unlink()
    (saved / "headwise.safetensors").mkdir()
    with pytest.raises(ArtifactError, match="could not be read"):
        read_folder(saved)


# --- Saving over something -------------------------------------------------------------------


def old_and_new() -> tuple[ArtifactRecord, ArtifactRecord]:
    return (
        record(method="old", tensors={"x": torch.zeros(3)}),
        record(method="new", tensors={"x": torch.ones(3)}),
    )


def assert_whole(folder: Path, *methods: str) -> str:
    """The folder holds one of the two artifacts of `old_and_new`, unmixed."""
    loaded = read_folder(folder)
    assert loaded.method in methods
    assert loaded.tensors["x"].tolist() == [float(loaded.method == "new")] * 3
    return loaded.method


def test_an_older_artifact_and_an_empty_folder_are_replaced(tmp_path: Path) -> None:
    old, new = old_and_new()
    write_folder(tmp_path / "made" / "deep", old, "old")
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "made" / "deep", tmp_path / "empty"):
        write_folder(folder, new, "new")
        assert_whole(folder, "new")
        assert (folder / "README.md").read_text() == "new"
        assert names_in(folder) == FILES
    assert names_in(tmp_path) == {"made", "empty"}
    assert names_in(tmp_path / "made") == {"deep"}


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    old, new = old_and_new()
    write_folder(tmp_path / "real", old, "")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_folder(tmp_path / "link", new, "")
    assert (tmp_path / "link").is_symlink()
    assert_whole(tmp_path / "real", "new")


@pytest.mark.parametrize("with_artifact", [True, False])
def test_a_folder_with_anything_else_is_left_alone(tmp_path: Path, with_artifact: bool) -> None:
    old, new = old_and_new()
    folder = tmp_path / "mine"
    if with_artifact:
        write_folder(folder, old, "")
    (folder / "notes").mkdir(parents=True)
    (folder / "notes" / "thesis.txt").write_text("years of work")
    before = names_in(folder)
    with pytest.raises(ArtifactError, match=r"holds more than a headwise artifact \(notes\)"):
        write_folder(folder, new, "")
    assert names_in(folder) == before
    assert (folder / "notes" / "thesis.txt").read_text() == "years of work"
    assert names_in(tmp_path) == {"mine"}


def test_a_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(ArtifactError, match="is a file"):
        write_folder(tmp_path / "a", record(), "")
    with pytest.raises(ArtifactError, match="could not be saved"):
        write_folder(tmp_path / "a" / "below", record(), "")
    assert (tmp_path / "a").read_text() == "mine"
    assert names_in(tmp_path) == {"a"}


def failing(function: Callable[..., Any], calls: set[int], error: BaseException) -> Any:
    """`function`, except that the calls of these numbers raise."""
    count = 0

    def wrapped(*arguments: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count in calls:
            raise error
        return function(*arguments, **named)

    return wrapped


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, existing: bool
) -> None:
    old, new = old_and_new()
    folder = tmp_path / "a"
    if existing:
        write_folder(folder, old, "")
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(os, "fsync", failing(os.fsync, {call}, full))
    with pytest.raises(ArtifactError, match=r"No space left on device.*Free .* KiB") as caught:
        write_folder(folder, new, "")
    assert str(folder) in str(caught.value)
    assert names_in(tmp_path) == ({"a"} if existing else set())
    if existing:
        assert_whole(folder, "old")
    write_folder(folder, new, "")
    assert_whole(folder, "new")


@pytest.mark.parametrize("calls", [{1}, {2}])
@pytest.mark.parametrize("error", [OSError(errno.EBUSY, "busy"), KeyboardInterrupt()])
def test_a_move_that_fails_leaves_the_old_artifact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: set[int], error: BaseException
) -> None:
    old, new = old_and_new()
    write_folder(tmp_path / "a", old, "")
    monkeypatch.setattr(os, "rename", failing(os.rename, calls, error))
    with pytest.raises((ArtifactError, KeyboardInterrupt)):
        write_folder(tmp_path / "a", new, "")
    assert_whole(tmp_path / "a", "old")
    assert names_in(tmp_path) == {"a"}


def test_where_even_moving_back_fails_the_old_artifact_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = old_and_new()
    folder = tmp_path / "a"
    write_folder(folder, old, "")
    # The first save can still move the old artifact aside; the second can move nothing.
    for calls in ({2, 3}, {1, 2}):
        with monkeypatch.context() as patched:
            broken = failing(os.rename, calls, OSError(errno.EIO, "broken"))
            patched.setattr(os, "rename", broken)
            with pytest.raises(ArtifactError):
                write_folder(folder, new, "")
        with pytest.warns(UserWarning, match="interrupted"):
            assert_whole(folder, "old")
    write_folder(folder, new, "")
    assert_whole(folder, "new")
    assert names_in(tmp_path) == {"a"}


def test_a_reader_beside_a_writer_sees_whole_artifacts_only(tmp_path: Path) -> None:
    old, new = old_and_new()
    folder = tmp_path / "a"
    write_folder(folder, old, "")

    def write() -> None:
        for number in range(60):
            write_folder(folder, (new, old)[number % 2], "")

    with warnings.catch_warnings(), ThreadPoolExecutor(1) as pool:
        # What a reader meets between the two moves looks like an interrupted save.
        warnings.simplefilter("ignore")
        writer = pool.submit(write)
        while not writer.done():
            assert_whole(folder, "old", "new")
        writer.result()


def kill_at(step: int, work: Callable[[], None]) -> bool:
    """Runs `work` in a child that dies at its `step`-th change of the disk; whether it did."""
    child = os.fork()
    if child == 0:
        count = 0

        def deadly(function: Any) -> Any:
            def wrapped(*arguments: Any, **named: Any) -> Any:
                nonlocal count
                count += 1
                if count == step:
                    os._exit(9)
                return function(*arguments, **named)

            return wrapped

        try:
            for name in ("mkdir", "fsync", "rename", "unlink", "rmdir"):
                setattr(os, name, deadly(getattr(os, name)))
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:Saving to")
def test_a_kill_at_any_step_leaves_the_old_or_the_new_artifact(tmp_path: Path) -> None:
    old, new = old_and_new()
    found = set()
    for step in range(1, 100):
        folder = tmp_path / str(step) / "a"
        write_folder(folder, old, "")
        killed = kill_at(step, lambda folder=folder: write_folder(folder, new, ""))
        found.add(assert_whole(folder, "old", "new"))
        # The next save gets through, whatever was left lying about.
        write_folder(folder, new, "")
        assert_whole(folder, "new")
        if not killed:
            break
    assert not killed
    assert step > 8
    assert found == {"old", "new"}


# --- Artifacts and their model ---------------------------------------------------------------


def test_an_artifact_comes_back_by_class_and_by_function(tmp_path: Path) -> None:
    before = artifact()
    before.save_pretrained(tmp_path / "a")
    for load in (Centroids.from_pretrained, from_pretrained):
        for name in (tmp_path / "a", str(tmp_path / "a")):
            after = load(name, engine=before.engine)
            assert isinstance(after, Centroids)
            assert after.engine is before.engine
            assert after.heads == before.heads
            assert torch.equal(after.centroids, before.centroids)


def test_an_artifact_of_a_real_engine_comes_back(tiny_engine: Engine, tmp_path: Path) -> None:
    heads = tiny_engine.layout.all_heads().top(3)
    before = Centroids(tiny_engine, heads, torch.ones(3))
    before.save_pretrained(tmp_path / "a")
    assert read_folder(tmp_path / "a").base_model == tiny_engine.fingerprint
    assert Centroids.from_pretrained(tmp_path / "a", engine=tiny_engine).heads == heads


def test_another_class_is_refused_by_name(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", record(), "")
    with pytest.raises(ArtifactError, match=r"'sparse-attention-vectors', but Centroids"):
        Centroids.from_pretrained(tmp_path / "a", engine=engine())


def test_an_unknown_method_names_the_known_ones(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", record(method="from-the-future"), "")
    with pytest.raises(ArtifactError, match=r"from-the-future.*activation-reward.*install -U"):
        from_pretrained(tmp_path / "a", engine=engine())


@pytest.mark.parametrize(
    "name", ["architecture", "layout_hash", "weights_hash", "chat_template_hash"]
)
def test_another_model_is_refused_with_both_fingerprints(tmp_path: Path, name: str) -> None:
    artifact().save_pretrained(tmp_path / "a")
    other = engine(**{name: "other-value", "model_id": "org/other"})
    for load in (Centroids.from_pretrained, from_pretrained):
        with pytest.raises(ArtifactError) as caught:
            load(tmp_path / "a", engine=other)
        message = str(caught.value)
        row = next(line for line in message.splitlines() if line.strip().startswith(name))
        assert row.split() == [name, str(getattr(FINGERPRINT, name)), "other-value"]
        assert "org/tiny-llama" in message
        assert "org/other" in message
        assert "fit again" in message


def test_name_revision_and_dtype_of_the_model_may_differ(tmp_path: Path) -> None:
    artifact().save_pretrained(tmp_path / "a")
    same = engine(model_id="elsewhere/copy", revision="v2", dtype="bfloat16")
    assert from_pretrained(tmp_path / "a", engine=same)


class Loader:
    """Stands in for the module `headwise.engines.load`."""

    def __init__(self, result: Engine | Exception) -> None:
        self.result = result
        self.asked: dict[str, Any] = {}

    def load(self, model: str | None = None, **named: Any) -> Engine:
        self.asked = {"model": model, **named}
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def install(monkeypatch: pytest.MonkeyPatch, loader: Loader) -> None:
    module = ModuleType("headwise.engines.load")
    module.load = loader.load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "headwise.engines.load", module)


def test_the_base_model_is_loaded_where_no_engine_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact().save_pretrained(tmp_path / "a")
    loader = Loader(engine())
    install(monkeypatch, loader)
    loaded = from_pretrained(tmp_path / "a", device="cpu", dtype="float32")
    assert isinstance(loaded, Centroids)
    assert loaded.engine is loader.result
    expected = {"model": "org/tiny-llama", "revision": "0123abc"}
    assert loader.asked == {**expected, "device": "cpu", "dtype": "float32"}


def test_a_base_model_that_changed_since_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact().save_pretrained(tmp_path / "a")
    install(monkeypatch, Loader(engine(weights_hash="retrained")))
    with pytest.raises(ArtifactError, match="retrained"):
        from_pretrained(tmp_path / "a")


def test_a_base_model_that_cannot_be_loaded_names_it_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact().save_pretrained(tmp_path / "a")
    install(monkeypatch, Loader(EngineError("No such model.")))
    with pytest.raises(ArtifactError, match=r"org/tiny-llama.*No such model.*engine="):
        from_pretrained(tmp_path / "a")


@pytest.mark.parametrize("option", [{"device": "cpu"}, {"dtype": "float32"}, {"revision": "v1"}])
def test_options_that_would_be_ignored_are_refused(tmp_path: Path, option: dict[str, Any]) -> None:
    artifact().save_pretrained(tmp_path / "a")
    with pytest.raises(InputError, match=next(iter(option))):
        from_pretrained(tmp_path / "a", engine=engine(), **option)


# --- The Hub ---------------------------------------------------------------------------------


class FakeHub:
    """A Hub in a folder: `<root>/<org>/<name>/<revision>/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.private: dict[str, bool] = {}
        self.messages: list[str] = []

    def api(self, token: str | bool | None = None) -> FakeHub:
        assert token == TOKEN
        return self

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> None:
        assert exist_ok or repo_id not in self.private
        self.private.setdefault(repo_id, private)
        (self.root / repo_id / "main").mkdir(parents=True, exist_ok=True)

    def create_branch(self, repo_id: str, *, branch: str, exist_ok: bool) -> None:
        (self.root / repo_id / branch).mkdir(exist_ok=exist_ok)

    def upload_folder(
        self, *, repo_id: str, folder_path: Path, revision: str | None, commit_message: str
    ) -> SimpleNamespace:
        target = self.root / repo_id / (revision or "main")
        assert target.is_dir(), "the Hub refuses an unknown repository or branch"
        shutil.copytree(folder_path, target, dirs_exist_ok=True)
        self.messages.append(commit_message)
        return SimpleNamespace(commit_url=f"https://hub.example/{repo_id}/commit/1")

    def snapshot(
        self, repo_id: str, *, revision: str | None, token: object, allow_patterns: list[str]
    ) -> str:
        source = self.root / repo_id / (revision or "main")
        if not source.is_dir():
            raise hub.LocalEntryNotFoundError("nothing cached")
        target = self.root / "cache" / repo_id.replace("/", "--")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in names_in(source) & set(allow_patterns):
            shutil.copy(source / name, target)
        return str(target)


@pytest.fixture
def fake_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub(tmp_path / "hub")
    monkeypatch.setattr(hub, "HfApi", fake.api)
    monkeypatch.setattr(hub, "snapshot_download", fake.snapshot)
    monkeypatch.chdir(tmp_path)
    return fake


@pytest.mark.parametrize("revision", [None, "v2"])
def test_an_artifact_goes_to_the_hub_and_back(fake_hub: FakeHub, revision: str | None) -> None:
    before = artifact()
    for _ in range(2):
        url = before.push_to_hub(
            "org/probe", private=True, revision=revision, token=TOKEN, commit_message="First"
        )
    assert url == "https://hub.example/org/probe/commit/1"
    assert fake_hub.private == {"org/probe": True}
    assert fake_hub.messages == ["First", "First"]
    (fake_hub.root / "org/probe" / (revision or "main") / "huge.bin").write_bytes(b"not ours")
    after = from_pretrained("org/probe", engine=before.engine, revision=revision)
    assert isinstance(after, Centroids)
    assert torch.equal(after.centroids, before.centroids)
    assert names_in(fake_hub.root / "cache" / "org--probe") == FILES
    card = (fake_hub.root / "org/probe" / (revision or "main") / "README.md").read_text("utf-8")
    assert '"org/probe"' in card


def test_a_local_folder_goes_before_a_hub_repository(fake_hub: FakeHub) -> None:
    write_folder(
        "org/probe", record(method=Centroids.method, tensors={"centroids": torch.ones(1)}), ""
    )
    artifact().push_to_hub("org/probe", token=TOKEN)
    loaded = from_pretrained("org/probe", engine=engine())
    assert isinstance(loaded, Centroids)
    assert loaded.centroids.tolist() == [1.0]


def test_a_repository_without_an_artifact_is_named(fake_hub: FakeHub) -> None:
    (fake_hub.root / "org/empty/main").mkdir(parents=True)
    with pytest.raises(ArtifactError, match=r"'org/empty'.*no headwise\.json"):
        from_pretrained("org/empty", engine=engine())


@pytest.mark.parametrize("name", ["./a/b", "../b", "a/b/c", "plain", "/no/such", "a\\b"])
def test_what_is_neither_folder_nor_hub_id_is_no_such_folder(fake_hub: FakeHub, name: str) -> None:
    with pytest.raises(ArtifactError, match="no such folder"):
        from_pretrained(name, engine=engine())
    with pytest.raises(ArtifactError, match="no such folder"):
        from_pretrained(Path("org/name"), engine=engine())


def hub_error(kind: type[Exception], text: str = "") -> Exception:
    error = kind.__new__(kind)
    error.args = (text,)
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (hub_error(hub.GatedRepoError), "restricted"),
        (hub_error(hub.RepositoryNotFoundError), "no such repository"),
        (hub_error(hub.RevisionNotFoundError), "no such revision"),
        (hub_error(hub.LocalEntryNotFoundError), "cannot be reached"),
        (hub_error(hub.OfflineModeIsEnabled), "cannot be reached"),
        (ConnectionError("name resolution failed\nlong trace"), "name resolution failed"),
        (RuntimeError(), "RuntimeError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_hub_errors_are_artifact_errors_that_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise error

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "snapshot_download", refuse)
    monkeypatch.setattr(hub, "HfApi", lambda token: SimpleNamespace(create_repo=refuse))
    with pytest.raises(ArtifactError, match=said) as caught:
        from_pretrained("org/probe", revision="v9", token=TOKEN, engine=engine())
    assert "org/probe" in str(caught.value)
    assert "v9" in str(caught.value)
    with pytest.raises(ArtifactError, match=f"{said}.*save_pretrained") as pushed:
        artifact().push_to_hub("org/probe", token=TOKEN)
    assert TOKEN not in str(caught.value) + str(pushed.value)


# --- The card --------------------------------------------------------------------------------


HOSTILE = "```\n# fence\n````python\n<script>alert(1)</script> | a | `b` ``c\n---\n~~~\n![x](y)"
MARKDOWN = MarkdownIt("commonmark").enable("table")


def front_matter(card: str) -> dict[str, Any]:
    return ModelCard(card).data.to_dict()


def inline_code(markdown: str) -> list[str]:
    tokens = [child for token in MARKDOWN.parse(markdown) for child in token.children or []]
    return [token.content for token in tokens if token.type == "code_inline"]


@pytest.mark.parametrize("method", ["sparse-attention-vectors", "activation-reward", "other"])
def test_the_card_tells_what_a_person_needs(method: str) -> None:
    card = render_card(record(method=method), "org/probe")
    data = front_matter(card)
    assert data["library_name"] == "headwise"
    assert data["base_model"] == "org/tiny-llama"
    assert data["pipeline_tag"] == "text-classification"
    assert data["tags"] == ["headwise", method]
    assert "license" not in data
    code = [token for token in MARKDOWN.parse(card) if token.type == "fence"]
    python = next(token.content for token in code if token.info == "python")
    compile(python, "card", "exec")
    assert 'headwise.from_pretrained("org/probe")' in python
    assert len(python.splitlines()) <= 5
    assert any(token.content.startswith("headwise ") for token in code if token.info == "bash")
    for part in ("2 of 6 heads", "| 3 | 1 | 0.3 |", "weights-a", "accuracy", "Limits", "0.75"):
        assert part in card
    assert "Which topic?\n{text}\n" in [token.content for token in code]
    assert "`sport: 3, world: 4`" in card
    assert record().versions["torch"] in card


@pytest.mark.parametrize("model_id", ["embedded", "/home/me/llama", "./llama", "gpt2"])
def test_only_a_hub_id_is_a_base_model_on_the_hub(model_id: str) -> None:
    card = render_card(record(base_model=replace(FINGERPRINT, model_id=model_id, revision=None)))
    assert "base_model" not in front_matter(card)
    assert model_id in inline_code(card)


def test_a_local_folder_named_like_a_hub_id_is_no_base_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("org/tiny-llama").mkdir(parents=True)
    assert "base_model" not in front_matter(render_card(record()))


def test_the_card_shows_twenty_heads_and_counts_the_rest() -> None:
    layout = HeadLayout((LayerHeads(0, 33, 8),))
    for n, more in ((20, None), (21, "and 1 more"), (33, "and 13 more")):
        heads = HeadSet(tuple(HeadIndex(0, head) for head in range(n)), (0.5,) * n)
        card = render_card(record(layout=layout, heads=heads))
        assert card.count("| 0.5 |") == 20
        assert (more in card) if more else ("more, in" not in card)


def test_no_text_of_the_user_becomes_markup() -> None:
    hostile = record(
        method=HOSTILE,
        parameters={HOSTILE: HOSTILE},
        prompt={HOSTILE: HOSTILE, "tags: [x]": [HOSTILE]},
        statistics={"n_examples": {HOSTILE: 3}, "empty": ""},
        base_model=replace(FINGERPRINT, model_id=HOSTILE),
    )
    card = render_card(hostile, HOSTILE)
    assert front_matter(card)["tags"] == ["headwise", HOSTILE]
    tokens = MARKDOWN.parse(ModelCard(card).text)
    harmless = MARKDOWN.parse(ModelCard(render_card(record(), "x")).text)
    titles = [token.tag for token in tokens if token.type == "heading_open"]
    assert titles == [token.tag for token in harmless if token.type == "heading_open"]
    children = [child.type for token in tokens for child in token.children or []]
    assert not {"html_inline", "image"} & set(children)
    assert not {"html_block", "hr"} & {token.type for token in tokens}
    assert HOSTILE + "\n" in [token.content for token in tokens if token.type == "fence"]


@given(st.text(st.sampled_from("`|\\ \n~ab")))
@settings(max_examples=200, deadline=None)
def test_markdown_shows_any_text_as_it_is(text: str) -> None:
    (block,) = MARKDOWN.parse(fence(text))
    assert block.content == (text if text.endswith("\n") else text + "\n")
    if text.strip():
        shown = inline_code(table(("a", "b"), [(code_span(text), code_span("next"))]))
        assert shown == [" ".join(text.split()), "next"]


def test_the_weights_file_is_plain_safetensors(saved: Path) -> None:
    loaded = safetensors.torch.load_file(saved / "headwise.safetensors")
    assert torch.equal(loaded["centroids"], record().tensors["centroids"])
