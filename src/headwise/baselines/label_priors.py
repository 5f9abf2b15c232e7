"""How likely a model finds each class before it has seen anything of the example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from headwise.content import Image, as_image
from headwise.examples import Example

ZeroShotCalibration = Literal["none", "content_free", "support"]
"""What a model's bias to some class names is measured on; see `LikelihoodClassifier.log_prior`.

`"content_free"`: the question with nothing in it ("N/A", "[MASK]", grey pictures). `"support"`: the
support examples, whose labels are not looked at.
"""
InContextCalibration = Literal["none", "content_free"]
"""As for zero-shot; the support is in the prompt already and cannot measure anything there."""

CONTENT_FREE = ("N/A", "[MASK]")
_GREY = 127


def log_prior(log_probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean probability of each class over inputs, as a logarithm.

    Args:
        log_probabilities: `(n, n_classes)`, in nats; they need not sum to anything.

    Returns:
        `(n_classes,)` float64, in nats.
    """
    shares = torch.from_numpy(log_probabilities).log_softmax(dim=1)
    return (shares.logsumexp(dim=0) - float(np.log(len(shares)))).numpy()


def content_free(examples: Sequence[Example]) -> tuple[Example, ...]:
    """Examples with their content taken out: what differs among them is replaced.

    Texts and columns that are the same in all examples are taken for part of the question, and
    stay. Of pictures there are as many as the first example has, grey, in its sizes.

    Args:
        examples: Examples of one task.

    Returns:
        One for each text of `CONTENT_FREE`, or a single one where no text differs; none of none.

    Source: Zhao et al. (arXiv:2102.09690), section 4. Ours: the empty text is left out, since an
        example has one; pictures.
    """
    if not examples:
        return ()
    first = examples[0]
    blank = replace(first, label=None, id=None, images=tuple(map(_grey, first.images)))
    differing = {
        name
        for name, value in first.fields.items()
        if any(one.fields.get(name) != value for one in examples)
    }
    text_differs = any(one.text != first.text for one in examples)
    if not text_differs and not differing:
        return (blank,)
    return tuple(
        replace(
            blank,
            text=free if text_differs else first.text,
            fields={
                name: free if name in differing else value for name, value in first.fields.items()
            },
        )
        for free in CONTENT_FREE
    )


def _grey(image: Image) -> Image:
    width, height = image.load().size
    return as_image(np.full((height, width, 3), _GREY, np.uint8), "a grey picture")
