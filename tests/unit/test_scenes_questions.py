"""Every answer is true of its scene, and no question gives its answer away."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import numpy as np
import pytest
from scene_oracle import answer, described, the_one

from headwise.errors import InputError
from headwise.scenes import (
    COLORS,
    QUESTION_KINDS,
    SHAPES,
    Needs,
    QuestionKind,
    Scene,
    SceneQuestion,
    SceneSampler,
    questions,
    references,
    wrong_answers,
)

Asked = list[tuple[Scene, SceneQuestion]]
SINGULAR = "|".join((*SHAPES, "object", "thing"))
PLURAL = "|".join(f"{noun}e?s" for noun in (*SHAPES, "object", "thing"))
MANY = "two|three|four|five|six|more|many"


def asked_of(count: int, seed: int = 0, **settings: object) -> Asked:
    rng, sampler = np.random.default_rng(seed), SceneSampler(**settings)
    scenes = [sampler.draw(rng) for _ in range(count)]
    return [(scene, question) for scene in scenes for question in questions(scene, rng)]


@pytest.fixture(scope="module")
def asked() -> Asked:
    return asked_of(450, label_probability=0.25)


@pytest.mark.parametrize("kind", QUESTION_KINDS)
def test_every_answer_is_true_of_the_scene(asked: Asked, kind: QuestionKind) -> None:
    of_kind = [(scene, question) for scene, question in asked if question.kind == kind]
    assert len(of_kind) > 200
    for scene, question in of_kind:
        assert answer(scene, question.text) == question.answer, (question, scene.objects)


def test_every_wrong_answer_is_wrong_and_of_the_same_kind(asked: Asked) -> None:
    rng = np.random.default_rng(0)
    for scene, question in asked[::3]:
        wrong = wrong_answers(question, scene, rng)
        assert wrong
        assert len(set(wrong)) == len(wrong)
        assert question.answer not in wrong
        if question.choices:
            assert set(wrong) < set(question.choices)
        elif question.answer_kind in ("color", "shape"):
            assert set(wrong) < set(COLORS if question.answer_kind == "color" else SHAPES)
        elif question.answer_kind == "count":
            assert all(abs(int(word) - int(question.answer)) <= 2 for word in wrong)
        elif question.answer_kind == "object":
            right = the_one(scene, question.answer)
            for words in wrong:
                assert right not in described(scene, words.removeprefix("the "))


def test_plausible_wrong_answers_come_first(asked: Asked) -> None:
    rng = np.random.default_rng(0)
    for scene, question in asked:
        if question.kind == "attribute" and question.answer_kind == "color":
            others = {thing.color for thing in scene.objects} - {question.answer}
            assert set(wrong_answers(question, scene, rng)[: len(others)]) == others


def test_half_of_the_yes_no_questions_are_answered_yes(asked: Asked) -> None:
    answers: dict[str, list[bool]] = defaultdict(list)
    for _, question in asked:
        if question.is_yes_no:
            answers[question.kind].append(question.answer == "Yes")
    everything = [yes for of_kind in answers.values() for yes in of_kind]
    assert len(everything) > 2000
    assert 0.47 < np.mean(everything) < 0.53
    for kind, of_kind in answers.items():
        # Three standard errors of a fair coin.
        assert abs(np.mean(of_kind) - 0.5) < 1.5 / len(of_kind) ** 0.5, kind


def test_no_word_of_a_yes_no_question_tells_the_answer() -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for _, question in asked_of(700, seed=7):
        if question.is_yes_no:
            for word in set(re.findall(r"\w+", question.text)):
                counts[word][question.answer] += 1
    common = {word: count for word, count in counts.items() if count.total() > 250}
    assert len(common) > 40
    for word, count in common.items():
        assert 0.35 < count["Yes"] / count.total() < 0.65, (word, count)


def test_no_open_question_holds_its_answer(asked: Asked) -> None:
    for _, question in asked:
        named = question.choices or question.kind == "composition"
        if not question.is_yes_no and not named and question.answer_kind != "count":
            assert question.answer.lower() not in re.findall(r"[\w]+", question.text.lower())


def test_references_fit_one_object_only(asked: Asked) -> None:
    for scene in {id(scene): scene for scene, _ in asked}.values():
        for number, thing in enumerate(scene.objects):
            for reference in references(scene, number):
                assert described(scene, reference.noun()) == [thing]


def test_of_twins_only_what_tells_them_apart_is_said() -> None:
    for scene, _ in asked_of(40, duplicate_probability=1.0, least_objects=2):
        one, other = scene.objects[0], scene.objects[-1]
        # Nobody refers to "the solid circle".
        told_by_texture = one.texture not in (other.texture, "solid")
        assert bool(references(scene, 0)) == (one.size != other.size or told_by_texture)


def test_articles_and_number_are_right(asked: Asked) -> None:
    for _, question in asked:
        for text in (question.text, question.sentence()):
            assert not re.search(r"\ba [aeiou]|\ban [^aeiou]|  |crosss", text), text
            assert not re.search(rf"\b(an?|one) ([a-z]+ )*({PLURAL})\b", text), text
            assert not re.search(rf"\b({MANY}) ([a-z]+ )*({SINGULAR})\b", text), text
        assert question.text.endswith("?")
        assert question.sentence()[0].isupper()
        assert question.sentence().endswith(".")


def test_sentences_say_the_answer_and_differ_by_it(asked: Asked) -> None:
    rng = np.random.default_rng(0)
    for scene, question in asked[::5]:
        wrong = wrong_answers(question, scene, rng)[0]
        right_words, wrong_words = question.sentence(), question.sentence(wrong)
        assert right_words != wrong_words
        assert question.answer.lower() in right_words.lower()
        assert wrong.lower() in wrong_words.lower()


def test_wordings_vary(asked: Asked) -> None:
    starts: dict[str, set[str]] = defaultdict(set)
    for _, question in asked:
        starts[question.kind].add(" ".join(question.text.split()[:2]))
    assert all(len(found) >= 3 for found in starts.values()), starts


def test_needs_and_objects_are_said(asked: Asked) -> None:
    for scene, question in asked:
        assert set(question.about) <= set(range(len(scene.objects)))
        if question.kind in ("relation", "composition"):
            assert question.needs == Needs(objects=2, relations=1)
        else:
            assert question.needs.relations == 0
        if question.kind == "counting":
            assert question.needs.objects == len(question.about)


def test_a_conflict_tempts_with_what_is_written_or_usual(asked: Asked) -> None:
    usual = {"heart": "red", "star": "yellow"}
    for scene, question in asked:
        if question.kind != "conflict":
            assert question.tempting is None
            continue
        thing = scene.objects[question.about[0]]
        assert question.tempting not in (None, question.answer)
        suggested = {str(thing.label).lower(), usual.get(thing.shape)}
        if question.is_yes_no:
            assert answer(scene, question.text) != question.tempting
        else:
            assert question.tempting in suggested
        assert wrong_answers(question, scene, np.random.default_rng(0))[0] == question.tempting


def test_only_the_asked_kinds_come_and_each_text_once() -> None:
    rng = np.random.default_rng(0)
    scene = SceneSampler(least_objects=4).draw(rng)
    asked = questions(scene, rng, kinds=("counting", "relation"))
    assert {question.kind for question in asked} == {"counting", "relation"}
    texts = [question.text for question in questions(scene, rng)]
    assert len(set(texts)) == len(texts)
    with pytest.raises(InputError, match="Kinds of questions"):
        questions(scene, rng, kinds=("riddle",))


@pytest.mark.parametrize("shape", SHAPES)
def test_scenes_of_little_variety_have_questions_too(shape: str) -> None:
    for settings in ({"duplicate_probability": 1.0}, {"colors": ("red", "white", "teal")}):
        for scene, question in asked_of(40, shapes=(shape,), most_objects=3, **settings):
            assert answer(scene, question.text) == question.answer
            assert wrong_answers(question, scene, np.random.default_rng(0))


def test_a_question_that_makes_no_sense_is_refused() -> None:
    needs = Needs(objects=1)
    with pytest.raises(InputError, match="answered 'Yes' or 'No'"):
        SceneQuestion("attribute", "Is it?", "Maybe", "yes_no", (0,), needs, "it is", "it is not")
    with pytest.raises(InputError, match="answer"):
        SceneQuestion("attribute", "What is it?", "red", "color", (0,), needs, "it is red")
    with pytest.raises(InputError, match="none of the choices"):
        SceneQuestion(
            "attribute", "Q?", "red", "color", (0,), needs, "{answer}", choices=("blue", "gray")
        )
    with pytest.raises(InputError, match="a text, an answer"):
        SceneQuestion("attribute", "", "red", "color", (0,), needs, "{answer}")
    question = SceneQuestion("attribute", "Q?", "Yes", "yes_no", (0,), needs, "it is", "it is not")
    with pytest.raises(InputError, match="'red'"):
        question.sentence("red")
