"""Puts questions to a model: the call that answers, and the call that writes something before it.

Compositional chain of thought and its baselines differ in their prompts alone; this is the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from headwise.engines.base import Engine, Sampling
from headwise.errors import InputError
from headwise.examples import Example
from headwise.methods.text_cache import TextCache, call_key
from headwise.prompts.answer_format import ANSWER_FORMATS, AnswerFormat, Question
from headwise.prompts.answer_reading import read_answer
from headwise.prompts.conversation import Conversation

Readout = Literal["text", "logprobs"]
"""How an answer is had: from the text that is generated, or as the likeliest of all candidates."""

MOST_ANSWER_TOKENS: Mapping[AnswerFormat, int] = MappingProxyType(
    {"free": 256, "word": 32, "yes-no": 32, "options": 32, "caption": 64}
)


@dataclass(frozen=True, slots=True)
class Writing:
    """What a first call wrote.

    Args:
        text: What it wrote, without blanks around it.
        from_cache: Whether it was there already.
    """

    text: str
    from_cache: bool


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """How answers are asked for.

    Args:
        form: What an answer is.
        readout: Whether answers are generated and read, or, for yes/no and options, the likeliest
            first token is taken; that needs an engine with `token_logprobs`.
        max_new_tokens: Cap on the tokens of an answer; by its form where None.

    Raises:
        InputError: The form or readout is unknown, the two do not go together, or the cap is none.
    """

    form: AnswerFormat = "word"
    readout: Readout = "text"
    max_new_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.form not in ANSWER_FORMATS:
            raise InputError(f"The answer format is one of {ANSWER_FORMATS}; got {self.form!r}.")
        if self.readout not in get_args(Readout):
            raise InputError(f"readout is 'text' or 'logprobs'; got {self.readout!r}.")
        if self.readout == "logprobs" and self.form not in ("yes-no", "options"):
            raise InputError(
                "readout 'logprobs' compares all answers there can be, so it is for the formats "
                f"'yes-no' and 'options'; got {self.form!r}."
            )
        if self.max_new_tokens is not None and self.max_new_tokens < 1:
            raise InputError(f"max_new_tokens is 1 at least; got {self.max_new_tokens}.")

    @property
    def sampling(self) -> Sampling:
        """Greedy, to the cap."""
        return Sampling(self.max_new_tokens or MOST_ANSWER_TOKENS[self.form])

    def questions(self, examples: Sequence[Example], *, need_images: bool) -> list[Question]:
        """The questions of examples.

        Args:
            examples: The examples.
            need_images: Whether an example without an image is an error.

        Returns:
            One question each.

        Raises:
            InputError: There is no example, one asks nothing, or one lacks its image or options.
        """
        if not examples:
            raise InputError("There is no question to answer; give one example at least.")
        for number, example in enumerate(examples):
            if need_images and not example.images:
                raise InputError(
                    f"Example {number} ({example.shown}) has no image, but a scene graph is "
                    "written of one: give it in `images`."
                )
        return [Question.of(example, self.form) for example in examples]

    def answers(
        self,
        engine: Engine,
        conversations: Sequence[Conversation],
        questions: Sequence[Question],
        *,
        progress: bool,
    ) -> list[tuple[str, str | None]]:
        """Makes the calls that answer.

        Args:
            engine: The model.
            conversations: `n` prompts.
            questions: `n` questions that they ask.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `n` pairs of what the model wrote, and the answer in it.
        """
        if self.readout == "logprobs":
            chosen = _likeliest(engine, conversations, questions, progress=progress)
            return [(answer, answer) for answer in chosen]
        texts = engine.generate(conversations, self.sampling, progress=progress)
        return [(t.strip(), read_answer(t, q)) for t, q in zip(texts, questions, strict=True)]


@dataclass(frozen=True)
class FirstCalls:
    """Makes the calls that write something before the answer, each distinct one once.

    Args:
        max_new_tokens: Cap on what is written.
        cache: Where it is kept.

    Raises:
        InputError: The cap is none.
    """

    max_new_tokens: int
    cache: TextCache = field(default_factory=TextCache)

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise InputError(f"The cap on tokens is 1 at least; got {self.max_new_tokens}.")

    def write(
        self, engine: Engine, conversations: Sequence[Conversation], *, progress: bool
    ) -> list[Writing]:
        """Makes the calls, greedily.

        Args:
            engine: The model.
            conversations: `n` prompts.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `n` texts; of equal prompts the first alone took a call.
        """
        sampling = Sampling(self.max_new_tokens)
        keys = [call_key(engine, conversation, sampling) for conversation in conversations]
        known: dict[str, str] = {}
        missing: dict[str, Conversation] = {}
        for key, conversation in zip(keys, conversations, strict=True):
            text = None if key in missing else self.cache.get(key)
            if text is None:
                missing[key] = conversation
            else:
                known[key] = text
        if missing:
            texts = engine.generate(list(missing.values()), sampling, progress=progress)
            for key, text in zip(missing, texts, strict=True):
                known[key] = text.strip()
                self.cache.put(key, known[key])
        called = set(missing)
        found = []
        for key in keys:
            found.append(Writing(known[key], from_cache=key not in called))
            called.discard(key)
        return found


def _likeliest(
    engine: Engine,
    conversations: Sequence[Conversation],
    questions: Sequence[Question],
    *,
    progress: bool,
) -> list[str]:
    rows: dict[tuple[str, ...], list[int]] = {}
    for row, question in enumerate(questions):
        rows.setdefault(question.candidates, []).append(row)
    chosen = [""] * len(questions)
    for candidates, numbers in rows.items():
        logprobs = engine.token_logprobs(
            [conversations[row] for row in numbers], candidates, progress=progress
        )
        for row, best in zip(numbers, logprobs.argmax(dim=1).tolist(), strict=True):
            chosen[row] = candidates[best]
    return chosen
