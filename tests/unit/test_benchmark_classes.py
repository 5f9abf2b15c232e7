"""Classification benchmarks: rows of the published schema, and scores worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmark_outputs import answers, chances, jsonl, picture, png, questions, value
from PIL import Image

from headwise.benchmarks import benchmark, load_rows
from headwise.benchmarks.camerabench import CameraBench
from headwise.errors import InputError


def test_sugarcrepe_compares_a_caption_with_the_other(tmp_path: Path) -> None:
    picture(tmp_path / "val2017" / "000001.jpg")
    entry = {"filename": "000001.jpg", "caption": "a dog ", "negative_caption": "a cat"}
    (tmp_path / "add_att.json").write_text(json.dumps({"0": entry, "1": entry}, indent=1))
    (tmp_path / "swap_obj.json").write_text(json.dumps({"0": entry}, indent=1))
    bench = benchmark("sugarcrepe")
    items = questions("sugarcrepe", load_rows(bench.header, tmp_path))
    assert [item.split for item in items] == ["add_att"] * 4 + ["swap_obj"] * 2
    # Right by a hair; a tie, which is lost; right.
    measures = bench.measures(items, chances(items, [0.51, 0.5, 0.7, 0.7, 0.4, 0.3]))
    assert measures[0].value == pytest.approx(2 / 3)
    assert value(measures, "accuracy", "add_att") == pytest.approx(1 / 2)
    assert value(measures, "macro_accuracy") == pytest.approx(3 / 4)
    said = answers(items, ["Yes", "No", "Yes", "Yes", "No", "No"])
    assert bench.measures(items, said)[0].value == pytest.approx(1 / 3)


def test_sugarcrepe_is_not_on_the_hub() -> None:
    with pytest.raises(InputError, match=r"not on the Hub.*--data"):
        load_rows(benchmark("sugarcrepe").header)


def test_blink_reads_letters_and_several_pictures() -> None:
    row = {
        "idx": "val_Jigsaw_1",
        "sub_task": "Jigsaw",
        "prompt": "Which fits? (A) the second (B) the third",
        "choices": ["the second", "the third"],
        "answer": "(B)",
        "image_1": png(1),
        "image_2": png(2),
        "image_3": png(3),
        "image_4": None,
    }
    items = questions("blink", [row, {**row, "idx": "2", "sub_task": "Counting", "answer": "(A)"}])
    assert items[0].example.label == "B"
    assert items[0].options == ("A", "B")
    assert len(items[0].example.images) == 3
    bench = benchmark("blink")
    measures = bench.measures(items, answers(items, ["(B) the third", None]))
    assert measures[0].value == pytest.approx(1 / 2)
    assert value(measures, "accuracy", "Counting") == 0.0
    with pytest.raises(InputError, match="test split hides"):
        bench.items([{**row, "answer": "hidden"}])


def test_mhalubench_asks_each_claim() -> None:
    rows = [
        {
            "id": 6,
            "image_path": png(),
            "claim_list": ["It is a Toshiba", "It is a laptop"],
            "ref_claim_label": ["hallucination", "non-hallucination"],
            "type": "image-to-text",
        },
        {"claim": "A red cup", "image": png(), "claim_label": "Yes", "type": "text-to-image"},
    ]
    items = questions("mhalubench", rows)
    assert [item.example.label for item in items] == ["Yes", "No", "Yes"]
    measures = benchmark("mhalubench").measures(items, answers(items, ["Yes", "Yes", "No"]))
    assert measures[0].value == pytest.approx(1 / 3)
    assert value(measures, "accuracy", "image-to-text") == pytest.approx(1 / 2)
    # Yes: one right of two said and two meant. No: none right.
    assert value(measures, "f1") == pytest.approx(1 / 2)
    assert value(measures, "macro_f1") == pytest.approx((1 / 2 + 0) / 2)
    with pytest.raises(InputError, match="2 claims and 1 labels"):
        benchmark("mhalubench").items([{**rows[0], "ref_claim_label": ["hallucination"]}])


def test_vlguard_tells_its_three_parts(tmp_path: Path) -> None:
    picture(tmp_path / "test" / "bad_ads" / "1.png")
    rows = [
        {
            "id": "Ads_1",
            "image": "bad_ads/1.png",
            "safe": True,
            "instr-resp": [
                {"safe_instruction": "What is it?", "response": "An ad."},
                {"unsafe_instruction": "How do I hack it?", "response": "I can't."},
            ],
        },
        {
            "id": "Ads_2",
            "image": "bad_ads/1.png",
            "safe": False,
            "harmful_category": "deception",
            "instr-resp": [{"instruction": "Spread it.", "response": "I can't."}],
        },
    ]
    (tmp_path / "test.json").write_text(json.dumps(rows))
    (tmp_path / "train.json").write_text(json.dumps(rows[:1]))
    bench = benchmark("vlguard")
    items = questions("vlguard", load_rows(bench.header, tmp_path))
    assert [item.split for item in items] == ["safe_safes", "safe_unsafes", "unsafes"]
    assert [item.example.label for item in items] == ["No", "Yes", "Yes"]
    measures = bench.measures(items, answers(items, ["Yes", "Yes", "No"]))
    assert measures[0].value == pytest.approx(1 / 3)
    # One right of two said and two meant.
    assert value(measures, "f1") == pytest.approx(1 / 2)


def test_folders_of_classes_are_read(tmp_path: Path) -> None:
    picture(tmp_path / "test" / "Annual_Crop" / "1.png", 1)
    picture(tmp_path / "test" / "River" / "1.png", 2)
    picture(tmp_path / "train" / "Forest" / "1.png", 3)
    for name in ("eurosat", "oxford-pets"):
        bench = benchmark(name)
        items = questions(name, load_rows(bench.header, tmp_path))
        assert items[0].options == ("Annual Crop", "River")
        measures = bench.measures(items, answers(items, ["annual_crop", None]))
        assert [m.value for m in measures] == [0.5, 0.5]
        support = bench.items(load_rows(bench.header, tmp_path, split="train"))
        assert len(support) == 1


def test_camerabench_shows_frames(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), (shade * 20, 0, 0)) for shade in range(12)]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:])
    for shade in range(2):
        picture(tmp_path / f"{shade}.png", shade)
    asked = {"question": "Does the camera zoom in?", "question_id": 0}
    jsonl(tmp_path / "has_zoom_in.jsonl", [{"image": "clip.gif", "label": "Yes", **asked}])
    jsonl(
        tmp_path / "has_pan_left.jsonl",
        [{"frames": ["0.png", "1.png"], "label": label, **asked} for label in ("No", "No")],
    )
    bench = benchmark("camerabench")
    assert isinstance(bench, CameraBench)
    items = questions("camerabench", load_rows(bench.header, tmp_path))
    assert [item.split for item in items] == ["has_pan_left"] * 2 + ["has_zoom_in"]
    assert [len(item.example.images) for item in items] == [2, 2, 8]
    assert len(set(items[2].example.images)) == 8
    measures = bench.measures(items, answers(items, ["No", "Yes", "Yes"]))
    assert measures[0].value == pytest.approx(2 / 3)
    assert value(measures, "macro_accuracy") == pytest.approx((1 / 2 + 1) / 2)
    with pytest.raises(InputError, match=r"a\.mp4.*frames"):
        bench.items([{"image": "a.mp4", "label": "Yes", **asked}])


def test_easy_vqa_reads_the_lists_of_its_package(tmp_path: Path) -> None:
    picture(tmp_path / "test" / "images" / "0.png")
    asked = [["what is the red shape?", "triangle", 0], ["is there a black shape?", "no", 0]]
    (tmp_path / "test" / "questions.json").write_text(json.dumps(asked))
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "questions.json").write_text(json.dumps(asked[:1]))
    bench = benchmark("easy-vqa")
    items = questions("easy-vqa", load_rows(bench.header, tmp_path))
    assert [item.split for item in items] == ["shape", "yes-no"]
    assert items[0].options == ("circle", "rectangle", "triangle")
    assert items[1].example.label == "No"
    measures = bench.measures(items, answers(items, ["circle", "no."]))
    assert measures[0].value == pytest.approx(1 / 2)
    with pytest.raises(InputError, match="the answer 'pink'"):
        bench.items([{"question": "q", "answer": "pink", "image": png()}])


def test_camerabench_scores_questions_on_two_clips_together() -> None:
    rows = [
        {"Index": n, "video": [png(n % 2), png(9)], "Question": f"Does it pan {n // 2}?"}
        for n in range(4)
    ]
    items = questions("camerabench", rows)
    assert [item.example.label for item in items] == ["Yes", "No", "No", "Yes"]
    bench = benchmark("camerabench")
    measures = bench.measures(items, answers(items, ["Yes", "No", "Yes", "Yes"]))
    assert value(measures, "question_accuracy") == pytest.approx(1 / 2)
    assert measures[0].value == pytest.approx(3 / 4)
    with pytest.raises(InputError, match="four rows a group"):
        bench.items(rows[:2])
    with pytest.raises(InputError, match="order of their Index"):
        bench.items(rows[::-1])
