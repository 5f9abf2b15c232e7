"""Reward prompts: a judged conversation, quoted, and a question about it.

Whatever is judged is quoted: its first line stands behind its name (`Response: ...`) and every
further line behind `> `, as in e-mail and Markdown. So a response cannot pose as the question, for
it cannot begin a line of its own. One-line texts look as a person would write them, on which small
models judge better (measured: 0.75 against 0.62 pair accuracy of plain token probability when the
first line was marked too).

A picture may look to the model like the end of a line, so the text after one is marked as well.
The pictures that a turn of the prompt begins with stand before its name, as models know them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from headwise.content import Content, Image, Part, as_content, joined, parts_of
from headwise.errors import InputError
from headwise.examples import Prompt, Response
from headwise.prompts.conversation import Conversation, Message, parse_messages

Form = Literal["scalar", "ranked"]

SCALAR_QUESTION = "Does the response meet this criterion: {criterion}\nAnswer Yes or No."
RANKED_QUESTION = "Which response better meets this criterion: {criterion}\nAnswer A or B."
_ROLE_NAMES = {"system": "System", "user": "User", "assistant": "Assistant"}
# How most judged conversations begin, and then goes on as none does.
_BEGINNING = "User: \N{REFERENCE MARK}"
# str.splitlines also breaks at these; a model may show any of them as a new line.
_LINE_BREAKS = str.maketrans(dict.fromkeys("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029", "\n"))


@dataclass(frozen=True, slots=True)
class RewardPrompt:
    """How a response, or two, is put before the model to be judged.

    Args:
        criterion: What a good response does, as a sentence, such as `"The answer is correct."`.
        form: `"scalar"` judges one response with Yes or No, `"ranked"` two with A or B.
        system: A system turn before the question.

    Raises:
        InputError: The criterion is empty or the form unknown.
    """

    criterion: str
    form: Form = "scalar"
    system: str | None = None

    def __post_init__(self) -> None:
        if not self.criterion.strip():
            raise InputError("The criterion is empty; say in a sentence what a good response does.")
        if self.form not in ("scalar", "ranked"):
            raise InputError(f"form is 'scalar' or 'ranked'; got {self.form!r}.")

    @property
    def answers(self) -> tuple[str, str]:
        """The judgements: first the one for a good (or the first) response."""
        return ("Yes", "No") if self.form == "scalar" else ("A", "B")

    @property
    def scalar_question(self) -> str:
        """What is asked of one response."""
        return SCALAR_QUESTION.format(criterion=self.criterion)

    def scalar(self, prompt: Prompt, response: Response) -> Conversation:
        """The conversation that asks whether one response meets the criterion."""
        body = joined(
            quoted_prompt(prompt),
            "\nResponse: ",
            quoted_content(response),
            f"\n\n{self.scalar_question}",
        )
        return self._conversation(body)

    def ranked(self, prompt: Prompt, first: Response, second: Response) -> Conversation:
        """The conversation that asks which of two responses is better."""
        question = RANKED_QUESTION.format(criterion=self.criterion)
        body = joined(
            quoted_prompt(prompt),
            "\nResponse A: ",
            quoted_content(first),
            "\nResponse B: ",
            quoted_content(second),
            f"\n\n{question}",
        )
        return self._conversation(body)

    def _conversation(self, body: Content) -> Conversation:
        # A server asks about one response at a time, and every time begins alike.
        like = Conversation.user(_BEGINNING, system=self.system)
        return replace(Conversation.user(body, system=self.system), like=like)

    def with_shots(
        self, shots: tuple[tuple[Conversation, str], ...], query: Conversation
    ) -> Conversation:
        """The query after worked examples, each a conversation and its judgement."""
        turns: list[Message] = []
        for conversation, answer in shots:
            turns.append(conversation.messages[-1])
            turns.append(Message("assistant", answer))
        head = query.messages[:-1]
        return Conversation((*head, *turns, query.messages[-1]))


def quoted(text: str) -> str:
    """The text with `> ` before every line but the first."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").translate(_LINE_BREAKS)
    return lines.replace("\n", "\n> ")


def quoted_content(content: Content) -> Content:
    """A content whose texts can begin no line of their own, whatever a picture looks like."""
    parts: list[Part] = []
    for part in parts_of(content):
        follows = bool(parts)
        after_picture = follows and isinstance(parts[-1], Image)
        if isinstance(part, str):
            parts.append(f"\n> {quoted(part)}" if after_picture else quoted(part))
        else:
            parts += ["\n> ", part] if follows and not after_picture else [part]
    return as_content(parts)


def quoted_prompt(prompt: Prompt) -> Content:
    """The prompt, quoted: a single question as such, a dialogue turn by turn."""
    if isinstance(prompt, str):
        return f"Question: {quoted(prompt)}"
    messages = parse_messages(prompt)
    if len(messages) == 1 and messages[0].role == "user":
        return _named("Question", messages[0].content)
    turns: list[Content] = []
    for number, message in enumerate(messages):
        turns += ["\n"] * (number > 0) + [_named(_ROLE_NAMES[message.role], message.content)]
    return joined(*turns)


def _named(name: str, content: Content) -> Content:
    """A quoted content behind its name, and before that the pictures that it begins with."""
    parts = parts_of(content)
    n_leading = next((n for n, part in enumerate(parts) if isinstance(part, str)), len(parts))
    rest = quoted_content(as_content(parts[n_leading:]))
    return joined(parts[:n_leading], f"{name}: ", rest)
