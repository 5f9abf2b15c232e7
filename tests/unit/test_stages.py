"""The tree is the data flow: no stage knows a later one, and everything stays small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import headwise

PACKAGE = Path(headwise.__file__).parent
STAGES = (
    "errors",
    "addresses",
    "progress",
    "content",
    "examples",
    "data",
    "scenes",
    "graphs",
    "readers",
    "prompts",
    "heads",
    "engines",
    "selection",
    "artifacts",
    "methods",
    "jobs",
    "baselines",
    "evaluation",
    "benchmarks",
    "client",
    "integrations",
    "server",
    "demonstration",
    "cli",
)
# The public names, and the way in for `python -m headwise`.
EXEMPT = ("__init__.py", "__main__.py")
MODULES = sorted(PACKAGE.rglob("*.py"))
NAMES = [str(path.relative_to(PACKAGE)) for path in MODULES]
MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 60


def stage_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(tree: ast.AST, path: Path) -> Iterator[str]:
    """The headwise modules that a module imports, wherever in it, by absolute name."""
    package = ["headwise", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base == "headwise":
                yield from (f"headwise.{alias.name}" for alias in node.names)
            else:
                yield base


def later_stages(tree: ast.AST, path: Path) -> set[str]:
    own = STAGES.index(stage_of(path))
    used = {name.split(".")[1] for name in imported(tree, path) if name.startswith("headwise.")}
    used.discard("__version__")
    # A name that is no stage is one of the public names, which may come from any.
    return {name for name in used if name not in STAGES or STAGES.index(name) > own}


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_a_module_has_a_stage_and_imports_no_later_one(path: Path) -> None:
    if path.parent == PACKAGE and path.name in EXEMPT:
        pytest.skip("not of any stage")
    assert stage_of(path) in STAGES
    assert later_stages(ast.parse(path.read_text("utf-8")), path) == set()


def test_scenes_stand_on_their_own() -> None:
    for path in (PACKAGE / "scenes").rglob("*.py"):
        used = {
            name.split(".")[1]
            for name in imported(ast.parse(path.read_text("utf-8")), path)
            if name.startswith("headwise.")
        }
        assert used <= {"errors", "examples", "scenes"}, path


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from headwise.methods.reward_model import RewardModel", {"methods"}),
        ("def f():\n    import headwise.cli.main", {"cli"}),
        ("from headwise import artifacts", {"artifacts"}),
        ("from headwise import RewardModel", {"RewardModel"}),
        ("from ..methods import reward_model", {"methods"}),
        ("from .. import methods", {"methods"}),
        ("from headwise import __version__", set()),
        ("from . import search\nfrom headwise.heads import HeadSet\nimport torch", set()),
    ],
)
def test_imports_of_later_stages_are_seen(source: str, found: set[str]) -> None:
    assert later_stages(ast.parse(source), PACKAGE / "selection" / "voting.py") == found


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_no_module_is_a_drawer_for_odds_and_ends(path: Path) -> None:
    for part in path.relative_to(PACKAGE).parts:
        assert part.removesuffix(".py").strip("_") not in {
            *("utils", "util", "helpers", "helper"),
            *("common", "misc", "shared", "tools"),
        }


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_files_and_functions_stay_small(path: Path) -> None:
    source = path.read_text("utf-8")
    assert len(source.splitlines()) <= MOST_FILE_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = code_lines(node)
            assert lines <= MOST_FUNCTION_LINES, f"{node.name} has {lines} lines"


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body without its docstring.

    Parameters do not count: a command of the command line describes its options there.
    """
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (node.end_lineno or node.lineno) - body[0].lineno + 1 if body else 0
