"""Reward prompts: a judged conversation, quoted, and a question about it.

Every line of the prompt and of the responses is quoted with `> `, as in e-mail and Markdown, so
that a response cannot pose as the question: whatever it writes stays behind the quote mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headwise.errors import InputError
from headwise.examples import Prompt
from headwise.prompts.conversation import Conversation, Message, parse_messages

Form = Literal["scalar", "ranked"]

SCALAR_QUESTION = (
    "Does the response meet this criterion: {criterion}\nAnswer Yes or No."
)
RANKED_QUESTION = (
    "Which response better meets this criterion: {criterion}\nAnswer A or B."
)
_ROLE_NAMES = {"system": "System", "user": "User", "assistant": "Assistant"}
# str.splitlines also breaks at these; a model may show any of them as a new line.
_LINE_BREAKS = str.maketrans({c: "\n" for c in "\v\f\x1c\x1d\x1e\x85\u2028\u2029"})


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

    def scalar(self, prompt: Prompt, response: str) -> Conversation:
        """The conversation that asks whether one response meets the criterion."""
        question = SCALAR_QUESTION.format(criterion=self.criterion)
        body = f"{quoted_prompt(prompt)}\n\nResponse:\n{quoted(response)}\n\n{question}"
        return Conversation.user(body, system=self.system)

    def ranked(self, prompt: Prompt, first: str, second: str) -> Conversation:
        """The conversation that asks which of two responses is better."""
        question = RANKED_QUESTION.format(criterion=self.criterion)
        body = (
            f"{quoted_prompt(prompt)}\n\nResponse A:\n{quoted(first)}\n\n"
            f"Response B:\n{quoted(second)}\n\n{question}"
        )
        return Conversation.user(body, system=self.system)

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
    """The text with `> ` before every line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").translate(_LINE_BREAKS).split("\n")
    return "\n".join(f"> {line}" for line in lines)


def quoted_prompt(prompt: Prompt) -> str:
    """The prompt, quoted: a single question as such, a dialogue turn by turn."""
    if isinstance(prompt, str):
        return f"Question:\n{quoted(prompt)}"
    messages = parse_messages(prompt)
    if len(messages) == 1 and messages[0].role == "user":
        return f"Question:\n{quoted(messages[0].content)}"
    turns = "\n>\n".join(f"> {_ROLE_NAMES[m.role]}:\n{quoted(m.content)}" for m in messages)
    return f"Conversation:\n{turns}"
