"""The shipped model on pictures that it was not trained on: the test part of `easy-vqa`."""

from __future__ import annotations

import importlib.util
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training.embedded_vision.composed import Composed
from training.embedded_vision.dialogues import Exchange
from training.embedded_vision.measure_scenes import Share

_COLORS = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")
_SHAPES = ("circle", "rectangle", "triangle")
_HEADS = 20


def easy_vqa_folder() -> Path | None:
    """Where the package's test data is; None where it is not installed."""
    spec = importlib.util.find_spec("easy_vqa")
    for location in (spec.submodule_search_locations or []) if spec else []:
        return Path(location) / "data" / "test"
    return None


def easy_vqa(model: Composed, folder: Path, count: int) -> dict[str, Share]:
    """Zero-shot answers by kind of question.

    Args:
        model: The model.
        folder: The test data.
        count: How many pictures.

    Returns:
        Shares of right answers: written freely, and for shapes and colours also the likeliest of
        the data set's own answers.
    """
    asked = _questions(folder)
    found: dict[str, list[bool]] = defaultdict(list)
    for number in range(count):
        pairs = asked[number]
        exchanged = [Exchange(_kind(text, answer), text, _cased(answer)) for text, answer in pairs]
        image = _picture(folder, number)
        row = model.packer.about_one_image(exchanged)
        hidden = model.hidden([row], model.tokens([image]))[0]
        closed = _closed(model, row, hidden)
        for (_, answer), exchange, right, chosen in zip(
            pairs, exchanged, model.greedy(row, hidden), closed, strict=True
        ):
            found[f"easy-VQA: {exchange.task}"].append(right)
            found["easy-VQA: all"].append(right)
            if answer in (*_COLORS, *_SHAPES):
                found[f"easy-VQA: {exchange.task}, of its own answers"].append(chosen == answer)
    return {name: (float(np.mean(values)), len(values)) for name, values in sorted(found.items())}


def heads(model: Composed, folder: Path, shots: int, count: int) -> dict[str, Share]:
    """Classes by the activations of a few attention heads at the last token of a question.

    Args:
        model: The model.
        folder: The test data: the first pictures are the support, later ones are classified.
        shots: How many pictures of each class support it.
        count: How many pictures are classified.

    Returns:
        Shares of right classes, for the shape and for the colour.
    """
    shares = {}
    truth = _truth(folder)
    for name, classes, text in (
        ("shape", _SHAPES, "What shape is in the image?"),
        ("color", _COLORS, "What color is the shape?"),
    ):
        labels = {number: known[name] for number, known in truth.items()}
        support = [n for value in classes for n in _of(labels, value)[:shots]]
        tested = [n for n in labels if n not in set(support)][:count]
        activations = _activations(model, folder, [*support, *tested], text)
        numbers = torch.tensor([classes.index(labels[n]) for n in [*support, *tested]])
        right = _voted(activations, numbers, len(support), len(classes))
        shares[f"easy-VQA heads: {name}, {shots} shots"] = (right, len(tested))
    return shares


def _voted(activations: Tensor, labels: Tensor, support: int, classes: int) -> float:
    """Nearest class mean by each head; the best heads of the support vote."""
    unit = torch.nn.functional.normalize(activations, dim=-1)
    means = torch.stack([unit[:support][labels[:support] == c].mean(0) for c in range(classes)])
    means = torch.nn.functional.normalize(means, dim=-1)
    near = torch.einsum("nhd,chd->nhc", unit, means)
    right = (near[:support].argmax(-1) == labels[:support, None]).float().mean(0)
    best = right.topk(_HEADS).indices
    votes = near[support:, best].mean(1).argmax(-1)
    return float((votes == labels[support:]).float().mean())


def _activations(model: Composed, folder: Path, numbers: list[int], text: str) -> Tensor:
    """Inputs of the output projections at the last token, `(pictures, heads, width)`."""
    text_model = model.model.model.text_model
    size = text_model.config.head_dim
    caught: list[Tensor] = []

    def catch(_module: Any, inputs: tuple[Tensor, ...]) -> None:
        caught.append(inputs[0][:, -1].float().unflatten(-1, (-1, size)))

    hooks = [layer.self_attn.o_proj.register_forward_pre_hook(catch) for layer in text_model.layers]
    found = []
    try:
        for at in range(0, len(numbers), 16):
            part = numbers[at : at + 16]
            row = model.packer.about_one_image([Exchange("", text, "")])
            # The answer here is only the end of the turn; without it the prompt remains.
            for values in (row.tokens, row.positions, row.segments, row.weights):
                values.pop()
            images = model.tokens([_picture(folder, number) for number in part])
            caught.clear()
            model.hidden([row] * len(part), images)
            found.append(torch.cat(caught, dim=1))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat(found)


def _closed(model: Composed, row: Any, hidden: Tensor) -> list[str]:
    """The likeliest first token of the data set's colours or shapes, for each question."""
    tokenizer = model.packer
    starts = {word: tokenizer.encode(word)[0] for word in (*_COLORS, *_SHAPES)}
    chosen = []
    for segment, task in enumerate(row.tasks[1:], 1):
        words = _SHAPES if task.startswith("shape") else _COLORS
        first = next(
            place
            for place, (own, weight) in enumerate(zip(row.segments, row.weights, strict=True))
            if own == segment and weight > 0
        )
        with torch.no_grad():
            scores = model.model.lm_head(hidden[first - 1])
        chosen.append(max(words, key=lambda word: float(scores[starts[word]])))
    return chosen


def _questions(folder: Path) -> dict[int, list[tuple[str, str]]]:
    asked: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for text, answer, number in json.loads((folder / "questions.json").read_text("utf-8")):
        asked[number].append((text, answer))
    return asked


def _truth(folder: Path) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for number, pairs in _questions(folder).items():
        for _, answer in pairs:
            if answer in _COLORS:
                found[number]["color"] = answer
            elif answer in _SHAPES:
                found[number]["shape"] = answer
    return {number: known for number, known in sorted(found.items()) if len(known) == 2}


def _of(labels: dict[int, str], value: str) -> list[int]:
    return [number for number, label in labels.items() if label == value]


def _kind(text: str, answer: str) -> str:
    if answer in _COLORS:
        return "color"
    if answer in _SHAPES:
        return "shape"
    negated = " not " in text or " no " in text
    about = "shape" if any(shape in text for shape in _SHAPES) else "color"
    return f"yes/no, {about}{', negated' if negated else ''}"


def _cased(answer: str) -> str:
    return answer.capitalize() if answer in ("yes", "no") else answer


def _picture(folder: Path, number: int) -> Image.Image:
    return Image.open(folder / "images" / f"{number}.png").convert("RGB")
