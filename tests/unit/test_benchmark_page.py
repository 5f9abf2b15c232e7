"""`docs/benchmarks.md` says what the headers say."""

from __future__ import annotations

from benchmark_page import PAGE, page
from headwise.benchmarks import names


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: PYTHONPATH=src python tests/benchmark_page.py"


def test_every_benchmark_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    assert all(f"### `{name}`: " in text for name in names())
