"""Parts of requests as headwise's own nouns: turns, examples, responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headwise.content import Content, Image, as_content
from headwise.content.messages import parse_messages
from headwise.content.turns import Message
from headwise.errors import InputError
from headwise.examples import Example, Prompt
from headwise.prompts.chat_text import split_query, turns_in
from headwise.server.pictures import PictureGate
from headwise.server.refusals import RefusalError
from headwise.server.settings import RequestLimits
from headwise.server.shapes import (
    MOST_TURNS,
    ContentObject,
    ExampleInput,
    ImagePart,
    JudgedItem,
    TextPart,
    Turn,
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A response and the conversation that it answers.

    Args:
        prompt: The conversation.
        response: The response.
    """

    prompt: Prompt
    response: Content


def judged_from_text(query: str, prompt: str | None = None) -> Judged:
    """Splits a text into the response and the conversation that it answers.

    Args:
        query: Prompt and response, with special tokens.
        prompt: The prompt, with which the query begins; where None, the last turn of the chat that
            a template wrote is the response.

    Returns:
        The response and its conversation.

    Raises:
        InputError: The response cannot be told from the prompt, there is no prompt, or it has too
            many turns.
    """
    if prompt is None:
        turns = turns_in(query)
        if turns is None or len(turns) < 2 or turns[-1].role != "assistant":
            raise InputError(
                "the text is no chat that ends with an assistant's turn, in a template that is "
                "known (ChatML, Llama, Gemma, Mistral and others), so the response cannot be told "
                "from the prompt; /get_reward takes the prompt beside it (prompts)."
            )
        _check_turns(len(turns))
        return Judged(turns[:-1], turns[-1].content)
    split = split_query(query, prompt)
    if not isinstance(split.prompt, str):
        _check_turns(len(split.prompt))
    if not split.prompt or (isinstance(split.prompt, str) and not split.prompt.strip()):
        raise InputError("the prompt is empty.")
    return Judged(split.prompt, split.response)


def _check_turns(n: int) -> None:
    if n > MOST_TURNS:
        raise InputError(f"the text is a chat of {n} turns; {MOST_TURNS} are the most.")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads parts of requests, within limits.

    Args:
        limits: What one request may ask for.
        pictures: What reads pictures.
    """

    limits: RequestLimits
    pictures: PictureGate

    def check_count(self, n: int, field: str) -> None:
        """Checks that a request has not too many items.

        Raises:
            RefusalError: It has.
        """
        if n > self.limits.items:
            raise RefusalError(
                413,
                f"{field}: {n} items are too many for one request; send {self.limits.items} at "
                "most.",
                field,
            )

    def judged(self, item: JudgedItem) -> Judged:
        """An item of `/v1/rewards`.

        Raises:
            InputError: A text is too long or a picture cannot be taken; names the field.
        """
        n_images = _count_pictures(item.response) + sum(
            _count_pictures(turn.content) for turn in item.messages
        )
        self._check_pictures(n_images)
        return Judged(
            self.turns(item.messages, "messages"), self.content(item.response, "response")
        )

    def turns(self, turns: Sequence[Turn], field: str) -> tuple[Message, ...]:
        """Chat messages; see `judged` for the errors."""
        return parse_messages(
            [
                {"role": turn.role, "content": self._parts(turn.content, f"{field}.{n}.content")}
                for n, turn in enumerate(turns)
            ],
            allow_files=False,
        )

    def content(self, given: str | Sequence[TextPart | ImagePart], field: str) -> Content:
        """A text, or texts with pictures; see `judged` for the errors."""
        parts = self._parts(given, field)
        return parts if isinstance(parts, str) else as_content(parts)

    def side(self, given: str | ContentObject, field: str) -> Content:
        """A query or a document; see `judged` for the errors.

        Raises:
            InputError: It is empty.
        """
        if isinstance(given, str):
            self.check_text(given, field)
            return given
        self._check_pictures(_count_pictures(given.content))
        return self.content(given.content, f"{field}.content")

    def example(self, given: str | ExampleInput, field: str) -> Example:
        """An input; see `judged` for the errors."""
        if isinstance(given, str):
            self.check_text(given, field)
            return Example(given)
        self._check_pictures(len(given.images))
        for name, text in (("text", given.text), *given.fields.items()):
            self.check_text(text, f"{field}.{name}")
        images = tuple(
            self.pictures.read(one, f"{field}.images.{n}") for n, one in enumerate(given.images)
        )
        if not given.text.strip() and not images:
            raise InputError(f"{field}: there is neither a text nor an image.")
        return Example(given.text, fields=dict(given.fields), images=images)

    def check_text(self, text: str, field: str) -> None:
        """Checks the length of a text.

        Raises:
            InputError: It is too long.
        """
        if len(text) > self.limits.text_characters:
            raise InputError(
                f"{field}: a text of {len(text):,} characters is too long; the server takes "
                f"{self.limits.text_characters:,} at most."
            )

    def _parts(
        self, given: str | Sequence[TextPart | ImagePart], field: str
    ) -> str | list[str | Image]:
        if isinstance(given, str):
            self.check_text(given, field)
            return given
        parts: list[str | Image] = []
        for number, part in enumerate(given):
            where = f"{field}.{number}"
            if isinstance(part, TextPart):
                self.check_text(part.text, f"{where}.text")
                parts.append(part.text)
            else:
                parts.append(self.pictures.read(part.image_url.url, f"{where}.image_url"))
        return parts

    def _check_pictures(self, n: int) -> None:
        if n > self.limits.images:
            raise InputError(
                f"{n} images in one item are too many; the server takes {self.limits.images}."
            )


def _count_pictures(given: str | Sequence[TextPart | ImagePart]) -> int:
    return 0 if isinstance(given, str) else sum(isinstance(part, ImagePart) for part in given)
