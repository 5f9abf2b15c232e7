"""Reward prompts: a judged conversation, quoted, and a question about it.

Whatever is judged is quoted: its first line stands behind its name (`Response: ...`) and every
further line behind `> `, as in e-mail and Markdown. So a response cannot pose as the question, for
it cannot begin a line of its own. One-line texts look as a person would write them, on which small
models judge better (measured: 0.75 against 0.62 pair accuracy of plain token probability when the
first line was marked too).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headwise.errors import InputError
from headwise.examples import Prompt
from headwise.prompts.conversation import Conversation, Message, parse_messages

Form = Literal["scalar", "ranked"]

SCALAR_QUESTION = "Does the response meet this criterion: {criterion}\nAnswer Yes or No."
RANKED_QUESTION = "Which response better meets this criterion: {criterion}\nAnswer A or B."
_ROLE_NAMES = {"system": "System", "user": "User", "assistant": "Assistant"}
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

    def scalar(self, prompt: Prompt, response: str) -> Conversation:
        """The conversation that asks whether one response meets the criterion."""
        question = SCALAR_QUESTION.format(criterion=self.criterion)
        body = f"{quoted_prompt(prompt)}\nResponse: {quoted(response)}\n\n{question}"
        return Conversation.user(body, system=self.system)

    def ranked(self, prompt: Prompt, first: str, second: str) -> Conversation:
        """The conversation that asks which of two responses is better."""
        question = RANKED_QUESTION.format(criterion=self.criterion)
        body = (
            f"{quoted_prompt(prompt)}\nResponse A: {quoted(first)}\n"
            f"Response B: {quoted(second)}\n\n{question}"
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
    """The text with `> ` before every line but the first."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").translate(_LINE_BREAKS)
    return lines.replace("\n", "\n> ")


def quoted_prompt(prompt: Prompt) -> str:
    """The prompt, quoted: a single question as such, a dialogue turn by turn."""
    if isinstance(prompt, str):
        return f"Question: {quoted(prompt)}"
    messages = parse_messages(prompt)
    if len(messages) == 1 and messages[0].role == "user":
        return f"Question: {quoted(messages[0].content)}"
    return "\n".join(f"{_ROLE_NAMES[m.role]}: {quoted(m.content)}" for m in messages)
