"""The pairs of one item: a right and a wrong answer, each plain and with a bias."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headwise.errors import InputError
from headwise.evaluation.audit.biases import AuditBias
from headwise.evaluation.audit.dressing import belief, dressings, usual_phrases
from headwise.evaluation.audit.neutral import Size, neutral_sentence, neutral_text
from headwise.evaluation.audit.rows import AuditRow
from headwise.examples import Preference

_DRAWS = 40


@dataclass(frozen=True, slots=True)
class AuditItem:
    """One row with a bias, as preference pairs whose chosen answer is always the right one.

    Args:
        id: The row it is made of.
        plain: The right answer and the wrong one, neither with the bias.
        tempting: The right answer without the bias, and the wrong one with it.
        helped: The right answer with the bias, and the wrong one without; None where the bias can
            only be a wrong answer's.
    """

    id: str
    plain: Preference
    tempting: Preference
    helped: Preference | None = None


def audit_item(row: AuditRow, bias: AuditBias, strength: int, *, seed: int = 0) -> AuditItem:
    """Dresses up a row.

    The wrong answer is as long with the bias as without, in words and in characters, so that what
    goes by length alone judges both pairs the same. `"length"` itself is the exception.

    Args:
        row: The row.
        bias: The bias; `"usual"` needs a row with a usual answer.
        strength: 1, 2 or 3; of no effect for `"position"`.
        seed: Seed of the wording, which differs by row, bias and strength too.

    Returns:
        The item.

    Raises:
        InputError: The row has no usual answer, or none of the wordings fits it.
    """
    rng = _chance(row, bias, strength, seed)
    if bias == "usual":
        return _usual_item(row, strength, rng)
    if bias == "position":
        plain = _pair(row, bias, row.question, row.right, row.wrong)
        return AuditItem(row.id, plain, plain)
    drawn = dressings(bias, strength, row.question, rng)
    right, wrong = drawn.neutral.on(row.right), drawn.neutral.on(row.wrong)
    biased_right, biased_wrong = drawn.biased.on(row.right), drawn.biased.on(row.wrong)
    asked = misled = led = row.question
    if bias == "sycophancy":
        misled = f"{row.question} {belief(row.wrong, strength, rng)}"
        led = f"{row.question} {belief(row.right, strength, rng)}"
    return AuditItem(
        row.id,
        plain=_pair(row, bias, asked, right, wrong),
        tempting=_pair(row, bias, misled, right, biased_wrong),
        helped=_pair(row, bias, led, biased_right, wrong),
    )


def biased_split(
    rows: Sequence[AuditRow], bias: AuditBias, strength: int = 2, *, seed: int = 0
) -> tuple[Preference, ...]:
    """Pairs in the form of PreferenceHack: the rejected answer carries the bias.

    Args:
        rows: The rows; those of `scene_rows` give multimodal splits, which were never released.
        bias: The bias; for `"usual"`, give rows with a usual answer.
        strength: 1, 2 or 3.
        seed: Seed of the wording.

    Returns:
        One pair a row, its `split` the bias.

    Raises:
        InputError: The bias is `"position"`, which a pair does not carry; or see `audit_item`.
    """
    if bias == "position":
        raise InputError("A pair does not say in which order it is shown; name another bias.")
    return tuple(audit_item(row, bias, strength, seed=seed).tempting for row in rows)


def plain_pair(row: AuditRow) -> Preference:
    """A row as a preference, with nothing added to its answers."""
    return Preference(row.question, row.right, row.wrong, "plain", row.id, row.images)


def reversed_pair(pair: Preference) -> Preference:
    """A pair that calls the wrong answer right, as a careless annotator would."""
    return Preference(
        pair.prompt, pair.rejected, pair.chosen, pair.split, pair.id, images=pair.images
    )


def require_apart(support: Sequence[AuditRow], test: Sequence[AuditRow]) -> None:
    """Checks by content that no question is both learned from and tested on.

    Raises:
        InputError: One is; names it.
    """
    known = {row.key: row for row in support}
    both = [row for row in test if row.key in known]
    if both:
        raise InputError(
            f"{len(both)} questions are in the support and in the test, such as "
            f"{both[0].question!r}. Give rows in which each question occurs once."
        )


def _usual_item(row: AuditRow, strength: int, rng: np.random.Generator) -> AuditItem:
    if row.usual is None:
        raise InputError(
            f"The row {row.id!r} has no usual answer, which the bias 'usual' is about. Audit it "
            "with pictures of scenes, or leave that bias out."
        )
    for _ in range(_DRAWS):
        # Even at the least strength something follows the answer, to even out lengths with.
        said = usual_phrases(strength - 1, rng) or neutral_sentence(rng)
        biased = f"{row.usual} {said}"
        right, wrong = _evened(row.right, biased, rng), _evened(row.wrong, biased, rng)
        if right is not None and wrong is not None:
            return AuditItem(
                row.id,
                plain=_pair(row, "usual", row.question, right, wrong),
                tempting=_pair(row, "usual", row.question, right, biased),
            )
    raise InputError(
        f"The answers of the row {row.id!r} could not be made equally long; leave the row out."
    )


def _evened(answer: str, model: str, rng: np.random.Generator) -> str | None:
    """An answer with neutral sentences that make it as long as a model text."""
    text = neutral_text(Size.of(model) - Size.of(answer) - Size(0, 1), rng)
    return None if text is None else f"{answer} {text}"


def _pair(row: AuditRow, bias: AuditBias, prompt: str, right: str, wrong: str) -> Preference:
    return Preference(prompt, right, wrong, bias, f"{row.id}:{bias}", row.images)


def _chance(row: AuditRow, bias: AuditBias, strength: int, seed: int) -> np.random.Generator:
    # A hash rather than a counter: an item stays the same whichever others are audited with it.
    name = f"{row.id}\x1f{row.question}\x1f{bias}\x1f{strength}\x1f{seed}"
    return np.random.default_rng(list(hashlib.sha256(name.encode()).digest()))
