"""Runs the command line in tests, and the small data they put to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from typer.testing import CliRunner, Result

from headwise.cli.main import app

INSTRUCTION = "Message: {text}\nIts animal?"
EXAMPLES = (
    *({"text": text, "label": "cats"} for text in ("the cat sat", "a cat purrs", "my cat naps")),
    *({"text": text, "label": "dogs"} for text in ("the dog ran", "a dog barks", "my dog digs")),
)
PAIRS = tuple(
    {
        "prompt": f"question {number}?",
        "chosen": f"the good answer {number}",
        "rejected": f"a bad answer {number}",
        "split": "even" if number % 2 == 0 else "odd",
    }
    for number in range(6)
)


def headwise(*arguments: object, stdin: str | None = None) -> Result:
    """Runs the command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def done(*arguments: object, stdin: str | None = None) -> Result:
    """Runs the command line, which must succeed."""
    result = headwise(*arguments, stdin=stdin)
    assert result.exit_code == 0, result.stderr
    return result


def failed(exit_code: int, *arguments: object, stdin: str | None = None) -> str:
    """Runs the command line, which must fail with words and nothing on stdout; gives the words."""
    result = headwise(*arguments, stdin=stdin)
    assert result.exit_code == exit_code, result.stderr
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert "fault of headwise" not in result.stderr
    return " ".join(result.stderr.split())


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """Writes rows, one JSON object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_jsonl(path: Path) -> list[dict[str, object]]:
    """Reads rows, one JSON object a line."""
    return [json.loads(line) for line in path.read_text().splitlines()]
