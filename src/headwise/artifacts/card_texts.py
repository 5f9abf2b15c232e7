"""What a model card says about each method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class MethodText:
    """The words of a method.

    Args:
        title: What the artifact is, in a few words.
        summary: One paragraph; `{n_heads}` is replaced.
        python: An example of use; `{name}` is replaced by the artifact's name as a Python string.
        command: A command line; `{name}` is replaced by the artifact's name as a shell word.
        limits: What to beware of, one sentence or two each.
        pipeline_tag: The Hub's name of the kind of task.
        install: What to install.
    """

    title: str
    summary: str
    python: str
    command: str
    limits: tuple[str, ...]
    pipeline_tag: str = "text-classification"
    install: str = "pip install headwise"


_CLASSIFIER = MethodText(
    title="few-shot classifier",
    summary=(
        "A few-shot text classifier that reads {n_heads} attention heads of a frozen language "
        "model. The model runs once over a text; each head compares its activation with the mean "
        "activation of each class, and the heads decide together. No weight of the model was "
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
        "Its probabilities were calibrated on the few support examples; expect them to be rough.",
    ),
)

_REWARD = MethodText(
    title="few-shot reward model",
    summary=(
        "A reward model made from a few preference examples. It uses {n_heads} attention heads of "
        "a frozen language model that is asked to judge a response: sparse heads are read, along "
        "the direction in which good and bad examples differ; steered heads are replaced by their "
        "mean over the examples before the model's own judgement is read. No weight of the model "
        "was changed. Method: Activation Reward Models "
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
        "Rewards are log-odds calibrated on the few support pairs; trust their order first.",
        "A policy that is trained against it for long will find responses that it overrates.",
    ),
)

_TASK = MethodText(
    pipeline_tag="text-generation",
    title="task vector",
    summary=(
        "A task, shown to a frozen language model by examples and kept as the output of {n_heads} "
        "of its attention heads. Put back at the end of a prompt without examples, it makes the "
        "model answer as if it had read them. No weight of the model was changed. Method: "
        "Multimodal Task Vectors ([arXiv:2406.15334](https://arxiv.org/abs/2406.15334))."
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

_INSTALL_VISION = "pip install 'headwise[vision]'"

_SEEING_CLASSIFIER = replace(
    _CLASSIFIER,
    summary=_CLASSIFIER.summary.replace("few-shot text classifier", "few-shot image classifier")
    .replace("frozen language model", "frozen vision-language model")
    .replace("once over a text", "once over an image (and the text beside it)"),
    python=(
        "from pathlib import Path\n\n"
        "import headwise\n\n"
        "classifier = headwise.from_pretrained({name})\n"
        "# A Path is an image, a string is a text; both together:\n"
        '# headwise.Example("a question about it", images=["photo.jpg"])\n'
        'for label in classifier.predict([Path("photo.jpg"), Path("another.png")]):\n'
        "    print(label)"
    ),
    command="headwise predict {name} photo.jpg",
    limits=(
        "It always answers with one of its classes, also for an image of none of them.",
        _CLASSIFIER.limits[1],
    ),
    pipeline_tag="image-classification",
    install=_INSTALL_VISION,
)
_SEEING_REWARD = replace(
    _REWARD,
    summary=_REWARD.summary.replace("frozen language model", "frozen vision-language model"),
    python=(
        "import headwise\n\n"
        "reward = headwise.from_pretrained({name})\n"
        "scores = reward.score(\n"
        '    ["What is this?", "What is this?"],\n'
        '    ["A cat.", "A dog."],\n'
        '    images=[["photo.jpg"], ["photo.jpg"]],\n'
        ")\n"
        "print(scores)"
    ),
    install=_INSTALL_VISION,
)
_SEEING_TASK = replace(
    _TASK,
    summary=_TASK.summary.replace("frozen language model", "frozen vision-language model"),
    python=(
        "import headwise\n\n"
        "task = headwise.from_pretrained({name})\n"
        'asked = headwise.Example("a question about it", images=["photo.jpg"])\n'
        "print(task.generate([asked])[0])"
    ),
    pipeline_tag="image-text-to-text",
    install=_INSTALL_VISION,
)

_SEEING_TEXTS: Mapping[str, MethodText] = {
    "sparse-attention-vectors": _SEEING_CLASSIFIER,
    "activation-reward": _SEEING_REWARD,
    "task-vectors": _SEEING_TASK,
}

COMMON_LIMITS = (
    "It works with the exact base model named above; headwise refuses to load it with another.",
    "It was fitted on few examples: measure it on your own data before you rely on it.",
    "It takes over the biases of the base model and of the examples.",
    "Texts in another language, form or length than the examples may be judged badly.",
)


def text_of(method: str, *, sees: bool = False) -> MethodText:
    """The words of a method; general ones where the method is unknown.

    Args:
        method: The method's name.
        sees: Whether it was fitted on examples with images.

    Returns:
        The words.
    """
    return (_SEEING_TEXTS if sees else _TEXTS).get(method, _OTHER)
