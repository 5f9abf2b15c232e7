"""`docs/models.md` names every family, and its tables look for tests that are there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from headwise.engines.transformers.sight import KNOWN_MODELS
from model_table import PAGE, PROPERTIES, cells, results_of, table
from tiny_models import FAMILIES
from tiny_vision_models import VISION_FAMILIES

SUITE = Path(__file__).parent.parent / "conformance"
REPORT = """<testsuites><testsuite>
<testcase classname="tests.conformance.test_capture" name="test_layout_is_the_stated_one[llama]"/>
<testcase classname="tests.conformance.test_images_capture"
 name="test_a_batch_equals_its_single_runs[gemma3-1]"/>
<testcase classname="tests.conformance.test_capture"
 name="test_a_batch_equals_its_single_runs[gemma3-1-order]"><failure/></testcase>
<testcase classname="tests.conformance.test_capture"
 name="test_layout_is_the_stated_one[gpt2]"><skipped/></testcase>
</testsuite></testsuites>"""


def test_every_family_that_is_tested_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    for name in (*VISION_FAMILIES, *(one.name for one in FAMILIES)):
        assert f"\n| {name} |" in text, f"run tests/model_table.py for {name}"
    assert "FAILED" not in text


def test_every_family_that_is_shown_images_is_tested() -> None:
    assert set(KNOWN_MODELS) == set(VISION_FAMILIES)


@pytest.mark.parametrize("title", PROPERTIES)
def test_what_a_property_is_shown_by_exists(title: str) -> None:
    tests = {
        node.name
        for path in SUITE.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    for beginning in PROPERTIES[title]:
        assert any(name.startswith(beginning) for name in tests), beginning


def test_a_report_becomes_a_row(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT, "utf-8")
    found = results_of([report])
    assert cells(found, "llama", ["heads", "batches"]) == ["1", "–"]
    assert cells(found, "gemma3 images", ["batches"]) == ["1"]
    assert cells(found, "gemma3", ["batches"]) == ["FAILED"]
    assert cells(found, "gpt2", ["heads"]) == ["–"]
    assert table([("llama", "Llama", ["1"])], ["heads"]).splitlines()[-1] == "| llama | Llama | 1 |"
