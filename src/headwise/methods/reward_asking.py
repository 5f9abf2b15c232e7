"""What is asked of the model about responses, and how its judgements become their rewards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, stack

from headwise.errors import InputError
from headwise.examples import Prompt, Response, group_by_prompt
from headwise.methods.reward_support import cut_prompt
from headwise.methods.truncation import TextCutter
from headwise.prompts.conversation import Conversation
from headwise.prompts.reward import RewardPrompt


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two rows of one prompt that a conversation compares.

    Args:
        first: The row that stands first.
        second: The row that stands second.
    """

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class AskedRows:
    """The conversations that judge `n` responses.

    Args:
        conversations: One a response in the scalar form; one an ordered pair of responses to the
            same prompt in the ranked form.
        comparisons: The rows that each conversation compares; None in the scalar form.
        truncated: For each response, whether it or its prompt was too long and was cut.
    """

    conversations: tuple[Conversation, ...]
    comparisons: tuple[Comparison, ...] | None
    truncated: tuple[bool, ...]

    def of_rows(self, values: Tensor) -> NDArray[np.float64]:
        """What each response gets of the judgements.

        Args:
            values: One a conversation, of any float dtype.

        Returns:
            `(n,)` float64: the judgement itself in the scalar form; in the ranked form the mean
            over all comparisons, counted against it where the other stood first.
        """
        if self.comparisons is None:
            return values.double().numpy()
        totals = np.zeros(len(self.truncated))
        counts = np.zeros(len(self.truncated))
        for pair, value in zip(self.comparisons, values.tolist(), strict=True):
            totals[pair.first] += value
            totals[pair.second] -= value
            counts[pair.first] += 1
        return totals / np.maximum(counts, 1)


def ask(
    prompt: RewardPrompt,
    prompts: Sequence[Prompt],
    responses: Sequence[Response],
    cutter: TextCutter,
) -> AskedRows:
    """Puts responses into the conversations that judge them.

    Args:
        prompt: How responses are judged.
        prompts: `n` prompts, which hold their pictures.
        responses: `n` responses.
        cutter: Cuts over-long texts.

    Returns:
        The conversations.

    Raises:
        InputError: A message is malformed; or, in the ranked form, a prompt has one response only.
    """
    if prompt.form == "ranked":
        return _compared(prompt, prompts, responses, cutter)
    conversations, truncated = [], []
    for question, response in zip(prompts, responses, strict=True):
        before = cutter.n_texts
        conversations.append(
            prompt.scalar(cut_prompt(question, cutter), cutter.cut_content(response))
        )
        truncated.append(cutter.n_texts > before)
    return AskedRows(tuple(conversations), None, tuple(truncated))


def _compared(
    prompt: RewardPrompt,
    prompts: Sequence[Prompt],
    responses: Sequence[Response],
    cutter: TextCutter,
) -> AskedRows:
    comparisons, conversations = [], []
    truncated = [False] * len(responses)
    for group in group_by_prompt(prompts):
        if len(group) < 2:
            raise InputError(
                "The ranked form compares responses to the same prompt, but a prompt has one "
                "response only. Give several responses to each prompt, or fit with "
                "form='scalar'."
            )
        before = cutter.n_texts
        question = cut_prompt(prompts[group[0]], cutter)
        is_cut = cutter.n_texts > before
        cut = {}
        for row in group:
            before = cutter.n_texts
            cut[row] = cutter.cut_content(responses[row])
            truncated[row] = is_cut or cutter.n_texts > before
        for a in group:
            for b in group:
                if a != b:
                    comparisons.append(Comparison(a, b))
                    conversations.append(prompt.ranked(question, cut[a], cut[b]))
    return AskedRows(tuple(conversations), tuple(comparisons), tuple(truncated))


@dataclass(frozen=True, slots=True)
class AskedPairs:
    """The conversations that judge `n` pairs of responses.

    Args:
        conversations: In the scalar form all first responses, then all second ones; in the ranked
            form each pair in both orders.
        is_ranked: Whether pairs are compared.
    """

    conversations: tuple[Conversation, ...]
    is_ranked: bool

    def of_pairs(self, values: Tensor) -> Tensor:
        """Log-odds that the first response of each pair is better.

        Args:
            values: One judgement a conversation.

        Returns:
            `(n,)`, of the same dtype.
        """
        if self.is_ranked:
            return values[0::2] - values[1::2]
        half = len(values) // 2
        return values[:half] - values[half:]

    def of_orders(self, values: Tensor) -> Tensor:
        """The same in each order; of pairs that are compared, whose sum is `of_pairs`.

        Args:
            values: One judgement a conversation.

        Returns:
            `(n, 2)`: with the first response shown first, and with it shown second.
        """
        return stack([values[0::2], -values[1::2]], dim=1)


def ask_pairs(
    prompt: RewardPrompt,
    prompts: Sequence[Prompt],
    first: Sequence[Response],
    second: Sequence[Response],
    cutter: TextCutter,
) -> AskedPairs:
    """Puts pairs of responses into the conversations that judge them.

    Args:
        prompt: How responses are judged.
        prompts: `n` prompts, which hold their pictures.
        first: `n` responses.
        second: `n` responses.
        cutter: Cuts over-long texts.

    Returns:
        The conversations.

    Raises:
        InputError: A message is malformed.
    """
    if prompt.form == "scalar":
        asked = ask(prompt, [*prompts, *prompts], [*first, *second], cutter)
        return AskedPairs(asked.conversations, is_ranked=False)
    conversations = []
    for question, a, b in zip(prompts, first, second, strict=True):
        shown = cut_prompt(question, cutter)
        a, b = cutter.cut_content(a), cutter.cut_content(b)
        # Both orders, so that a liking for the first place cancels.
        conversations += [prompt.ranked(shown, a, b), prompt.ranked(shown, b, a)]
    return AskedPairs(tuple(conversations), is_ranked=True)
