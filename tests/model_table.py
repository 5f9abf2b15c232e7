"""Writes `docs/models.md`: which property was tested on which family, from reports of a test run.

pytest tests/conformance -n 2 --junitxml=report.xml
python tests/model_table.py report.xml
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

from headwise.engines.transformers.sight import KNOWN_MODELS
from tiny_models import FAMILIES
from tiny_vision_models import VISION_FAMILIES, build_vision

PAGE = Path(__file__).parent.parent / "docs" / "models.md"
# Test functions by what they show of a family.
PROPERTIES: dict[str, tuple[str, ...]] = {
    "heads": (
        *("test_layout_is_the_stated_one", "test_capture_equals_the_oracle"),
        *("test_capture_equals_a_plain_pass", "test_heads_are_attention_weights_times_values"),
    ),
    "batches": ("test_a_batch_equals_its_single_runs", "test_a_batch_of_losses_equals_its"),
    "prefixes": (
        *("test_capture_of_conversations_with_one_beginning", "test_capture_where_"),
        *(
            "test_what_many_responses_share",
            "test_what_is_kept_between",
            "test_pictures_that_follow",
            "test_a_prompt_may_end",
            "test_what_several_groups_begin_with",
            "test_pictures_in_what_several_groups",
        ),
    ),
    "early stop": ("test_capture_stops_at", "test_the_deepest_layer_needed"),
    "scores": (
        "test_unsteered_equals",
        "test_steered_equals_a",
        "test_logprobs_equal",
        "test_steered_logprobs_equal",
    ),
    "masks": (
        "test_equals_plain_patched",
        "test_losses_equal_plain",
        "test_putting_back",
        "test_a_target_can_compete",
    ),
    "slopes": (
        "test_effects_are_the_slope",
        "test_equals_a_finite_difference",
        "test_losses_where_effects",
    ),
    "generates": (
        *("test_greedy_is_what", "test_the_pieces_are", "test_steered_equals_plain"),
        *("test_a_batch_says_what", "test_pictures_in_what_is_shared"),
    ),
    "no trace": ("test_nothing_is_left_behind",),
    "texts stay texts": ("test_text_cannot_become", "test_tokens_are_those_of"),
}
_HOW = {
    "causal": "shared",
    "picture": "shared, up to the last image",
    "prompt": "whole sequences",
    "cross": "whole sequences, row by row",
}

Results = dict[tuple[str, str], list[bool]]


def results_of(reports: Iterable[Path]) -> Results:
    """For each family and property whether each of its tests passed."""
    found: Results = defaultdict(list)
    names = {*VISION_FAMILIES, *(one.name for one in FAMILIES)}
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - our own report
            match = re.fullmatch(r"(\w+)\[(.*)\]", case.get("name", ""))
            if match is None or case.find("skipped") is not None:
                continue
            families = [part for part in match[2].split("-") if part in names]
            sees = ".test_images_" in case.get("classname", "")
            for family in families[:1]:
                for title, tests in PROPERTIES.items():
                    if match[1].startswith(tests):
                        passed = case.find("failure") is None and case.find("error") is None
                        found[f"{family} images" if sees else family, title].append(passed)
    return found


def table(rows: Sequence[tuple[str, str, Sequence[str]]], titles: Sequence[str]) -> str:
    """A Markdown table of families."""
    head = "| family | model | " + " | ".join(titles) + " |"
    line = "| --- " * (len(titles) + 2) + "|"
    body = [f"| {name} | {model} | " + " | ".join(cells) + " |" for name, model, cells in rows]
    return "\n".join([head, line, *body])


def cells(found: Results, key: str, titles: Sequence[str]) -> list[str]:
    """What was found of one family: the number of tests that passed, or that one failed."""
    told = []
    for title in titles:
        passed = found.get((key, title), [])
        told.append(f"{len(passed)}" if passed and all(passed) else "FAILED" if passed else "–")
    return told


def tables(found: Results) -> dict[str, str]:
    """The tables of the page, by their names there."""
    titles = list(PROPERTIES)
    seeing = [
        (
            name,
            type(build_vision(name).model).__name__,
            [*cells(found, f"{name} images", titles), _HOW[KNOWN_MODELS[name]]],
        )
        for name in VISION_FAMILIES
    ]
    texts = [(one.name, one.model, cells(found, one.name, titles[:-1])) for one in FAMILIES]
    return {
        "images": table(seeing, [*titles, "prefixes run"]),
        "texts": table(texts, titles[:-1]),
    }


def main(reports: Sequence[str]) -> None:
    """Puts the tables between their marks in the page."""
    text = PAGE.read_text("utf-8")
    for name, content in tables(results_of(map(Path, reports))).items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = f"{before}{start}\n{content}\n{end}{after}"
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
