"""The public names: all there, all described, and none loaded before it is used."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import headwise

SOURCE = Path(headwise.__file__).parents[1]
HEAVY = ("torch", "transformers", "numpy", "scipy", "sklearn", "safetensors", "huggingface_hub")


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("statement", ["import headwise", "import headwise; dir(headwise)"])
def test_importing_loads_nothing_heavy_and_says_nothing(statement: str) -> None:
    done = run(f"{statement}\nimport sys; print(sorted(set({HEAVY}) & set(sys.modules)))")
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_a_name_is_there_on_first_use() -> None:
    done = run("import headwise; print(headwise.Preference('Q', 'a', 'b').chosen)")
    assert done.stdout == "a\n", done.stderr


@pytest.mark.parametrize("name", headwise.__all__)
def test_every_public_name_is_there_and_described(name: str) -> None:
    value = getattr(headwise, name)
    if name == "__version__":
        assert value
        return
    assert inspect.isclass(value) or inspect.isfunction(value)
    assert value.__name__ == name
    assert value.__module__.startswith("headwise.")
    description = value.__doc__ or ""
    # A dataclass without a docstring gets its signature for one.
    assert description.strip()
    assert not description.startswith(f"{name}(")


def test_public_names_are_sorted_and_distinct() -> None:
    assert sorted(set(headwise.__all__)) == sorted(headwise.__all__)


def test_dir_lists_every_public_name() -> None:
    assert set(headwise.__all__) <= set(dir(headwise))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = headwise.nonsense


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    assert headwise.__version__ == project["version"]
