"""Methods with pictures: fitted on what is seen, and put to it, whatever form it comes in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headwise.artifacts.card import render_card
from headwise.artifacts.folder import read_folder
from headwise.content import Image
from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Example, Judgement, Preference
from headwise.methods.activation_reward import ActivationRewardModel
from headwise.methods.reward_model import RewardModel
from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier
from headwise.methods.sparse_attention_vectors import SparseAttentionVectors
from headwise.methods.task_extraction import draw_prompts
from headwise.methods.task_vector import TaskVector
from headwise.methods.task_vectors import TaskVectors
from headwise.methods.truncation import TextCutter, TruncationWarning
from headwise.prompts.in_context import InContextPrompt
from headwise.selection.reinforce import Reinforce
from seeing_engine import COLORS, SEEING, SeeingEngine, colored, said

QUICK = Reinforce(epochs=3, masks_per_epoch=4, final_masks=3)


@pytest.fixture
def engine() -> Any:
    return SeeingEngine()


def support(n: int = 4) -> list[Example]:
    return [
        Example(f"number {shade}", color, images=(colored(color, shade),))
        for shade in range(n)
        for color in COLORS
    ]


# --- Classifiers -----------------------------------------------------------------------------


def fit_classifier(engine: Engine, **how: Any) -> SparseAttentionClassifier:
    return SparseAttentionVectors(n_heads=2, **how).fit(engine, support())


def test_a_classifier_finds_the_heads_that_see(engine: Any) -> None:
    classifier = fit_classifier(engine)
    assert set(classifier.heads) == set(SEEING)
    unseen = [Example(images=(colored(c, 9),)) for c in COLORS]
    assert classifier.predict(unseen) == list(COLORS)
    assert classifier.statistics.n_images == 12


def test_pictures_are_predicted_in_every_form(engine: Any, tmp_path: Path) -> None:
    classifier = fit_classifier(engine)
    red = colored("red", 9)
    path = tmp_path / "red.png"
    red.load().save(path)
    forms = [red, path, path.read_bytes(), red.load(), np.asarray(red.load()), [red, red]]
    assert classifier.predict(forms) == ["red"] * 6
    # A string is text, whatever file it may name.
    before = len(engine.shown)
    classifier.predict([str(path)])
    assert engine.shown[before].images == ()


def test_an_instruction_says_where_pictures_go(engine: Any) -> None:
    classifier = fit_classifier(engine, instruction="See {image}. Its color?")
    assert said(engine.shown[0]) == "See <red>. Its color?"
    classifier.predict([colored("blue")])
    assert said(engine.shown[-1]) == "See <blue>. Its color?"
    with pytest.raises(InputError, match="no place"):
        SparseAttentionVectors(instruction="Its color?").fit(
            engine, [Example("a", "x"), Example("b", "y")]
        )


def test_texts_are_cut_and_pictures_are_kept(engine: Any) -> None:
    long = Example("word " * 40, "red", images=(colored("red"), colored("blue")))
    method = SparseAttentionVectors(n_heads=2, max_text_tokens=8)
    with pytest.warns(TruncationWarning, match="1 texts"):
        method.fit(engine, [long, Example("b", "blue", images=(colored("blue"),))])
    assert engine.shown[0].images == long.images
    assert len(said(engine.shown[0]).split()) < 12
    cutter = TextCutter(engine, 8)
    red = colored("red")
    assert cutter.cut_content(("word " * 20, red, "short"))[1:] == (red, "short")
    assert cutter.n_texts == 1


def test_a_classifier_of_pictures_comes_back(engine: Any, tmp_path: Path) -> None:
    classifier = fit_classifier(engine, instruction="{image} is?")
    classifier.save_pretrained(tmp_path / "colors")
    again = SparseAttentionClassifier.from_pretrained(tmp_path / "colors", engine=engine)
    assert again.prompt == classifier.prompt
    assert again.statistics == classifier.statistics
    assert again.predict([colored("green", 3)]) == ["green"]
    files = list((tmp_path / "colors").iterdir())
    assert {path.suffix for path in files} == {".json", ".safetensors", ".md"}
    for path in files:
        assert str(tmp_path).encode() not in path.read_bytes()


def test_a_classifier_of_texts_says_nothing_of_pictures(engine: Any) -> None:
    texts = [Example(f"{label} {n}", label) for n in range(3) for label in ("a", "b")]
    record = SparseAttentionVectors(n_heads=2).fit(engine, texts).to_record()
    assert "n_images" not in record.statistics
    assert "photo" not in render_card(record)


# --- The cards -------------------------------------------------------------------------------


def fitted(method: str, engine: Any) -> Any:
    if method == "classifier":
        return fit_classifier(engine)
    if method == "reward":
        return fit_reward(engine)
    return fit_task(engine)


@pytest.mark.parametrize("method", ["classifier", "reward", "task"])
def test_the_card_shows_the_use_with_pictures(engine: Any, tmp_path: Path, method: str) -> None:
    fitted(method, engine).save_pretrained(tmp_path / "made")
    card = (tmp_path / "made" / "README.md").read_text("utf-8")
    assert "photo.jpg" in card
    assert "headwise[vision]" in card
    assert "vision-language model" in card
    python = card.split("```python\n")[1].split("```")[0]
    compile(python, "card", "exec")
    assert read_folder(tmp_path / "made").statistics["n_images"]


# --- Reward models ---------------------------------------------------------------------------


def pairs(n: int = 6) -> list[Preference]:
    names = list(COLORS)
    return [
        Preference(
            f"Which color, {number}?",
            names[number % 3],
            names[(number + 1) % 3],
            images=(colored(names[number % 3], number),),
        )
        for number in range(n)
    ]


def fit_reward(engine: Engine, **how: Any) -> RewardModel:
    how = {"readout": "sparse", "n_heads": 2, **how}
    return ActivationRewardModel("The color is right.", **how).fit(engine, pairs())


@pytest.mark.parametrize("form", ["scalar", "ranked"])
def test_a_reward_model_judges_by_the_picture(engine: Any, form: Any) -> None:
    reward = fit_reward(engine, form=form)
    assert reward.accuracy(pairs()) == 1.0
    prompts, responses = ["Color?"] * 4, ["red", "blue"] * 2
    images = [
        [colored("red", 50)],
        [colored("red", 50)],
        [colored("blue", 50)],
        [colored("blue", 50)],
    ]
    scores = reward.score(prompts, responses, images=images)
    assert scores[0] > scores[1]
    assert scores[2] < scores[3]
    assert reward.rank("Color?", ["red", "blue"], [colored("blue", 50)]) == [1, 0]
    assert reward.best_of_n("Color?", ["red", "blue"], [colored("blue", 50)]) == "blue"
    assert reward.prefer("Color?", "red", "blue", [colored("red", 50)])[0] > 0.5
    assert reward.prefer(prompts[:1], ["red"], ["blue"], images[2:3])[0] < 0.5


def test_prompts_as_a_trainer_gives_them(engine: Any) -> None:
    reward = fit_reward(engine)
    rows = [
        [
            {
                "role": "user",
                "content": [
                    {"type": "image", "image": colored(c, 50).load()},
                    {"type": "text", "text": "Color?"},
                ],
            }
        ]
        for c in ("red", "blue")
    ]
    plain = reward.score(
        ["Color?"] * 2, ["red", "red"], [[colored("red", 50)], colored("blue", 50)]
    )
    assert np.array_equal(reward.score(rows, ["red", "red"]), plain)
    # The images of the data set may come beside the messages that show them.
    beside = [[row[0]["content"][0]["image"]] for row in rows]
    assert np.array_equal(reward.score(rows, ["red", "red"], images=beside), plain)
    assert [len(c.images) for c in engine.shown[-2:]] == [1, 1]


def test_rows_and_images_must_match(engine: Any) -> None:
    reward = fit_reward(engine)
    with pytest.raises(InputError, match="one list a row; got 1 lists and 2 prompts"):
        reward.score(["Q", "Q"], ["a", "b"], images=[[colored("red")]])
    with pytest.raises(InputError, match="Row 1: "):
        reward.score(["Q", "Q"], ["a", "b"], images=[None, [3]])  # type: ignore[list-item]


def test_ranked_responses_are_those_to_one_text_and_picture(engine: Any) -> None:
    reward = fit_reward(engine, form="ranked")
    with pytest.raises(InputError, match="one response only"):
        reward.score(["Q", "Q"], ["red", "blue"], [[colored("red")], [colored("blue")]])
    single = [
        Judgement("Q", answer, answer == color, images=(colored(color),))
        for color in ("red", "blue")
        for answer in ("red", "blue")
    ]
    method = ActivationRewardModel("Right.", form="ranked", readout="sparse", n_heads=2)
    engine.shown.clear()
    method.fit(engine, single)
    assert len(engine.shown) == 4
    assert all(
        f"<{c}>" in said(s) for s, c in zip(engine.shown, ("red",) * 2 + ("blue",) * 2, strict=True)
    )


def test_a_picture_can_be_a_response(engine: Any) -> None:
    reward = fit_reward(engine)
    scores = reward.score(["Draw it."], [(colored("red"), "a square")])
    assert np.isfinite(scores).all()
    assert "Response: <red>\n> a square" in said(engine.shown[-1])


# --- Task vectors ----------------------------------------------------------------------------


def fit_task(engine: Engine, **how: Any) -> TaskVector:
    how = {"selector": QUICK, "n_prompts": 4, "shots_per_prompt": 2, **how}
    return TaskVectors(**how).fit(engine, support())


@pytest.mark.parametrize("style", ["completion", "chat"])
def test_a_task_is_shown_and_asked_with_pictures(engine: Any, style: Any) -> None:
    task = fit_task(engine, style=style)
    assert len(engine.shown[0].images) == 3
    inputs = [Example("number", images=(colored("blue", 7),)), colored("green", 7), "no picture"]
    assert task.generate(inputs) == ["blue", "green", "nothing"]
    assert task.predict(inputs[:2], list(COLORS)) == ["blue", "green"]
    assert task.score(support()) == 1.0
    assert task.statistics["n_images"] == 12


def test_one_text_with_two_pictures_is_two_inputs(engine: Any) -> None:
    examples = [Example("Color?", c, images=(colored(c),)) for c in ("red", "blue")]
    drawn = draw_prompts(InContextPrompt(), examples, 1, 4, 0)
    assert drawn.most_shots == 1
    assert all(len({*c.images}) == 2 for c in drawn.conversations)
    TaskVectors(selector=QUICK, n_prompts=2).fit(engine, examples)


def test_one_input_twice_is_one(engine: Any) -> None:
    again = [Example("Color?", c, images=(colored("red"),)) for c in ("red", "blue")]
    with pytest.raises(InputError, match=r"different texts or images .* 2 examples with 1"):
        TaskVectors().fit(engine, again)
    third = Example("Color?", "blue", images=(colored("blue"),))
    drawn = draw_prompts(InContextPrompt(), [*again, third], 4, 12, 0)
    for conversation in drawn.conversations:
        images: tuple[Image, ...] = conversation.images
        assert images[-1] not in images[:-1]
