"""Matrix products of which each row is the same to the bit, however many rows there are."""

from __future__ import annotations

import os

import torch
from transformers import PreTrainedModel

_MKL_MODE = "MKL_CBWR"


def ask_for_reproducible_products(model: PreTrainedModel) -> None:
    """Has Intel's MKL, which torch multiplies with on most CPUs, always add in the same order.

    Otherwise products of few rows, or of rows shared out to threads, add in an order of their own,
    and a score depends on what it was batched with in its sixth digit. It costs no time that we
    could measure. MKL reads the setting at its first product: where the process multiplied
    matrices before it loaded a model, the setting has to come from outside.

    Args:
        model: The model that is going to run; nothing is asked for unless it runs on the CPU in
            float32. A mode that the user has set in the environment stays.
    """
    if model.device.type == "cpu" and model.dtype == torch.float32:
        os.environ.setdefault(_MKL_MODE, "AUTO,STRICT")
