"""What a model card says about each method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MethodText:
    """The words of a method.

    Args:
        title: What the artifact is, in a few words.
        summary: One paragraph; `{n_heads}` is replaced.
        python: An example of use; `{name}` is replaced by the artifact's name as a Python string.
        command: A command line; `{name}` is replaced by the artifact's name as a shell word.
        limits: What to beware of, one sentence or two each.
    """

    title: str
    summary: str
    python: str
    command: str
    limits: tuple[str, ...]


_CLASSIFIER = MethodText(
    title="few-shot classifier",
    summary=(
        "A few-shot text classifier that reads {n_heads} attention heads of a frozen language "
        "model. The model runs once over a text; each head votes for the class whose mean "
        "activation is closest to its own, and the majority wins. No weight of the model was "
        "changed. Method: Sparse Attention Vectors "
        "([arXiv:2412.00142](https://arxiv.org/abs/2412.00142))."
    ),
    python=(
        "import headwise\n\n"
        "classifier = headwise.from_pretrained({name})\n"
        'for label in classifier.predict(["first text", "second text"]):\n'
        "    print(label)"
    ),
    command="headwise predict {name} texts.jsonl",
    limits=(
        "It always answers with one of its classes, also for a text that belongs to none of them.",
        "The shares of votes are not calibrated probabilities.",
    ),
)

_REWARD = MethodText(
    title="few-shot reward model",
    summary=(
        "A reward model made from a few preference examples. The output of {n_heads} attention "
        "heads of a frozen language model is replaced by its mean over the examples, and the "
        "reward is read from the model's own judgement of a response. No weight of the model was "
        "changed. Method: Activation Reward Models "
        "([arXiv:2507.01368](https://arxiv.org/abs/2507.01368))."
    ),
    python=(
        "import headwise\n\n"
        "reward = headwise.from_pretrained({name})\n"
        'scores = reward.score(["a prompt", "a prompt"], ["one response", "another response"])\n'
        "print(scores)"
    ),
    command="headwise score {name} pairs.jsonl",
    limits=(
        "Rewards compare responses to the same prompt; their absolute size means little.",
        "A policy that is trained against it for long will find responses that it overrates.",
    ),
)

_TASK = MethodText(
    title="task vector",
    summary=(
        "A task, shown to a frozen language model by examples and kept as the output of {n_heads} "
        "of its attention heads. Put back at the end of a prompt without examples, it makes the "
        "model answer as if it had read them. No weight of the model was changed. Method: "
        "Multimodal Task Vectors ([arXiv:2406.15334](https://arxiv.org/abs/2406.15334)), on text."
    ),
    python=(
        "import headwise\n\n"
        "task = headwise.from_pretrained({name})\n"
        'for answer in task.generate(["first input", "second input"]):\n'
        "    print(answer)"
    ),
    command="headwise generate {name} inputs.jsonl",
    limits=(
        "It answers every input as if it were of its task.",
        "It carries what examples have in common; a fact that only one of them tells is lost.",
    ),
)

_OTHER = MethodText(
    title="artifact",
    summary=(
        "A headwise artifact that uses {n_heads} attention heads of a frozen language model. No "
        "weight of the model was changed."
    ),
    python="import headwise\n\nartifact = headwise.from_pretrained({name})\nprint(artifact)",
    command="headwise inspect {name}",
    limits=(),
)

_TEXTS: Mapping[str, MethodText] = {
    "sparse-attention-vectors": _CLASSIFIER,
    "activation-reward": _REWARD,
    "task-vectors": _TASK,
}

COMMON_LIMITS = (
    "It works with the exact base model named above; headwise refuses to load it with another.",
    "It was fitted on few examples: measure it on your own data before you rely on it.",
    "It takes over the biases of the base model and of the examples.",
    "Texts in another language, form or length than the examples may be judged badly.",
)


def text_of(method: str) -> MethodText:
    """The words of a method; general ones where the method is unknown."""
    return _TEXTS.get(method, _OTHER)
