"""What the plain model says without pictures, so that training does not change it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AutoModelForCausalLM

from headwise.engines.embedded import embedded_model_path
from training.embedded_vision.language import Language
from training.embedded_vision.low_rank import without_update
from training.embedded_vision.packing import Packer, Row, batched
from training.embedded_vision.wordings import TEXT_PROMPTS

_LONGEST = 40
_BATCH = 12
# The system turn is the same in all chats; what follows it is not.
_START = 24


@dataclass(frozen=True, slots=True)
class Replayed:
    """A chat without pictures, and what the plain model makes of it.

    Args:
        row: The chat, with the plain model's own answer.
        hidden: The plain model's last hidden states after the system turn.
    """

    row: Row
    hidden: Tensor


def replayed_chats(packer: Packer, language: Language, path: Path) -> list[Replayed]:
    """Chats with the plain model's own answers.

    Args:
        packer: Makes rows.
        language: The model in training, whose update is left out here.
        path: Where the answers are kept once they are drawn.

    Returns:
        One chat a prompt.
    """
    if not path.is_file():
        path.write_text(json.dumps(_answers(packer)), encoding="utf-8")
    answers = json.loads(path.read_text(encoding="utf-8"))
    rows = [packer.chat(prompt, answers[prompt]) for prompt in TEXT_PROMPTS]
    with torch.no_grad(), without_update(language):
        return [
            Replayed(row, language.hidden(batched([row], language.dtype), None)[:, _START:])
            for row in rows
        ]


def divergence(language: Language, chat: Replayed) -> Tensor:
    """How far the next tokens are from the plain model's.

    Args:
        language: The model in training.
        chat: A chat without pictures.

    Returns:
        The mean Kullback-Leibler divergence after the system turn, in nats.
    """
    hidden = language.hidden(batched([chat.row], language.dtype), None)[:, _START:]
    said = language.logits(hidden).log_softmax(-1)
    with torch.no_grad():
        wanted = language.logits(chat.hidden).log_softmax(-1)
    return F.kl_div(said, wanted, log_target=True, reduction="none").sum(-1).mean()


def _answers(packer: Packer) -> dict[str, str]:
    model: Any = AutoModelForCausalLM.from_pretrained(embedded_model_path(), dtype=torch.bfloat16)
    torch.manual_seed(5)
    found: dict[str, str] = {}
    for at in range(0, len(TEXT_PROMPTS), _BATCH):
        prompts = TEXT_PROMPTS[at : at + _BATCH]
        rows = [packer.chat(prompt, "").tokens[:-1] for prompt in prompts]
        length = max(len(row) for row in rows)
        tokens = torch.tensor([[2] * (length - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (length - len(row)) + [1] * len(row) for row in rows])
        written = model.generate(
            input_ids=tokens,
            attention_mask=mask,
            max_new_tokens=_LONGEST,
            do_sample=True,
            temperature=0.7,
            pad_token_id=2,
        )[:, length:]
        for prompt, answer in zip(prompts, written, strict=True):
            found[prompt] = packer.decode(answer.tolist())
    return found
