"""Captions, graphs, judgements and pairs say what is in the scene."""

from __future__ import annotations

import json
import re
from collections import Counter

import numpy as np
import pytest
from scene_oracle import SIDES, answer, described, lies, the_one

from headwise.errors import InputError
from headwise.examples import Judgement, check_preferences
from headwise.scenes import (
    COLORS,
    DIRECTIONS,
    PAIR_STYLES,
    SHAPES,
    SIZES,
    TEXTURES,
    Scene,
    SceneSampler,
    caption,
    graph_json,
    judgement_questions,
    padded_sentence,
    questions,
    scene_preferences,
)
from headwise.scenes.answers import FILLERS, OPENINGS

WORDS = {*COLORS, *SHAPES, *SIZES, *TEXTURES, *DIRECTIONS, "yes", "no", "top", "bottom"}


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    rng, sampler = np.random.default_rng(5), SceneSampler(label_probability=0.2)
    return [sampler.draw(rng) for _ in range(250)]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_short_captions_name_every_object_once(
    scenes: list[Scene], rng: np.random.Generator
) -> None:
    color, shape = "|".join(COLORS), "|".join(SHAPES)
    for scene in scenes:
        text = caption(scene, rng)
        named: Counter[str] = Counter()
        for count, words in re.findall(rf"(an?|two) ((?:{color}) (?:{shape}))", text.lower()):
            named[words] += 2 if count == "two" else 1
        assert named == Counter(f"{thing.color} {thing.shape}" for thing in scene.objects), text
        related = re.search(
            rf"({color}) ({shape}) ({'|'.join(SIDES)}) an? ({color}) ({shape})", text
        )
        if related:
            (one,), (other,) = (
                described(scene, f"{c} {s}") for c, s in (related.group(1, 2), related.group(4, 5))
            )
            assert lies(one, related[3], other)


def test_long_captions_are_true_in_every_sentence(
    scenes: list[Scene], rng: np.random.Generator
) -> None:
    for scene in scenes:
        first, *rest = caption(scene, rng, "long").removesuffix(".").split(". ")
        words = ("one", "two", "three", "four", "five", "six")[len(scene.objects) - 1]
        assert words in first.lower()
        told = [sentence for sentence in rest if not re.search("|".join(SIDES), sentence)]
        assert len(told) == len(scene.objects)
        for sentence in told:
            assert_true_of_one(scene, sentence)
        for sentence in rest[len(told) :]:
            one, side, other = re.fullmatch(
                rf"(The [\w ]+) is ({'|'.join(SIDES)}) (the [\w ]+)", sentence
            ).groups()
            assert lies(the_one(scene, one.lower()), side, the_one(scene, other))


def assert_true_of_one(scene: Scene, sentence: str) -> None:
    body, _, label = sentence.partition(', with "')
    vocabulary = {*COLORS, *SHAPES, *SIZES, *TEXTURES}
    looks = " ".join(word for word in body.lower().split() if word in vocabulary)
    label_text = label.split('"')[0] or None
    found = [thing for thing in described(scene, looks) if thing.label == label_text]
    assert found, sentence
    if place := re.search(r"(?:at the (top|bottom)? ?(left|right)?|on the (left|right))", body):
        end, corner, side = place.groups()
        assert any(
            (end != "top" or thing.y < 0.4)
            and (end != "bottom" or thing.y > 0.6)
            and ((corner or side) != "left" or thing.x < 0.4)
            and ((corner or side) != "right" or thing.x > 0.6)
            for thing in found
        ), sentence


def test_captions_vary_and_have_right_articles(
    scenes: list[Scene], rng: np.random.Generator
) -> None:
    for detail in ("short", "long"):
        texts = [caption(scene, rng, detail) for scene in scenes]
        assert len({" ".join(text.split()[:2]) for text in texts}) > 3
        assert not any(re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", text) for text in texts)
    with pytest.raises(InputError, match="'short' or 'long'"):
        caption(scenes[0], rng, "epic")


def test_a_graph_round_trips_to_the_objects(scenes: list[Scene]) -> None:
    for scene in scenes:
        graph = json.loads(graph_json(scene))
        assert set(graph) == {"objects", "relations"}
        ids = [node.pop("id") for node in graph["objects"]]
        assert ids == list("abcdef"[: len(scene.objects)])
        read = sorted(tuple(sorted(node.items())) for node in graph["objects"])
        assert read == sorted(
            tuple(
                sorted(
                    {
                        "shape": thing.shape,
                        "color": thing.color,
                        "size": thing.size,
                        **({} if thing.texture == "solid" else {"texture": thing.texture}),
                        **({} if thing.label is None else {"label": thing.label}),
                    }.items()
                )
            )
            for thing in scene.objects
        )


def test_relations_of_a_graph_are_true_and_few(scenes: list[Scene]) -> None:
    linked = 0
    for scene in scenes:
        graph = json.loads(graph_json(scene))
        nodes = {node["id"]: node for node in graph["objects"]}
        assert len(graph["relations"]) < len(nodes)
        linked += len(graph["relations"])
        for subject, side, anchor in graph["relations"]:
            assert side in ("left of", "above")
            pairs = [
                [thing for thing in scene.objects if looks(thing, nodes[name])]
                for name in (subject, anchor)
            ]
            assert any(lies(one, side, other) for one in pairs[0] for other in pairs[1])
    assert linked > 0.6 * sum(len(scene.objects) - 1 for scene in scenes)


def looks(thing: object, node: dict[str, str]) -> bool:
    known = {"texture": "solid", "label": None, **node}
    return all(getattr(thing, name) == value for name, value in known.items() if name != "id")


def test_a_graph_does_not_depend_on_the_order_of_objects(scenes: list[Scene]) -> None:
    for scene in scenes:
        turned = Scene(scene.objects[::-1], scene.background, scene.clutter)
        assert graph_json(turned) == graph_json(scene)


def test_graphs_are_short(scenes: list[Scene]) -> None:
    lengths = [len(graph_json(scene)) for scene in scenes if len(scene.objects) == 4]
    # A token of such text is about 3.5 characters, and 120 tokens are what a small model writes.
    assert np.mean(lengths) < 3.5 * 120
    assert all(" " not in graph_json(scene).replace("left of", "") for scene in scenes)


def test_half_of_the_proposed_answers_are_right(
    scenes: list[Scene], rng: np.random.Generator
) -> None:
    judged = [(scene, judged) for scene in scenes for judged in judgement_questions(scene, rng)]
    assert 0.46 < np.mean([one.is_right for _, one in judged]) < 0.54
    for scene, one in judged:
        right = answer(scene, one.question.text)
        assert one.is_right == (one.proposed in (right, one.question.sentence(right)))
        assert one.answer == ("Yes" if one.is_right else "No")
        assert one.question.text in one.text
        assert one.proposed in one.text
        assert one.judgement == Judgement(one.question.text, one.proposed, one.is_right)
    spoken = [one.proposed.endswith(".") for _, one in judged]
    assert 0.4 < np.mean(spoken) < 0.6


@pytest.mark.parametrize("style", PAIR_STYLES)
def test_pairs_hold_a_right_and_a_wrong_answer(
    scenes: list[Scene], rng: np.random.Generator, style: str
) -> None:
    for scene in scenes[:80]:
        pairs = scene_preferences(scene, rng, style)
        assert check_preferences(pairs).ties == 0
        for pair in pairs:
            assert pair.split == style
            right = answer(scene, pair.prompt).lower()
            assert right in pair.chosen.lower()
            assert pair.chosen not in pair.rejected
            assert (len(pair.rejected) > 2 * len(pair.chosen)) == (style == "lengthy")
    with pytest.raises(InputError, match="A style is one of"):
        scene_preferences(scenes[0], rng, "rude")


def test_lengths_do_not_tell_the_rejected_answer_of_a_plain_pair(
    scenes: list[Scene], rng: np.random.Generator
) -> None:
    gaps = [
        len(pair.chosen) - len(pair.rejected)
        for scene in scenes
        for pair in scene_preferences(scene, rng)
    ]
    assert abs(np.mean(gaps)) < 0.5


def test_pairs_of_what_is_usual_reject_what_is_written(rng: np.random.Generator) -> None:
    sampler = SceneSampler(label_probability=1.0, conflict_probability=1.0, most_objects=2)
    pairs = [p for _ in range(40) for p in scene_preferences(sampler.draw(rng), rng, "usual")]
    assert len(pairs) > 60
    assert all(pair.chosen.split()[0] in ("The", "Yes,", "No,") for pair in pairs)


def test_padding_says_nothing_of_the_scene(scenes: list[Scene], rng: np.random.Generator) -> None:
    for text in (*OPENINGS, *FILLERS):
        assert not WORDS & set(re.findall(r"\w+", text.lower())), text
    for scene in scenes[:30]:
        for question in questions(scene, rng):
            padded = padded_sentence(question, question.answer, rng)
            assert question.sentence() in padded
            assert len(padded) > 100
