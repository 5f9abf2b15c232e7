"""The support set of a reward model: preferences as judged conversations, long texts cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from headwise.errors import InputError
from headwise.examples import Judgement, Preference, Prompt, group_by_prompt
from headwise.methods.truncation import TextCutter
from headwise.prompts.conversation import Conversation, Message, parse_messages
from headwise.prompts.reward import RewardPrompt

GOOD, BAD = 0, 1


@dataclass(frozen=True, order=True, slots=True)
class Contrast:
    """A comparison of two judged rows.

    Args:
        good: The row of the good response.
        bad: The row of the bad one.
    """

    good: int
    bad: int


@dataclass(frozen=True, slots=True, eq=False)
class JudgedSupport:
    """Conversations of which the right judgement is known.

    Args:
        conversations: `n` conversations that end in the question for a judgement.
        labels: `(n,)` int64: 0 where the first answer (Yes, or A) is right, 1 where the second is.
        groups: `(n,)` the pair or single judgement each row comes from; rows of a group are never
            split between training and held-out.
    """

    conversations: tuple[Conversation, ...]
    labels: Tensor
    groups: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.conversations)

    @property
    def n_groups(self) -> int:
        """How many pairs or single judgements there are."""
        return max(self.groups) + 1

    def rows_of(self, groups: Sequence[int]) -> list[int]:
        """The rows of some groups, in order."""
        wanted = set(groups)
        return [row for row, group in enumerate(self.groups) if group in wanted]

    def rows(self, indices: Sequence[int]) -> JudgedSupport:
        """Part of the support; groups keep their numbers."""
        return JudgedSupport(
            tuple(self.conversations[i] for i in indices),
            self.labels[list(indices)],
            tuple(self.groups[i] for i in indices),
        )

    def contrasts(self, rows: Sequence[int]) -> tuple[Contrast, ...]:
        """Which rows are compared: those of one pair with each other.

        Single judgements have no partner, so every good one is compared with every bad one.

        Args:
            rows: The rows among which comparisons are made.

        Returns:
            The comparisons.
        """
        by_group: dict[int, dict[int, int]] = {}
        for row in rows:
            by_group.setdefault(self.groups[row], {})[int(self.labels[row])] = row
        pairs = [Contrast(g[GOOD], g[BAD]) for g in by_group.values() if len(g) == 2]
        loose = [g for g in by_group.values() if len(g) == 1]
        good = [g[GOOD] for g in loose if GOOD in g]
        bad = [g[BAD] for g in loose if BAD in g]
        return (*pairs, *(Contrast(a, b) for a in good for b in bad))


def cut_prompt(prompt: Prompt, cutter: TextCutter) -> Prompt:
    """The prompt with every over-long text of it cut in the middle; pictures stay.

    Raises:
        InputError: A message is malformed.
    """
    if isinstance(prompt, str):
        return cutter.cut(prompt)
    return [Message(t.role, cutter.cut_content(t.content)) for t in parse_messages(prompt)]


def scalar_support(
    examples: Sequence[Preference | Judgement], prompt: RewardPrompt, cutter: TextCutter
) -> JudgedSupport:
    """Judged conversations of single responses: both of a pair, or one of an unpaired label.

    Raises:
        InputError: No examples, a judgement without label, or judgements of one kind only.
    """
    conversations, labels, groups = [], [], []
    for group, example in enumerate(examples):
        for judgement in _judgements(example, group):
            conversations.append(
                prompt.scalar(
                    cut_prompt(judgement.shown_prompt, cutter),
                    cutter.cut_content(judgement.completion),
                )
            )
            labels.append(GOOD if judgement.label else BAD)
            groups.append(group)
    _require_both(labels, len(examples))
    return JudgedSupport(tuple(conversations), torch.tensor(labels), tuple(groups))


def ranked_support(
    examples: Sequence[Preference | Judgement], prompt: RewardPrompt, cutter: TextCutter
) -> JudgedSupport:
    """Judged conversations of pairs, each in both orders.

    Single judgements become pairs where one prompt has good and bad responses.

    Raises:
        InputError: No examples, or no prompt with both a good and a bad response.
    """
    pairs = _pairs(examples)
    conversations, labels, groups = [], [], []
    for group, pair in enumerate(pairs):
        question = cut_prompt(pair.shown_prompt, cutter)
        chosen = cutter.cut_content(pair.chosen)
        rejected = cutter.cut_content(pair.rejected)
        conversations += [
            prompt.ranked(question, chosen, rejected),
            prompt.ranked(question, rejected, chosen),
        ]
        labels += [GOOD, BAD]
        groups += [group, group]
    _require_both(labels, len(examples))
    return JudgedSupport(tuple(conversations), torch.tensor(labels), tuple(groups))


def _judgements(example: Preference | Judgement, number: int) -> tuple[Judgement, ...]:
    if isinstance(example, Preference):
        return example.judgements()
    if example.label is None:
        raise InputError(f"Judgement {number} has no label; fit needs to know good from bad.")
    return (example,)


def _pairs(examples: Sequence[Preference | Judgement]) -> list[Preference]:
    pairs = [example for example in examples if isinstance(example, Preference)]
    single = [example for example in examples if isinstance(example, Judgement)]
    for rows in group_by_prompt([example.shown_prompt for example in single]):
        good = [single[row] for row in rows if single[row].label]
        bad = [single[row] for row in rows if single[row].label is False]
        pairs.extend(
            Preference(g.prompt, g.completion, b.completion, images=g.images)
            for g, b in zip(good, bad, strict=False)
        )
    if examples and not pairs:
        raise InputError(
            "The ranked form compares two responses to one prompt, but no prompt has both a good "
            "and a bad one. Use form='scalar', or give preference pairs."
        )
    return pairs


def _require_both(labels: Sequence[int], n_examples: int) -> None:
    if n_examples == 0:
        raise InputError("There are no preferences; give at least one pair.")
    if len(set(labels)) < 2:
        kind = "good" if labels[0] == GOOD else "bad"
        raise InputError(
            f"All {len(labels)} judgements are {kind}; a reward model needs good and bad responses."
        )
