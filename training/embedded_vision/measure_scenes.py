"""How well the shipped model sees held-out scenes."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from headwise.scenes import Scene, SceneSampler, graph_json, questions, render
from training.embedded_vision.composed import Composed
from training.embedded_vision.dialogues import Exchange, Mix, exchanges, shot_task
from training.embedded_vision.drawing import draw_scene, pixels_of
from training.embedded_vision.examples import HELD_OUT
from training.embedded_vision.wordings import ANSWER_WITH_GRAPH, GRAPH_FOR_QUESTION, GRAPH_PLAIN

Share = tuple[float, int]
"""A share, and of how many."""
_MOST_NEW = 150


def held_out_scenes(count: int, seed: int) -> list[Scene]:
    """Scenes as the sampler draws them by default, of one to four objects in turn.

    Args:
        count: How many.
        seed: Apart from what training and its own measurements use.

    Returns:
        The scenes.
    """
    found = []
    for number in range(count):
        objects = 1 + number % 4
        drawing = SceneSampler(size=96, least_objects=objects, most_objects=objects)
        found.append(drawing.draw(np.random.default_rng([HELD_OUT, 77, seed, number])))
    return found


def graphs(model: Composed, scenes: Sequence[Scene]) -> dict[str, Share]:
    """Scene graphs written greedily: valid JSON, objects found, the whole graph right.

    Args:
        model: The model.
        scenes: The scenes.

    Returns:
        Shares by name.
    """
    prompts = [GRAPH_PLAIN[number % len(GRAPH_PLAIN)] for number in range(len(scenes))]
    written = model.write(prompts, [render(scene) for scene in scenes], _MOST_NEW)
    valid, exact, hits, told, there = 0, 0, 0, 0, 0
    by_count: dict[int, list[float]] = defaultdict(list)
    for scene, text in zip(scenes, written, strict=True):
        nodes = _nodes(text)
        valid += nodes is not None
        exact += text.strip() == graph_json(scene)
        said = Counter(nodes or [])
        true = Counter((str(thing.shape), str(thing.color)) for thing in scene.objects)
        shared = sum((said & true).values())
        hits, told, there = hits + shared, told + sum(said.values()), there + sum(true.values())
        by_count[len(scene.objects)].append(2 * shared / (sum(said.values()) + sum(true.values())))
    shares = {
        "graph: valid JSON": (valid / len(scenes), len(scenes)),
        "graph: object F1": (2 * hits / max(1, told + there), there),
        "graph: exactly right": (exact / len(scenes), len(scenes)),
    }
    for count, values in sorted(by_count.items()):
        shares[f"graph: object F1, {count} objects"] = (float(np.mean(values)), len(values))
    return shares


def answers(model: Composed, scenes: Sequence[Scene], seed: int) -> dict[str, Share]:
    """Questions of every kind, whether something is there, and judgements.

    Args:
        model: The model.
        scenes: The scenes.
        seed: For the choice of questions.

    Returns:
        Shares by kind of question and answer.
    """
    found: dict[str, list[bool]] = defaultdict(list)
    mix = Mix(questions=0, presence=4, judgements=4, graph=0.0, with_graph=0.0, short=0.0, long=0.0)
    for number, scene in enumerate(scenes):
        rng = np.random.default_rng([HELD_OUT, seed, number])
        asked = [
            Exchange(f"{question.kind}: {question.answer_kind}", question.text, question.answer)
            for question in questions(scene, rng)
        ]
        asked += exchanges(scene, rng, mix)
        for exchange, right in zip(asked, model.right(asked, render(scene)), strict=True):
            found[exchange.task].append(right)
            if exchange.task.startswith(("attribute: yes", "relation: yes")):
                found["yes/no on attributes and relations"].append(right)
    return {task: (float(np.mean(values)), len(values)) for task, values in sorted(found.items())}


def compositional(model: Composed, scenes: Sequence[Scene], seed: int) -> dict[str, Share]:
    """The two calls of compositional chain-of-thought, against asking at once.

    Args:
        model: The model.
        scenes: The scenes.
        seed: For the choice of questions.

    Returns:
        Shares of right answers.
    """
    asked = []
    for number, scene in enumerate(scenes):
        rng = np.random.default_rng([HELD_OUT, seed, number])
        several = questions(scene, rng)
        asked.append(several[int(rng.integers(len(several)))])
    images = [render(scene) for scene in scenes]
    calls = [GRAPH_FOR_QUESTION[n % 4].format(question=q.text) for n, q in enumerate(asked)]
    written = model.write(calls, images, _MOST_NEW)
    found: Mapping[str, list[bool]] = defaultdict(list)
    for number, (scene, question) in enumerate(zip(scenes, asked, strict=True)):
        form, wanted = ANSWER_WITH_GRAPH[number % 4], question.answer
        prompts = {
            "compositional: at once": question.text,
            "compositional: own graph": form.format(graph=written[number], question=question.text),
            "compositional: true graph": form.format(
                graph=graph_json(scene), question=question.text
            ),
        }
        exchanged = [Exchange(name, text, wanted) for name, text in prompts.items()]
        for exchange, right in zip(exchanged, model.right(exchanged, images[number]), strict=True):
            found[exchange.task].append(right)
    return {name: (float(np.mean(values)), len(values)) for name, values in found.items()}


def shots(model: Composed, count: int, seed: int) -> dict[str, Share]:
    """The last answer after three worked examples with pictures.

    Args:
        model: The model.
        count: How many prompts.
        seed: For the scenes.

    Returns:
        Shares by task, and whether a question says what it is.
    """
    found: dict[str, list[bool]] = defaultdict(list)
    for number in range(count):
        rng = np.random.default_rng([HELD_OUT, seed, number])
        scenes = [draw_scene(rng, 1) for _ in range(4)]
        task, asked, told = shot_task(scenes, rng)
        row = model.packer.turns(asked, told)
        hidden = model.hidden([row], model.tokens([pixels_of(scene) for scene in scenes]))[0]
        # All turns are one segment; only the last answer is measured.
        answer = len(model.packer.encode(asked[-1].answer)) + 1
        row.weights = [0.0] * len(row.weights)
        row.segments = [1] * len(row.segments)
        for place in range(len(row.tokens) - 1 - answer, len(row.tokens) - 1):
            row.weights[place] = 1.0
        row.tasks = ["shared", task]
        found[f"{task}, {'asked' if told else 'only shown'}"] += model.greedy(row, hidden)
    return {name: (float(np.mean(values)), len(values)) for name, values in sorted(found.items())}


def _nodes(text: str) -> list[tuple[str, str]] | None:
    """Shape and colour of each object of a graph; None where it is none."""
    try:
        graph = json.loads(text)
        nodes = [(str(node["shape"]), str(node["color"])) for node in graph["objects"]]
        links = all(len(link) == 3 for link in graph["relations"])
    except (ValueError, KeyError, TypeError):
        return None
    return nodes if links else None
