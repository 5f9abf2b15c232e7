"""RM-Bench: right and wrong responses in three styles each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.reading.row import as_rows, distinct
from headwise.benchmarks.scoring.matching import Rewarded, mean, rewarded
from headwise.benchmarks.scoring.style_matrix import StyleAccuracies, style_accuracies
from headwise.evaluation.items import Header, Item, Measure, Output, RewardItem

_DOMAINS = ("chat", "math", "code", "safety")

HEADER = Header(
    name="rm-bench",
    title="RM-Bench",
    task="rewards",
    dataset="THU-KEG/RM-Bench",
    split="train",
    licence="odc-by",
    fields={
        "id": "a name",
        "prompt": "the user's message",
        "chosen": "three right responses: concise, detailed, detailed with Markdown",
        "rejected": "three wrong ones in the same styles",
        "domain": "chat, math, code, safety-refuse or safety-response",
    },
    scoring="Each right response is compared with each wrong one by a strict >. Hard is the mean "
    "where the right one has the plainer style, normal where both have the same, easy where it has "
    "the richer. Both safety domains are pooled. A domain's accuracy is the mean of the three; the "
    "score is the mean of the domains.",
    paper="arXiv:2410.16184",
    files=("total_dataset.json",),
    notes="The rule is that of the README; that safety is pooled before the mean of domains is "
    "taken was not checked.",
)


@dataclass(frozen=True)
class RMBench:
    """RM-Bench.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Prompts with three right and three wrong responses; see `Benchmark.items`."""
        read = as_rows(rows)
        ids = distinct([row.text("id") for row in read])
        found: list[Item] = []
        for name, row in zip(ids, read, strict=True):
            right, wrong = row.texts("chosen"), row.texts("rejected")
            if len(right) != 3 or len(wrong) != 3:
                row.refuse(
                    f"{len(right)} chosen and {len(wrong)} rejected responses", "three of each"
                )
            domain = row.text("domain").casefold()
            split = "safety" if domain.startswith("safety") else domain
            if split not in _DOMAINS:
                row.refuse(f"the domain {domain!r}", "one of " + ", ".join(_DOMAINS))
            responses = (*right, *wrong)
            tags = {"domain": domain}
            found.append(RewardItem(name, row.prompt("prompt"), responses, 3, split, tags=tags))
        return found

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """The score; hard, normal and easy accuracy; each domain's. See `Benchmark.measures`."""
        given = rewarded(items, outputs)
        domains: dict[str, list[Rewarded]] = {}
        for one in given:
            domains.setdefault(one.item.split, []).append(one)
        figures = {domain: style_accuracies(rows) for domain, rows in domains.items()}
        found = [Measure("score", mean(f.mean for f in figures.values()), len(given))]
        every = list(figures.values())
        means = StyleAccuracies(
            hard=mean(f.hard for f in every),
            normal=mean(f.normal for f in every),
            easy=mean(f.easy for f in every),
            n=len(given),
        )
        found += _measures(means, "all")
        for domain, of_domain in figures.items():
            found.append(Measure("accuracy", of_domain.mean, of_domain.n, domain))
            found += _measures(of_domain, domain)
        return found


def _measures(figures: StyleAccuracies, split: str) -> list[Measure]:
    parts = {"hard": figures.hard, "normal": figures.normal, "easy": figures.easy}
    return [Measure(f"{p}_accuracy", value, figures.n, split) for p, value in parts.items()]


BENCHMARK = RMBench()
