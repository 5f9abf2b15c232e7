"""Prompt and response in one text, as trainers send them: a chat template's text, or plain text."""

from __future__ import annotations

from headwise.errors import InputError
from headwise.prompts.chat_text import split_query, turns_in
from headwise.server.reading import Judged


def judged_from_text(query: str, prompt: str | None = None) -> Judged:
    """Splits a text into the response and the conversation that it answers.

    Args:
        query: Prompt and response, with special tokens.
        prompt: The prompt, with which the query begins; where None, the last turn of the chat that
            a template wrote is the response.

    Returns:
        The response and its conversation.

    Raises:
        InputError: The response cannot be told from the prompt, or there is no prompt.
    """
    if prompt is None:
        turns = turns_in(query)
        if turns is None or len(turns) < 2 or turns[-1].role != "assistant":
            raise InputError(
                "the text is no chat that ends with an assistant's turn, in a template that is "
                "known (ChatML, Llama, Gemma, Mistral and others), so the response cannot be told "
                "from the prompt; /get_reward takes the prompt beside it (prompts)."
            )
        return Judged(turns[:-1], turns[-1].content)
    split = split_query(query, prompt)
    if not split.prompt or (isinstance(split.prompt, str) and not split.prompt.strip()):
        raise InputError("the prompt is empty.")
    return Judged(split.prompt, split.response)
