"""Question benchmarks: rows of the published schema, and scores worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from benchmark_outputs import answers, chances, jsonl, png, questions, value

from headwise.benchmarks import benchmark, load_rows
from headwise.benchmarks.kinds.two_way_one_shot import TwoWayOneShot
from headwise.benchmarks.llava_bench import LlavaBench
from headwise.benchmarks.scoring.judging import Rating
from headwise.benchmarks.whoops import Whoops
from headwise.errors import InputError
from headwise.evaluation.items import Item, Output


def natural_group(kind: str = "yes_no") -> dict[str, object]:
    first, second = ("Yes", "No") if kind == "yes_no" else ("A", "B")
    return {
        "Index": 7,
        "Question_0": "Is it day?",
        "Question_1": "Is it night?",
        "Image_0": png(1),
        "Image_1": png(2),
        "Image_0_Question_0": first,
        "Image_1_Question_0": second,
        "Image_0_Question_1": second,
        "Image_1_Question_1": first,
        "Question_Type": kind,
    }


def test_naturalbench_scores_groups_as_a_whole() -> None:
    items = questions("naturalbench", [natural_group(), {**natural_group(), "Index": 8}])
    assert [item.example.label for item in items[:4]] == ["Yes", "No", "No", "Yes"]
    assert [item.tags["cell"] for item in items[:4]] == ["00", "01", "10", "11"]
    assert items[0].example.images == items[2].example.images != items[1].example.images
    # Group 7 all right; group 8: question 0 wrong on image 1.
    given = answers(items, ["Yes", "No", "No", "Yes", "Yes", "Yes", "No", "Yes"])
    measures = benchmark("naturalbench").measures(items, given)
    assert measures[0].name == "group_accuracy"
    assert value(measures, "group_accuracy") == pytest.approx(1 / 2)
    assert value(measures, "question_accuracy") == pytest.approx((2 + 1) / 4)
    assert value(measures, "image_accuracy") == pytest.approx((2 + 1) / 4)
    assert value(measures, "accuracy") == pytest.approx(7 / 8)


def test_naturalbench_reads_one_question_a_row_and_letters() -> None:
    rows = [
        {
            "Index": str(n),
            "Image": png(n % 2),
            "Question": "Which? Option: A: a; B: b;",
            "Question_Type": "multiple_choice",
        }
        for n in range(4)
    ]
    items = questions("naturalbench", rows)
    assert [item.example.label for item in items] == ["A", "B", "B", "A"]
    bench = benchmark("naturalbench")
    always_a = bench.measures(items, answers(items, ["A"] * 4))
    assert [m.value for m in always_a] == [0.0, 0.0, 0.0, 0.5]
    with pytest.raises(InputError, match="no whole groups"):
        bench.items(rows[:3])
    with pytest.raises(InputError, match="order of their Index"):
        bench.items(rows[::-1])


def test_groups_are_scored_whole_or_not_at_all() -> None:
    bench = benchmark("naturalbench")
    items = questions("naturalbench", [natural_group()])
    with pytest.raises(InputError, match=r"'7' lacks its items 11"):
        bench.measures(items[:3], answers(items[:3], ["Yes", "No", "No"]))
    # A bootstrap may draw a group twice.
    twice = [*items, *items]
    assert bench.measures(twice, answers(twice, ["Yes", "No", "No", "Yes"] * 2))[0].value == 1.0


def test_winoground_asks_each_caption_of_each_picture() -> None:
    row = {
        "id": 0,
        "image_0": png(1),
        "image_1": png(2),
        "caption_0": "a kisses b",
        "caption_1": "b kisses a",
        "collapsed_tag": "Relation",
    }
    items = questions("winoground", [row, {**row, "id": 1}])
    assert [item.example.label for item in items[:4]] == ["Yes", "No", "No", "Yes"]
    bench = benchmark("winoground")
    # Set 0: right. Set 1 (c0i0 c0i1 c1i0 c1i1): caption 0 above caption 1 on both pictures.
    given = chances(items, [0.9, 0.2, 0.3, 0.8, 0.9, 0.8, 0.2, 0.3])
    measures = bench.measures(items, given)
    assert value(measures, "text_score") == pytest.approx(1 / 2)
    # c0: 0.9 > 0.8 and c1: 0.3 > 0.2.
    assert value(measures, "image_score") == 1.0
    assert value(measures, "group_score") == pytest.approx(1 / 2)
    # With answers alone, a caption that is found on both pictures is a tie, which is lost.
    said = answers(items, ["Yes", "No", "No", "Yes", "Yes", "Yes", "No", "Yes"])
    assert [m.value for m in bench.measures(items, said)] == [0.5, 0.5, 0.5]


def test_seed_bench_passes_over_videos() -> None:
    row = {
        "question_id": "1_0",
        "question": "What is it?",
        "choice_a": "a dog",
        "choice_b": "a cat",
        "choice_c": "a cow",
        "choice_d": "a hen",
        "answer": "C",
        "data_type": "image",
        "image": [png()],
        "question_type_id": 1,
    }
    rows = [
        row,
        {**row, "question_id": "2", "data_type": "video", "image": [png(), png()]},
        {**row, "question_id": "3", "question_type_id": 5, "answer": "A"},
    ]
    items = questions("seed-bench", rows)
    assert [item.split for item in items] == ["Scene Understanding", "Instances Counting"]
    assert items[0].example.fields == {"A": "a dog", "B": "a cat", "C": "a cow", "D": "a hen"}
    measures = benchmark("seed-bench").measures(items, answers(items, ["a cow", "B"]))
    assert measures[0].value == pytest.approx(1 / 2)
    with pytest.raises(InputError, match="about videos"):
        benchmark("seed-bench").items(rows[1:2])


def mmbench_row(index: int, **changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "index": index,
        "question": "What is it?",
        "hint": "nan",
        "A": "dog",
        "B": "cat",
        "C": "cow",
        "D": "nan",
        "answer": "B",
        "image": png(),
        "category": "identity",
        "L2-category": "attribute",
    }
    return {**row, **changes}


def test_mmbench_counts_a_question_right_in_every_rotation_only() -> None:
    items = questions("mmbench", [mmbench_row(3), mmbench_row(4, **{"L2-category": "logic"})])
    assert len(items) == 6
    assert [item.example.label for item in items[:3]] == ["B", "A", "C"]
    assert all(item.example.fields[item.example.label or ""] == "cat" for item in items)
    bench = benchmark("mmbench")
    # Question 3 right thrice; question 4 always B, which is right in its first form alone.
    measures = bench.measures(items, answers(items, ["B", "A", "C", "B", "B", "B"]))
    assert measures[0].name == "circular_accuracy"
    assert measures[0].value == pytest.approx(1 / 2)
    assert value(measures, "plain_accuracy") == 1.0
    assert value(measures, "circular_accuracy", "logic") == 0.0
    with pytest.raises(InputError, match="all of them"):
        bench.measures(items[:2], answers(items[:2], ["B", "A"]))


def test_mmbench_asks_the_copies_that_the_data_has() -> None:
    rows = [
        mmbench_row(3, hint="Look."),
        mmbench_row(1_000_003, A="cat", B="cow", C="dog", answer="A"),
        mmbench_row(5),
    ]
    items = questions("mmbench", rows)
    assert [item.group for item in items] == ["3", "3", "5"]
    assert items[0].example.text == "Look.\nWhat is it?"
    measures = benchmark("mmbench").measures(items, answers(items, ["B", None, "cat"]))
    assert measures[0].value == pytest.approx(1 / 2)
    with pytest.raises(InputError, match="some repeat"):
        benchmark("mmbench").items([mmbench_row(3), mmbench_row(3)])


def test_vizwiz_and_ok_vqa_read_both_forms_of_answers() -> None:
    people = ["unanswerable"] * 2 + ["Coke"] * 3 + ["coca cola"] * 5
    row = {"question_id": "1", "question": "What is this?", "image": png(), "answers": people}
    official = {
        "image": png(),
        "question": "What is this?",
        "answers": [{"answer": one, "answer_confidence": "yes"} for one in people],
        "answer_type": "other",
    }
    for name, given in (("vizwiz", row), ("vizwiz", official), ("ok-vqa", row)):
        items = questions(name, [given])
        assert items[0].example.label == "coca cola"
        assert len(items[0].references) == 10
        measures = benchmark(name).measures(items, answers(items, ["the coke!"]))
        assert measures[0].name == "vqa_accuracy"
        assert measures[0].value == pytest.approx((3 * (2 / 3) + 7) / 10)
    assert "Unanswerable" in questions("vizwiz", [row])[0].example.text
    with pytest.raises(InputError, match="a list"):
        benchmark("ok-vqa").items([{**row, "answers": "dog"}])


@pytest.mark.parametrize("name", ["flowers", "cub", "dtd"])
def test_two_way_one_shot_episodes_show_both_classes(name: str) -> None:
    rows = [
        {"image": png(shade), "label": label}
        for shade, label in enumerate(["001.Rose", "001.Rose", "002.Day_lily", "002.Day_lily"])
    ] + [{"image": png(9), "label": "003.Alone"}]
    items = questions(name, rows)
    # A class of one picture is no query, but may be the rival.
    assert len(items) == 4
    by_digest = {image: row["label"] for row in rows for image in _images_of(row)}
    for item in items:
        a, b, query = (by_digest[image] for image in item.example.images)
        assert len({a, b}) == 2
        assert item.example.label == ("A" if query == a else "B")
        assert str(a)[4:].replace("_", " ") == item.example.fields["A"]
        assert len(set(item.example.images)) == 3
    bench = benchmark(name)
    assert isinstance(bench, TwoWayOneShot)
    assert bench.items(rows) == items
    assert len({str(bench.with_seed(seed).items(rows)) for seed in range(5)}) > 1
    right = answers(items, [item.example.label for item in items])
    assert bench.measures(items, right)[0].value == 1.0
    with pytest.raises(InputError, match="two classes"):
        bench.items(rows[:2])


def _images_of(row: Mapping[str, object]) -> list[object]:
    from headwise.content import as_image

    return [as_image(row["image"])]  # type: ignore[arg-type]


def test_two_way_one_shot_takes_episodes_that_are_drawn() -> None:
    row = {
        "pos": png(1),
        "neg": png(2),
        "query": png(3),
        "pos_label": "rose",
        "neg_label": "lily",
    }
    items = questions("flowers", [row] * 12)
    right = {item.example.fields[item.example.label or ""] for item in items}
    assert right == {"rose"}
    assert {item.example.label for item in items} == {"A", "B"}


def test_whoops_compares_answers_exactly_or_as_a_function_says() -> None:
    row = {
        "image_id": "x1",
        "image": png(),
        "question_answering_pairs": [["Who plays?", "Two men"], ["Where?", "in space"]],
        "commonsense_category": "Deceased",
    }
    items = questions("whoops", [row])
    bench = benchmark("whoops")
    assert isinstance(bench, Whoops)
    given = answers(items, ["2 men.", "the moon"])
    assert bench.measures(items, given)[0].value == pytest.approx(1 / 2)
    scored = bench.with_equivalence(lambda question, reference, answer: 0.25).measures(items, given)
    assert value(scored, "bem") == pytest.approx(0.25)


class ScriptedJudge:
    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.seen: list[str] = []

    def generate(self, conversations: Sequence[object], sampling: object = None) -> list[str]:
        self.seen = [str(one) for one in conversations]
        return self.texts


def llava_rows() -> list[dict[str, object]]:
    return [
        {
            "question_id": n,
            "question": f"What is picture {n}?",
            "category": category,
            "caption": ["a lake", "a hill"],
            "image": png(n),
            "gpt_answer": "A lake.",
        }
        for n, category in enumerate(["conv", "detail", "conv"])
    ]


def test_llava_bench_is_rated_by_a_judge() -> None:
    items = questions("llava-bench", llava_rows())
    bench = benchmark("llava-bench")
    assert isinstance(bench, LlavaBench)
    assert bench.header.judge
    given = answers(items, ["A lake!", None, "A hill."])
    with pytest.raises(InputError, match="judged_by"):
        bench.measures(items, given)
    judge = ScriptedJudge(["8 4\nWhy", "10 5", "I cannot say."])
    measures = bench.judged_by(judge).measures(items, given)
    assert measures[0].value == pytest.approx((4 + 5) / (8 + 10))
    assert value(measures, "unrated") == pytest.approx(1 / 3)
    assert all(text in judge.seen[0] for text in ("a hill", "A lake.", "A lake!"))
    elsewhere = bench.measures_of(items, [Rating(8, 4), Rating(10, 5), None])
    assert elsewhere == measures


def all_question_rows() -> dict[str, dict[str, object]]:
    return {
        "mmbench": mmbench_row(1),
        "naturalbench": natural_group(),
        "llava-bench": llava_rows()[0],
        "ok-vqa": {"question_id": 1, "question": "q", "image": png(), "answers": ["a"] * 10},
    }


@pytest.mark.parametrize("name", list(all_question_rows()))
def test_a_picture_that_is_none_is_refused_with_its_row(name: str, tmp_path: Path) -> None:
    row = dict(all_question_rows()[name])
    column = "Image_0" if "Image_0" in row else "image"
    text = tmp_path / "notes.png"
    text.write_text("no picture")
    row = {k: v for k, v in row.items() if not isinstance(v, dict)}
    row |= {c: "notes.png" for c in ("Image_1",) if name == "naturalbench"}
    data = jsonl(tmp_path / "rows.jsonl", [{**row, column: "notes.png"}])
    bench = benchmark(name)
    with pytest.raises(InputError, match=r"rows\.jsonl:1.*notes\.png"):
        bench.items(load_rows(bench.header, data))
    with pytest.raises(InputError, match=r"row 1.*no picture"):
        bench.items([{**row, column: None}])


def test_an_output_of_another_item_is_refused() -> None:
    items: list[Item] = list(questions("llava-bench", llava_rows()))
    with pytest.raises(InputError, match="order"):
        benchmark("whoops").measures(items, [Output("9"), Output("8"), Output("7")])
