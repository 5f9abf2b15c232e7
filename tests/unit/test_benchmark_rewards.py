"""Reward benchmarks: rows of the published schema, and scores worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from benchmark_outputs import jsonl, picture, png, rewards, value

from headwise.benchmarks import benchmark, load_rows
from headwise.benchmarks.scoring.ties import TieStats, ties_score
from headwise.errors import InputError
from headwise.evaluation.items import RewardItem


def test_rewardbench_weights_subsets_by_their_published_sizes(tmp_path: Path) -> None:
    subsets = ["alpacaeval-easy", "alpacaeval-easy", "mt-bench-med", "math-prm", "hep-cpp"]
    rows = [
        {
            "prompt": f"p{n}",
            "chosen": "good",
            "rejected": "bad",
            "chosen_model": "m",
            "rejected_model": "m",
            "subset": subset,
            "id": n,
        }
        for n, subset in enumerate(subsets)
    ]
    bench = benchmark("rewardbench")
    read = load_rows(bench.header, jsonl(tmp_path / "filtered.jsonl", rows))
    items = bench.items(read)
    assert [item.split for item in items] == subsets
    # alpacaeval-easy 1/2, mt-bench-med 1, math-prm 1, hep-cpp 0.
    given = rewards(items, [(1, 0), (0, 1), (2, 1), (0.5, 0.1), (0, 3)])
    measures = bench.measures(items, given)
    chat = (0.5 * 100 + 1.0 * 40) / 140
    reasoning = (1.0 * 984 + 0.0 * 164) / (984 + 164)
    assert value(measures, "accuracy", "Chat") == pytest.approx(chat)
    assert value(measures, "accuracy", "Reasoning") == pytest.approx(reasoning)
    assert measures[0].name == "score"
    assert measures[0].value == pytest.approx((chat + reasoning) / 2)
    assert value(measures, "subset_accuracy", "alpacaeval-easy") == 0.5


def test_a_tie_is_a_loss_on_rewardbench() -> None:
    bench = benchmark("rewardbench")
    row = {"prompt": "p", "chosen": "a", "rejected": "b", "subset": "donotanswer", "id": 1}
    items = bench.items([row])
    assert bench.measures(items, rewards(items, [(1.0, 1.0)]))[0].value == 0.0
    assert bench.measures(items, rewards(items, [(1.0, math.nextafter(1, 0))]))[0].value == 1.0


def test_the_full_rewardbench_has_the_published_weights() -> None:
    from headwise.benchmarks.rewardbench import _COUNTS

    totals = {section: sum(counts.values()) for section, counts in _COUNTS.items()}
    assert totals == {"Chat": 358, "Chat Hard": 456, "Safety": 740, "Reasoning": 1968}


def test_an_unknown_subset_and_a_missing_column_name_the_row(tmp_path: Path) -> None:
    bench = benchmark("rewardbench")
    row = {"prompt": "p", "chosen": "a", "rejected": "b", "subset": "mine", "id": 1}
    with pytest.raises(InputError, match=r"rows\.jsonl:1.*mine"):
        bench.items(load_rows(bench.header, jsonl(tmp_path / "rows.jsonl", [row])))
    with pytest.raises(InputError, match="row 1: found no column 'subset'"):
        bench.items([{"prompt": "p", "chosen": "a", "rejected": "b", "id": 1}])


def best_of_four(subset: str, name: str = "1") -> dict[str, object]:
    return {
        "id": name,
        "prompt": "p",
        "chosen": ["r"],
        "rejected": ["a", "b", "c"],
        "num_correct": 1,
        "total_completions": 4,
        "subset": subset,
    }


def test_rewardbench_2_shares_the_credit_among_the_best() -> None:
    bench = benchmark("rewardbench-2")
    items = bench.items([best_of_four("Math", str(n)) for n in range(4)])
    # Alone at the top; one of two; one of four; below the top.
    given = rewards(items, [(2, 1, 0, 0), (2, 2, 0, 1), (1, 1, 1, 1), (0, 1, 1, 1)])
    measures = bench.measures(items, given)
    assert value(measures, "score", "Math") == pytest.approx((1 + 1 / 2 + 1 / 4 + 0) / 4)
    assert measures[0].value == value(measures, "score", "Math")


def test_rewardbench_2_is_the_plain_mean_of_subsets_with_ties() -> None:
    bench = benchmark("rewardbench-2")
    rows = [
        best_of_four("Focus", "f1"),
        best_of_four("Focus", "f2"),
        best_of_four("Safety", "s1"),
        {
            "id": "ref:0",
            "prompt": "p",
            "chosen": ["r"],
            "rejected": ["w"],
            "num_correct": 1,
            "subset": "Ties",
        },
        {
            "id": "tied:0",
            "prompt": "p",
            "chosen": ["r1", "r2"],
            "rejected": ["w1", "w2"],
            "num_correct": 2,
            "subset": "Ties",
        },
    ]
    items = bench.items(rows)
    assert isinstance(items[-1], RewardItem)
    assert items[-1].n_right == 2
    given = rewards(items, [(1, 0, 0, 0), (0, 1, 0, 0), (1, 0, 0, 0), (5, 1), (4.0, 3.5, 2, 0)])
    measures = bench.measures(items, given)
    # Margins: reference 4, tied 1.5; spread 0.5. All four shares are 1.
    ties = 0.3 + 0.3 + 0.2 + 0.2 + 0.01 * math.tanh(1.5 / 0.5 - 1)
    assert value(measures, "score", "Ties") == pytest.approx(ties)
    assert measures[0].value == pytest.approx((0.5 + 1.0 + ties) / 3)


def test_ties_worked_out_by_hand() -> None:
    reference = {"0": TieStats.of([3], [1]), "1": TieStats.of([0], [1])}
    tied = {"0": TieStats.of([5, 4], [2, 3]), "1": TieStats.of([2, 2], [1])}
    # Number 0: margins 2 and 1, spread 1: 1 > 1 fails twice, tanh(1/1 - 1) = 0.
    # Number 1: margins -1 and 1, spread 0: 1 > 0 holds, -1 > 0 fails, tanh(-inf) = -1.
    expected = 0.3 * 1.0 + 0.3 * 0.5 + 0.2 * 0.5 + 0.2 * 0.0 + 0.01 * (0 - 1) / 2
    assert ties_score(reference, tied) == pytest.approx(expected)


def test_ties_without_margin_and_spread_add_nothing() -> None:
    same = {"0": TieStats.of([1, 1], [1])}
    alone = {"0": TieStats.of([1], [1])}
    # 0 / 0 counts as 0, and no comparison is strict.
    assert ties_score(alone, same) == 0.0
    # Only the accuracy of the tied prompt where no reference has its number.
    assert ties_score({}, {"7": TieStats.of([2, 2], [1])}) == pytest.approx(0.3)
    with np.errstate(all="raise"):
        assert ties_score(alone, same) == 0.0


def styles(domain: str, name: str) -> dict[str, object]:
    return {
        "id": name,
        "prompt": "p",
        "chosen": ["c0", "c1", "c2"],
        "rejected": ["r0", "r1", "r2"],
        "domain": domain,
    }


def test_rm_bench_reads_the_style_matrix() -> None:
    bench = benchmark("rm-bench")
    items = bench.items([styles("chat", "1")])
    # Right: 1 2 3, wrong: 0 2 5. Rows: (T F F), (T F F), (T T F).
    measures = bench.measures(items, rewards(items, [(1, 2, 3, 0, 2, 5)]))
    assert value(measures, "hard_accuracy", "chat") == 0.0
    assert value(measures, "normal_accuracy", "chat") == pytest.approx(1 / 3)
    assert value(measures, "easy_accuracy", "chat") == 1.0
    assert measures[0].value == pytest.approx((0 + 1 / 3 + 1) / 3)


def test_rm_bench_pools_both_safety_domains_before_the_mean() -> None:
    bench = benchmark("rm-bench")
    rows = [
        styles("safety-refuse", "1"),
        styles("safety-response", "2"),
        styles("safety-response", "3"),
        styles("math", "4"),
    ]
    items = bench.items(rows)
    won, lost = (1, 1, 1, 0, 0, 0), (0, 0, 0, 1, 1, 1)
    measures = bench.measures(items, rewards(items, [won, lost, lost, won]))
    # Pooled: 1/3; a mean of the two subdomains would be 1/2.
    assert value(measures, "accuracy", "safety") == pytest.approx(1 / 3)
    assert measures[0].value == pytest.approx((1 / 3 + 1) / 2)
    assert value(measures, "normal_accuracy") == pytest.approx((1 / 3 + 1) / 2)


def test_rm_bench_wants_three_of_each() -> None:
    row = {**styles("chat", "1"), "chosen": ["only"]}
    with pytest.raises(InputError, match="1 chosen and 3 rejected"):
        benchmark("rm-bench").items([row])


def test_multimodal_rewardbench_tells_halves_of_categories_apart(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    shared = {"Text": "t", "Image": "images/a.png", "Output1": "one", "Output2": "two"}
    rows = [
        {"ID": "pairs_1", "Better": "Output2", "Category": "safety", **shared},
        {"ID": "tox_1", "Better": "Output1", "Category": "safety", **shared},
        {"ID": "mathvista_1", "Better": "Output1", "Category": "reasoning", **shared},
        {"ID": "EMMA_1", "Better": "Output1", "Category": "reasoning", **shared},
        {"ID": "vqa_1", "Better": "Output1", "Category": "vqa", **shared},
    ]
    bench = benchmark("multimodal-rewardbench")
    (tmp_path / "all_data.json").write_text(json.dumps(rows))
    items = bench.items(load_rows(bench.header, tmp_path))
    first = items[0]
    assert isinstance(first, RewardItem)
    assert first.responses == ("two", "one")
    assert len(first.images) == 1
    assert [item.split for item in items] == [
        *("safety/bias", "safety/toxicity", "reasoning/math", "reasoning/coding", "vqa")
    ]
    measures = bench.measures(items, rewards(items, [(1, 0), (0, 1), (1, 0), (1, 1), (1, 0)]))
    assert measures[0].value == pytest.approx(3 / 5)
    assert value(measures, "accuracy", "reasoning/coding") == 0.0
    assert value(measures, "accuracy", "safety/bias") == 1.0


def test_vl_rewardbench_groups_by_the_beginning_of_ids() -> None:
    ids = ["mathverse_1", "mmmu-2", "RLAIF-V_3", "hallucination_pair-4", "wildvision-5", "other-6"]
    rows = [
        {
            "id": name,
            "query": "q",
            "image": png(),
            "response": ["first", "second"],
            "human_ranking": [0, 1] if n % 2 == 0 else [1, 0],
        }
        for n, name in enumerate(ids)
    ]
    bench = benchmark("vl-rewardbench")
    items = bench.items(rows)
    groups = ["reasoning", "reasoning", "hallucination", "hallucination", "general", "general"]
    assert [item.split for item in items] == groups
    assert isinstance(items[1], RewardItem)
    assert items[1].responses == ("second", "first")
    given = rewards(items, [(1, 0), (0, 1), (1, 0), (1, 0), (0, 1), (0, 0)])
    measures = bench.measures(items, given)
    assert measures[0].name == "accuracy"
    assert measures[0].value == pytest.approx(3 / 6)
    assert value(measures, "macro_accuracy") == pytest.approx((0.5 + 1.0 + 0.0) / 3)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "p", "chosen": "good", "rejected": "bad"},
        {"Question": "p", "Good": "good", "Bad": "bad"},
        {
            "chosen": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "good"}],
            "rejected": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "bad"}],
        },
        {
            "prompt": "p",
            "chosen": [{"role": "assistant", "content": "good"}],
            "rejected": [{"role": "assistant", "content": "bad"}],
        },
    ],
)
def test_preferencehack_finds_its_columns(row: dict[str, object], tmp_path: Path) -> None:
    bench = benchmark("preferencehack")
    jsonl(tmp_path / "data" / "length.jsonl", [row])
    jsonl(tmp_path / "data" / "all.jsonl", [row, row])
    items = bench.items(load_rows(bench.header, tmp_path))
    assert [item.split for item in items] == ["length"]
    item = items[0]
    assert isinstance(item, RewardItem)
    assert item.responses == ("good", "bad")
    asked = item.prompt if isinstance(item.prompt, str) else item.prompt[0]["content"]  # type: ignore[index]
    assert asked == "p"


def test_preferencehack_is_the_mean_of_splits(tmp_path: Path) -> None:
    bench = benchmark("preferencehack")
    row = {"prompt": "p", "chosen": "good", "rejected": "bad"}
    jsonl(tmp_path / "positivity.jsonl", [row])
    jsonl(tmp_path / "helpful.jsonl", [row] * 3)
    items = bench.items(load_rows(bench.header, tmp_path))
    assert [item.split for item in items] == ["helpful"] * 3 + ["positivity"]
    assert len({item.id for item in items}) == 4
    measures = bench.measures(items, rewards(items, [(1, 0), (0, 1), (0, 0), (1, 0)]))
    assert measures[0].value == pytest.approx((1 / 3 + 1) / 2)


def test_preferencehack_says_which_names_it_looked_for() -> None:
    with pytest.raises(InputError, match=r"no column for the chosen.*found: text.*chosen, "):
        benchmark("preferencehack").items([{"text": "p"}])


def test_outputs_must_be_those_of_the_items() -> None:
    bench = benchmark("rewardbench")
    row = {"prompt": "p", "chosen": "a", "rejected": "b", "subset": "donotanswer", "id": 1}
    items = bench.items([row, {**row, "id": 2}])
    good = rewards(items, [(1, 0), (1, 0)])
    with pytest.raises(InputError, match="order"):
        bench.measures(items, good[::-1])
    with pytest.raises(InputError, match="one each"):
        bench.measures(items, good[:1])
    with pytest.raises(InputError, match="a number for each"):
        bench.measures(items, rewards(items, [(1,), (1, 0)]))
    with pytest.raises(InputError, match="a number for each"):
        bench.measures(items, rewards(items, [(math.nan, 0), (1, 0)]))
    with pytest.raises(InputError, match="no item"):
        bench.measures([], [])
