"""The README and the pages of `docs/` say only what is there: links, commands, names, extras."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer

import headwise
from headwise.benchmarks import names
from headwise.cli.main import app
from headwise.errors import MissingExtraError

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_SHELLS = ("", "console", "sh", "bash")
_ENDS_COMMAND = frozenset({"|", ">", ">>", "<", "&", "&&", "||", ";"})
COMMANDS = typer.main.get_command(app)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows: a link, a command or a piece of Python."""

    page: str
    text: str


def label(shown: Shown) -> str:
    return f"{shown.page}: {shown.text.splitlines()[0][:60]}"


def fences(text: str, languages: tuple[str, ...]) -> Iterator[str]:
    return (body for language, body in _FENCE.findall(text) if language in languages)


def links(text: str) -> list[str]:
    found = _LINK.findall(_FENCE.sub("", text))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to headings."""
    kept = (
        re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(_FENCE.sub("", text))
    )
    return {title.strip().replace(" ", "-") for title in kept}


def is_there(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    if not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text("utf-8"))


def commands(text: str) -> list[str]:
    """The lines of shell blocks that run headwise, each without its prompt."""
    lines = [
        line.removeprefix("$ ").strip()
        for block in fences(text, _SHELLS)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return [line for line in lines if re.search(r"(^|/)headwise [a-z-]", line)]


def arguments(line: str) -> list[str]:
    """What headwise is given: the words behind its name, up to a pipe, a redirection or a `;`."""
    words = shlex.split(line, comments=True)
    called = next(i for i, word in enumerate(words) if re.search(r"(^|/)headwise$", word))
    return list(takewhile(lambda word: word not in _ENDS_COMMAND, words[called + 1 :]))


def parse(given: list[str]) -> None:
    """Has the command line read its arguments, as it does before a command runs.

    Fails as the command line does: for an unknown command or option, a value out of range or a
    missing argument.
    """
    command: Any = COMMANDS
    rest = list(given)
    while hasattr(command, "commands"):
        assert rest, f"{command.name} names no command"
        assert rest[0] in command.commands, f"there is no command {rest[0]!r}"
        command = command.commands[rest.pop(0)]
    command.make_context(command.name, rest)


def imports(source: str) -> Iterator[tuple[str, str]]:
    """The names of headwise that a piece of Python uses: module and name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("headwise"):
            yield from ((str(node.module), alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "headwise":
            yield "headwise", node.attr


def exists(module: str, name: str) -> bool:
    if module == "headwise":
        return name in headwise.__all__
    if hasattr(importlib.import_module(module), name):
        return True
    return importlib.util.find_spec(f"{module}.{name}") is not None


LINKS = [Shown(page.name, link) for page in PAGES for link in links(page.read_text("utf-8"))]
LINES = [Shown(page.name, line) for page in PAGES for line in commands(page.read_text("utf-8"))]
PIECES = [
    Shown(page.name, code)
    for page in PAGES
    for code in fences(page.read_text("utf-8"), ("python",))
]
BY_NAME = {page.name: page for page in PAGES}


@pytest.mark.parametrize("link", LINKS, ids=label)
def test_links_lead_somewhere(link: Shown) -> None:
    assert is_there(BY_NAME[link.page], link.text)


def test_every_page_is_reached_from_the_readme() -> None:
    reached, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        reached.add(page)
        targets = [link.partition("#")[0] for link in links(page.read_text("utf-8"))]
        paths = [(page.parent / target).resolve() for target in targets]
        ahead += [path for path in paths if path in PAGES and path not in reached]
    assert reached == set(PAGES)


@pytest.mark.parametrize("line", LINES, ids=label)
def test_commands_are_taken(line: Shown) -> None:
    parse(arguments(line.text))


def test_every_command_is_shown_somewhere() -> None:
    given = [arguments(line.text) for line in LINES]
    shown = {words[0] for words in given} | {" ".join(words[:2]) for words in given}
    fits = {f"fit {name}" for name in COMMANDS.commands["fit"].commands}
    assert set(COMMANDS.commands) | fits <= shown


@pytest.mark.parametrize("code", PIECES, ids=label)
def test_names_in_python_exist(code: Shown) -> None:
    for module, name in imports(code.text):
        try:
            assert exists(module, name), f"{module} has no {name}"
        except MissingExtraError:
            # Its framework is not installed; the tests of the integration have the name.
            continue


def test_extras_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    for page in PAGES:
        for group in re.findall(r"headwise\[([\w,-]+)\]", page.read_text("utf-8")):
            assert set(group.split(",")) <= extras, page.name
    table = re.findall(r"headwise\[([\w-]+)\]", (ROOT / "README.md").read_text("utf-8"))
    assert extras <= set(table)


def test_the_readme_counts_the_benchmarks() -> None:
    assert f"{len(names())} [benchmarks](" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    "line",
    [
        "headwise foretell topics",
        "headwise score judge",
        "headwise score judge rows.jsonl --no-such-option",
        "headwise audit judge --items many",
        "headwise bench --data-file a.jsonl --task poems",
        "headwise fit topics.jsonl",
    ],
)
def test_a_wrong_command_is_told(line: str) -> None:
    with pytest.raises(Exception, match=r"no command|No such option|Missing|valid|is not one"):
        parse(arguments(line))


def test_what_is_read_from_a_page() -> None:
    page = (
        "# A page: of `names`\n[a](b.md) [c](https://c.example) [d](#a-page-of-names)\n"
        '```console\n$ headwise fit task x.jsonl \\\n    -o "a b"  # a comment\nheadwise 1.0\n'
        "$ setsid venv/bin/headwise serve judge --port 1 >> log 2>&1 &\n$ pip install headwise\n"
        "```\n```python\n[e](f.md)\nheadwise predict\n```\n"
    )
    assert links(page) == ["b.md", "#a-page-of-names"]
    assert anchors(page) == {"a-page-of-names"}
    assert [arguments(line) for line in commands(page)] == [
        ["fit", "task", "x.jsonl", "-o", "a b"],
        ["serve", "judge", "--port", "1"],
    ]
