"""A prompt and its response as one chat, for reward models that read whole conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwise.content import Image
from headwise.errors import InputError
from headwise.examples import Preference, Prompt, Response, prompt_with_images
from headwise.methods.reward_inputs import ImagesOfRows, prompts_shown
from headwise.prompts.conversation import Message, parse_messages


@dataclass(frozen=True, slots=True)
class ResponseChat:
    """What is to be scored.

    Args:
        turns: The prompt's turns.
        response: The assistant's turn that is scored.
    """

    turns: tuple[Message, ...]
    response: Message

    @classmethod
    def of(cls, prompt: Prompt, response: Response) -> ResponseChat:
        """The chat of a prompt, with its pictures in their places, and a response."""
        shown = prompt_with_images(prompt)
        is_text = isinstance(shown, str)
        turns = (Message("user", shown),) if isinstance(shown, str) else parse_messages(shown)
        if not is_text and turns[-1].role == "assistant":
            raise InputError("A prompt ends with the assistant's turn; the response follows it.")
        return cls(turns, Message("assistant", response))

    @property
    def all_turns(self) -> tuple[Message, ...]:
        """The prompt's turns and the response."""
        return (*self.turns, self.response)

    @property
    def images(self) -> tuple[Image, ...]:
        """Every picture that it shows."""
        return tuple(image for turn in self.all_turns for image in turn.images)

    @property
    def prompt_text(self) -> str:
        """The text of the prompt; a dialogue's turns by paragraphs, each behind its role."""
        if len(self.turns) == 1:
            return self.turns[0].text
        return "\n\n".join(f"{turn.role}: {turn.text}" for turn in self.turns)

    @property
    def plain_messages(self) -> list[dict[str, str]]:
        """The turns as chat templates take them; for chats without pictures."""
        return [{"role": turn.role, "content": turn.text} for turn in self.all_turns]


def response_chats(
    prompts: Sequence[Prompt], responses: Sequence[Response], images: ImagesOfRows = None
) -> list[ResponseChat]:
    """The chats of the rows of a call to `score`.

    Args:
        prompts: `n` prompts.
        responses: `n` responses.
        images: `n` lists of pictures that the prompts show beside their text.

    Returns:
        `n` chats.

    Raises:
        InputError: Other numbers of prompts, responses and images, or a malformed prompt.
    """
    if len(prompts) != len(responses):
        raise InputError(
            f"score needs one prompt a response; got {len(prompts)} prompts and "
            f"{len(responses)} responses."
        )
    shown = prompts_shown(prompts, images)
    return [ResponseChat.of(p, r) for p, r in zip(shown, responses, strict=True)]


def pair_chats(preferences: Sequence[Preference]) -> list[ResponseChat]:
    """The chats of pairs: first all chosen responses, then all rejected ones."""
    prompts = [pair.shown_prompt for pair in preferences]
    responses = [*(p.chosen for p in preferences), *(p.rejected for p in preferences)]
    return response_chats([*prompts, *prompts], responses)


def pair_margins(rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much higher the first half of `2n` rewards is than the second, `(n,)`."""
    half = len(rewards) // 2
    return rewards[:half] - rewards[half:]
