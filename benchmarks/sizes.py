"""How large the cases are: as the targets are stated, or cut down to see that the command works."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of all cases.

    Args:
        shots: Support examples a class; four classes.
        naive_shots: Of these, how many a class the naive fit without shared prefix is timed on.
        queries: Messages classified one by one.
        prompts: For each prompt length in tokens, the masks that the naive search is timed on.
        masks: Masks an epoch.
        reward_prompt: Tokens of the prompt whose responses are scored.
        responses: How many responses.
        naive_responses: Of these, how many the naive scoring is timed on.
        response_tokens: Tokens of each.
        new_tokens: Tokens generated.
        rows: Prompts generated from at once.
        worked: Worked examples that prompts begin alike with.
        asked: How many questions follow them.
        few_tokens: Tokens of each answer.
        calls: Calls in each repeat of what takes less than a second.
        search_prompt: Prompt length of the whole search.
        search_examples: Training prompts of the whole search; a quarter as many are held out.
        search_epochs: Epochs of the published search.
    """

    shots: int = 20
    naive_shots: int = 5
    queries: int = 8
    prompts: dict[int, int] = field(default_factory=lambda: {16: 32, 128: 8, 512: 4, 2048: 2})
    masks: int = 32
    reward_prompt: int = 512
    responses: int = 8
    naive_responses: int = 2
    response_tokens: int = 64
    new_tokens: int = 64
    rows: int = 4
    worked: int = 16
    asked: int = 16
    few_tokens: int = 8
    calls: int = 5
    search_prompt: int = 128
    search_examples: int = 64
    search_epochs: int = 600


QUICK = Sizes(
    shots=2,
    naive_shots=1,
    queries=2,
    prompts={16: 2, 64: 2},
    masks=8,
    reward_prompt=96,
    responses=3,
    naive_responses=1,
    response_tokens=16,
    new_tokens=6,
    rows=2,
    worked=4,
    asked=4,
    few_tokens=2,
    calls=1,
    search_prompt=32,
    search_examples=4,
    search_epochs=4,
)
