"""What is asked of a drawn scene in training: pairs of a prompt and the answer wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from headwise.scenes import (
    COLORS,
    QUESTION_KINDS,
    SHAPES,
    Description,
    QuestionKind,
    Scene,
    SceneQuestion,
    caption,
    graph_json,
    judgement_questions,
    questions,
)
from headwise.scenes.chance import coin, pick, shuffled
from headwise.scenes.description import with_article
from headwise.scenes.question import NO, YES
from headwise.scenes.relations import reading_order
from headwise.scenes.vocabulary import NUMBERS, Attribute
from training.embedded_vision import wordings

_MOST_IN_GRAPH = 4
_NOUNS = ("shape", "shape", "object", "thing")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A prompt about a picture and the answer to it.

    Args:
        task: What is asked for, for reports.
        prompt: The user's words.
        answer: The answer wanted.
        times: How much the answer counts: a Yes is one token, and long answers drown it.
    """

    task: str
    prompt: str
    answer: str
    times: float = 1.0


@dataclass(frozen=True, slots=True)
class Mix:
    """How much of each task is asked of a scene.

    Args:
        questions: How many questions.
        presence: How many of whether something is there.
        judgements: How many proposed answers are judged.
        graph: The probability that the scene graph is asked for.
        with_graph: The probability of a question with the graph in the prompt.
        short: The probability of a short caption.
        long: The probability of a long one.
        listing: The probability that all objects are listed in a few words.
        kinds: The kinds of questions.
        graph_times: How much a scene graph counts: most of its tokens can be guessed.
        yes_no: How many more yes/no questions about the same objects.
        relations: How many more yes/no questions about where objects lie.
        yes_no_times: How much a Yes or a No counts.
        several: The probability of a row with several pictures.
        counts: How likely each number of objects is.
    """

    questions: int = 8
    presence: int = 2
    judgements: int = 2
    graph: float = 0.7
    with_graph: float = 0.25
    short: float = 0.3
    long: float = 0.08
    listing: float = 0.0
    kinds: tuple[QuestionKind, ...] = QUESTION_KINDS
    graph_times: float = 1.0
    yes_no: int = 0
    relations: int = 0
    yes_no_times: float = 1.0
    several: float = 0.3
    counts: tuple[float, ...] = (0.23, 0.23, 0.23, 0.23, 0.04, 0.04)


MIXES: dict[str, Mix] = {
    "all": Mix(),
    # The most words of a picture for the fewest tokens, until the model has learned to look.
    "look": Mix(
        questions=2,
        presence=1,
        judgements=0,
        graph=0.4,
        with_graph=0.0,
        short=0.0,
        long=0.0,
        listing=1.0,
        kinds=("attribute",),
        several=0.1,
        counts=(0.4, 0.3, 0.2, 0.1),
    ),
    # One bit an answer is learned slowly: many about one picture, which differ in what is asked.
    "verify": Mix(
        questions=5,
        judgements=3,
        graph=0.5,
        with_graph=0.15,
        short=0.15,
        long=0.0,
        listing=0.25,
        yes_no=8,
        yes_no_times=3.0,
        several=0.15,
        counts=(0.3, 0.3, 0.25, 0.15),
    ),
    # Scene graphs are long, and come too short among many questions.
    "tell": Mix(
        questions=4,
        judgements=3,
        graph=1.0,
        with_graph=0.3,
        short=0.1,
        long=0.0,
        listing=0.6,
        graph_times=5.0,
        yes_no=6,
        yes_no_times=2.0,
        several=0.1,
        counts=(0.15, 0.25, 0.3, 0.3),
    ),
}
# Where objects lie is asked too seldom among all kinds of questions to be learned.
MIXES["relate"] = replace(
    MIXES["tell"], graph=0.8, listing=0.4, relations=6, counts=(0.1, 0.25, 0.3, 0.35)
)
_VERIFIED: tuple[QuestionKind, ...] = ("attribute", "relation", "comparison", "existence")


def exchanges(scene: Scene, rng: np.random.Generator, mix: Mix) -> list[Exchange]:
    """What is asked of one scene.

    Args:
        scene: The scene.
        rng: Where chance comes from.
        mix: How much of each task.

    Returns:
        The exchanges.
    """
    asked = shuffled(rng, questions(scene, rng, mix.kinds))
    found = [_asked(question, rng) for question in asked[: mix.questions]]
    found += [presence(scene, rng) for _ in range(mix.presence)]
    found += _verified(scene, rng, mix.yes_no, _VERIFIED)
    found += _verified(scene, rng, mix.relations, ("relation",))
    if len(scene.objects) == 1:
        found += [only_object(scene, rng), only_object(scene, rng)]
    found += _judgements(scene, rng, mix.judgements)
    if len(scene.objects) <= _MOST_IN_GRAPH:
        found += _graphs(scene, asked, rng, mix)
    if coin(rng, mix.listing):
        found.append(Exchange("list", pick(rng, wordings.LIST), listing(scene)))
    if coin(rng, mix.short):
        text = caption(scene, rng)
        found.append(Exchange("caption", pick(rng, wordings.CAPTION_SHORT), text))
    if coin(rng, mix.long):
        text = caption(scene, rng, "long")
        found.append(Exchange("long caption", pick(rng, wordings.CAPTION_LONG), text))
    return [
        replace(exchange, times=mix.yes_no_times) if exchange.answer in (YES, NO) else exchange
        for exchange in found
    ]


def listing(scene: Scene) -> str:
    """All objects in reading order, such as `"large striped red circle, small blue star"`."""
    things = (scene.objects[number] for number in reading_order(scene))
    attributes: tuple[Attribute, ...] = ("size", "texture", "color", "shape")
    return ", ".join(
        Description.of(
            thing, [a for a in attributes if a != "texture" or thing.texture != "solid"]
        ).noun()
        for thing in things
    )


def presence(scene: Scene, rng: np.random.Generator) -> Exchange:
    """Whether something is there, asked either way round.

    Args:
        scene: The scene.
        rng: Where chance comes from.

    Returns:
        The exchange; half of the answers are Yes.
    """
    there, negated = coin(rng), coin(rng)
    description = _present(scene, rng) if there else _absent(scene, rng)
    noun = description.noun(pick(rng, _NOUNS))
    form = pick(rng, wordings.IS_THERE_NOT if negated else wordings.IS_THERE)
    text = _cased(form.format(a=with_article(noun), noun=noun), rng)
    task = "not there" if negated else "there"
    return Exchange(task, text, "Yes" if there != negated else "No")


def only_object(scene: Scene, rng: np.random.Generator) -> Exchange:
    """The colour or the shape of a scene's only object.

    Args:
        scene: A scene of one object.
        rng: Where chance comes from.

    Returns:
        The exchange.
    """
    thing = scene.objects[0]
    if coin(rng):
        noun = thing.shape if coin(rng, 0.3) else pick(rng, _NOUNS)
        text = pick(rng, wordings.ONLY_COLOR).format(noun=noun)
        return Exchange("only color", _cased(text, rng), thing.color)
    text = pick(rng, wordings.ONLY_SHAPE)
    if coin(rng, 0.3):
        text = f"What is the {thing.color} {pick(rng, _NOUNS)}?"
    return Exchange("only shape", _cased(text, rng), thing.shape)


def shot_task(scenes: list[Scene], rng: np.random.Generator) -> tuple[str, list[Exchange], bool]:
    """The same task for several pictures, as worked examples show it.

    Args:
        scenes: The pictures.
        rng: Where chance comes from.

    Returns:
        The task's name, an exchange for each picture, and whether the first one already says what
        the task is. Where it does not, the prompts are empty and only the answers tell.
    """
    if all(len(scene.objects) == 1 for scene in scenes):
        attribute = pick(rng, ("color", "shape", "color", "shape", "size", "texture"))
        answers = [str(getattr(scene.objects[0], attribute)) for scene in scenes]
        texts = {
            "color": wordings.ONLY_COLOR,
            "shape": wordings.ONLY_SHAPE,
            "size": ("Is the {noun} small or large?", "What size is the {noun}?"),
            "texture": ("What texture does the {noun} have?",),
        }[attribute]
        text = _cased(pick(rng, texts).format(noun=pick(rng, _NOUNS)), rng)
    else:
        attribute = "count"
        words = coin(rng)
        answers = [
            NUMBERS[len(scene.objects)] if words else str(len(scene.objects)) for scene in scenes
        ]
        text = pick(rng, ("How many objects are there?", "How many shapes can you see?"))
        # Of a worked example one sees in which form the number is wanted; before it, a digit is.
        if words:
            text = f"{text} Answer with a word."
    silent = coin(rng, 0.4)
    prompt = pick(rng, ("", "", "Answer:", "Output:")) if silent else text
    task = f"shots {attribute}"
    return task, [Exchange(task, prompt, answer) for answer in answers], not silent


def single_questions(scene: Scene, rng: np.random.Generator) -> Exchange:
    """One question of any kind, or whether something is there."""
    roll = rng.random()
    if roll < 0.25:
        return presence(scene, rng)
    if roll < 0.5 and len(scene.objects) == 1:
        return only_object(scene, rng)
    return _asked(pick(rng, questions(scene, rng)), rng)


def _asked(question: SceneQuestion, rng: np.random.Generator) -> Exchange:
    task = f"{question.kind} {question.answer_kind}"
    text, roll = _cased(question.text, rng), rng.random()
    if roll < 0.08:
        return Exchange(
            "sentence", pick(rng, wordings.IN_A_SENTENCE).format(question=text), question.sentence()
        )
    if roll < 0.35:
        text = pick(rng, wordings.BRIEFLY).format(question=text)
    return Exchange(task, text, question.answer)


def _judgements(scene: Scene, rng: np.random.Generator, count: int) -> Iterator[Exchange]:
    for judged in shuffled(rng, judgement_questions(scene, rng))[:count]:
        text = judged.text
        if coin(rng, 0.4):
            text = pick(rng, wordings.JUDGE).format(
                question=judged.question.text, proposed=judged.proposed
            )
        yield Exchange("judgement", text, judged.answer)


def _verified(
    scene: Scene, rng: np.random.Generator, count: int, kinds: tuple[QuestionKind, ...]
) -> list[Exchange]:
    """Yes/no questions: the same are asked of each scene with other answers."""
    if not count:
        return []
    drawn = [question for _ in range(4) for question in questions(scene, rng, kinds)]
    asked = {question.text: question for question in drawn if question.is_yes_no}
    return [_asked(question, rng) for question in shuffled(rng, list(asked.values()))[:count]]


def _graphs(
    scene: Scene, asked: list[SceneQuestion], rng: np.random.Generator, mix: Mix
) -> Iterator[Exchange]:
    graph = graph_json(scene)
    if coin(rng, mix.graph):
        text = pick(rng, wordings.GRAPH_PLAIN)
        if asked and coin(rng):
            form = pick(rng, wordings.GRAPH_FOR_QUESTION)
            text = form.format(question=pick(rng, asked).text)
        yield Exchange("graph", text, graph, mix.graph_times)
    if asked and coin(rng, mix.with_graph):
        question = pick(rng, asked)
        text = pick(rng, wordings.ANSWER_WITH_GRAPH).format(question=question.text, graph=graph)
        yield Exchange("with graph", text, question.answer)


def _present(scene: Scene, rng: np.random.Generator) -> Description:
    thing = pick(rng, scene.objects)
    roll = rng.random()
    if roll < 0.4:
        return Description(color=thing.color)
    return Description(shape=thing.shape, color=None if roll < 0.75 else thing.color)


def _absent(scene: Scene, rng: np.random.Generator) -> Description:
    while True:
        known, roll = _present(scene, rng), rng.random()
        color, shape = pick(rng, COLORS), pick(rng, SHAPES)
        if known.shape is None:
            known = Description(color=color)
        elif known.color is None:
            known = Description(shape=shape)
        elif roll < 0.5:
            known = Description(shape=known.shape, color=color)
        else:
            known = Description(shape=shape, color=known.color)
        if not known.among(scene):
            return known


def _cased(text: str, rng: np.random.Generator) -> str:
    return text.lower() if coin(rng, 0.2) else text
