"""What a person brings: labelled examples and preference pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from headwise.content import (
    Content,
    Image,
    ImageLike,
    as_content,
    as_images,
    content_key,
    images_in,
    with_images,
)
from headwise.content.messages import has_places, names_pictures, parse_messages
from headwise.content.turns import Message
from headwise.errors import InputError

ChatMessages = Sequence[Mapping[str, object] | Message]
"""Chat messages in the Hugging Face / OpenAI form: `[{"role": ..., "content": ...}, ...]`."""

Prompt = str | ChatMessages
"""A prompt as users have it: a string, or chat messages up to and including the user's turn."""

Response = Content
"""A response as users have it: text, or a tuple of texts and Images in their order."""


@dataclass(frozen=True, slots=True)
class Example:
    """One example of a task.

    Args:
        text: The input, such as the article to classify; it may be empty where there are images.
        label: The class name, or the text the model should answer; None where it is to be found.
        fields: Every further column that an instruction template may name, such as
            `{"question": ...}`.
        id: The user's own name of the example.
        images: What is seen beside the text, in order: pictures, or the frames of a video. Paths,
            bytes, PIL images and arrays are taken too, and become `Image`s.

    Raises:
        InputError: The text or label is not a string, the text is empty and there is no image, or
            an image is none.
        MissingExtraError: There are images, and Pillow is not installed.
    """

    text: str = ""
    label: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    id: str | None = None
    images: tuple[Image, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", as_images(self.images))
        if self.images and isinstance(self.text, str) and not self.text.strip():
            object.__setattr__(self, "text", "")
        else:
            _require_text("text", self.text)
        if self.label is not None:
            _require_text("label", self.label)

    @property
    def shown(self) -> str:
        """A short form for messages to the user."""
        return repr(self.text[:40]) if self.text else f"<{self.images[0].name}>"

    @property
    def key(self) -> tuple[str, tuple[Image, ...]]:
        """What two examples that ask the same have in common: the text and the pictures."""
        return self.text, self.images


ExampleLike = Example | ImageLike
"""What a fitted method answers: an `Example`, a text, or a picture that is no string."""


def as_example(value: ExampleLike | Sequence[ImageLike]) -> Example:
    """An input in any of the forms users have it in.

    Args:
        value: An `Example`; a string, which is always text, never the name of a file; or what is
            a picture otherwise (a `Path`, bytes, a PIL image, an array, an `Image`), or a sequence
            of pictures, such as the frames of a video.

    Returns:
        The example.

    Raises:
        InputError: It is none of these, an empty text, or a picture that is none.
    """
    if isinstance(value, Example):
        return value
    if isinstance(value, str):
        return Example(value)
    images = as_images(value)
    if not images:
        raise InputError("An example has neither text nor images; give one of them.")
    return Example(images=images)


@dataclass(frozen=True, slots=True)
class Preference:
    """A prompt with a better and a worse response (TRL's column names).

    Args:
        prompt: A string, or chat messages up to the user's turn.
        chosen: The better response.
        rejected: The worse response.
        split: The part of a benchmark it belongs to.
        id: The user's own name of the pair.
        images: Pictures of the prompt: for the places of its messages that name none, else before
            the text of the first user's turn.

    Raises:
        InputError: A response is not text, or the prompt is empty.
    """

    prompt: Prompt
    chosen: Response
    rejected: Response
    split: str | None = None
    id: str | None = None
    images: tuple[Image, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", as_images(self.images))
        _require_prompt(self.prompt)
        object.__setattr__(self, "chosen", _checked_response("chosen", self.chosen))
        object.__setattr__(self, "rejected", _checked_response("rejected", self.rejected))

    def judgements(self) -> tuple[Judgement, Judgement]:
        """The pair as two judged responses: the chosen one right, the rejected one wrong."""
        return (
            Judgement(self.prompt, self.chosen, True, images=self.images),
            Judgement(self.prompt, self.rejected, False, images=self.images),
        )

    @property
    def shown_prompt(self) -> Prompt:
        """The prompt with its images in their places; as it was given where it shows none."""
        return prompt_with_images(self.prompt, self.images)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One response judged good or bad on its own (TRL's unpaired preference).

    Args:
        prompt: A string, or chat messages up to the user's turn.
        completion: The response that is judged.
        label: Whether it meets the criterion; None where that is to be found.
        id: The user's own name of the row.
        images: Pictures of the prompt; see `Preference`.

    Raises:
        InputError: The completion is not text, or the prompt is empty.
    """

    prompt: Prompt
    completion: Response
    label: bool | None = None
    id: str | None = None
    images: tuple[Image, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", as_images(self.images))
        _require_prompt(self.prompt)
        object.__setattr__(self, "completion", _checked_response("completion", self.completion))

    @property
    def shown_prompt(self) -> Prompt:
        """The prompt with its images in their places; as it was given where it shows none."""
        return prompt_with_images(self.prompt, self.images)


@dataclass(frozen=True, slots=True)
class PreferenceReport:
    """What was odd about a set of preferences; reported to the user, never fatal.

    Args:
        n_pairs: Pairs looked at.
        duplicates: Pairs that repeat an earlier one.
        contradictions: Pairs whose reverse is there too.
        ties: Pairs whose chosen and rejected responses are the same text.
    """

    n_pairs: int
    duplicates: int
    contradictions: int
    ties: int

    @property
    def messages(self) -> tuple[str, ...]:
        """One sentence for each kind of oddity that occurs."""
        found = (
            (self.duplicates, "repeat an earlier pair"),
            (self.contradictions, "are contradicted by another pair that prefers the opposite"),
            (self.ties, "have the same text as chosen and rejected"),
        )
        return tuple(
            f"{count} of {self.n_pairs} preference pairs {what}." for count, what in found if count
        )


def images_of(item: Example | Preference | Judgement) -> tuple[Image, ...]:
    """Every picture that an item shows: those of its prompt, then those of its responses."""
    if isinstance(item, Example):
        return item.images
    prompt = item.shown_prompt
    turns = () if isinstance(prompt, str) else parse_messages(prompt)
    responses = (item.chosen, item.rejected) if isinstance(item, Preference) else (item.completion,)
    shown = [*(turn.content for turn in turns), *responses]
    return tuple(image for content in shown for image in images_in(content))


def check_preferences(preferences: Sequence[Preference]) -> PreferenceReport:
    """Counts duplicate, contradictory and tied pairs.

    Args:
        preferences: The pairs.

    Returns:
        The counts.
    """
    keys = [(prompt_key(p.shown_prompt), p.chosen, p.rejected) for p in preferences]
    counts = Counter(keys)
    contradictions = sum((p, r, c) in counts and c != r for p, c, r in keys)
    return PreferenceReport(
        n_pairs=len(keys),
        duplicates=len(keys) - len(counts),
        contradictions=contradictions,
        ties=sum(c == r for _, c, r in keys),
    )


def labels_of(examples: Sequence[Example]) -> list[str]:
    """The labels of a support set, checked to be there and to be of two classes at least.

    Args:
        examples: The support set.

    Returns:
        One label an example.

    Raises:
        InputError: No examples, an example without label, or one class only.
    """
    if not examples:
        raise InputError(
            "The support set is empty; give at least one example of each of two classes."
        )
    labels = []
    for number, example in enumerate(examples):
        if example.label is None:
            raise InputError(f"Example {number} ({example.shown}) has no label.")
        labels.append(example.label)
    if len(set(labels)) < 2:
        raise InputError(
            f"The support set has one class only ({labels[0]!r}); a classifier needs examples of "
            "at least two."
        )
    return labels


def prompt_key(prompt: Prompt) -> str:
    """A string that is the same for the same prompt, for grouping and comparing prompts.

    Raises:
        InputError: A message with pictures is malformed.
    """
    if isinstance(prompt, str):
        return prompt
    # What a picture shows counts, not the object or the file that holds it.
    turns = parse_messages(prompt) if names_pictures(prompt) else prompt
    return "\x1e".join(_turn_key(turn) for turn in turns)


def prompt_with_images(prompt: Prompt, images: Sequence[Image] = ()) -> Prompt:
    """A prompt with its pictures in their places.

    Args:
        prompt: A string, or chat messages.
        images: Pictures for the places of the messages that name none; where there is none, they
            stand before the text of the first user's turn; see `parse_messages`.

    Returns:
        Turns, where there is any picture; else the prompt as it is.

    Raises:
        InputError: The pictures and their places do not match, or a message is malformed.
    """
    if isinstance(prompt, str):
        return (Message("user", with_images(images, prompt)),) if images else prompt
    if images or names_pictures(prompt) or has_places(prompt):
        return parse_messages(prompt, images)
    return prompt


def _turn_key(turn: Mapping[str, object] | Message) -> str:
    if isinstance(turn, Message):
        return f"{turn.role}\x1f{content_key(turn.content)}"
    return f"{turn.get('role')}\x1f{turn.get('content')}"


def group_by_prompt(prompts: Iterable[Prompt]) -> list[list[int]]:
    """Row numbers grouped by equal prompt, groups and rows in order of appearance."""
    groups: dict[str, list[int]] = {}
    for row, prompt in enumerate(prompts):
        groups.setdefault(prompt_key(prompt), []).append(row)
    return list(groups.values())


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InputError(f"An example's {name} must be text; got {type(value).__name__}.")
    if not value.strip():
        raise InputError(
            f"An example's {name} is empty" + (", and it has no image." if name == "text" else ".")
        )


def _checked_response(name: str, value: object) -> Response:
    if not isinstance(value, str | tuple):
        raise InputError(
            f"A preference's {name} must be text, or a tuple of texts and Images; got "
            f"{type(value).__name__}."
        )
    return as_content(value)


def _require_prompt(prompt: object) -> None:
    if isinstance(prompt, str):
        if not prompt.strip():
            raise InputError("A prompt is empty.")
        return
    if not isinstance(prompt, Sequence) or not prompt:
        raise InputError(
            "A prompt is a string or a non-empty list of chat messages; got "
            f"{type(prompt).__name__}."
        )
    for number, turn in enumerate(prompt):
        if isinstance(turn, Message):
            continue
        if not isinstance(turn, Mapping) or not {"role", "content"} <= set(turn):
            raise InputError(f"Turn {number} of a chat prompt must have 'role' and 'content'.")
