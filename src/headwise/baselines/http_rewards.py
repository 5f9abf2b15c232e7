"""A reward model behind HTTP, whichever of the common forms its server speaks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from headwise.addresses import without_secrets
from headwise.baselines.http_connection import Connection, Patience
from headwise.baselines.http_forms import (
    FormName,
    FormSettings,
    Template,
    Unscored,
    WrittenChat,
    form_of,
)
from headwise.baselines.response_chats import (
    ResponseChat,
    pair_chats,
    pair_margins,
    response_chats,
)
from headwise.engines.base import Engine
from headwise.engines.openai.pool import run_all
from headwise.errors import EngineError, InputError
from headwise.examples import (
    Judgement,
    Preference,
    Prompt,
    Response,
    group_by_prompt,
    prompt_key,
)
from headwise.methods.reward_inputs import ImagesOfRows

_SHOWN_ROWS = 5


@dataclass(frozen=True, slots=True)
class HTTPReward:
    """A reward model behind HTTP; nothing is learnt, and the engine is not used.

    Args:
        url: The whole address of the route, such as `"http://localhost:8000/v1/rewards"`.
        form: What the server speaks: `"headwise"` (`headwise serve`), `"openrlhf"`
            (`/get_reward`), `"vllm-classify"` (`/classify`) or `"vllm-score"` (`/score`).
        model: The model, where the server wants its name.
        tokenizer: A Hub id or folder whose chat template writes conversations as texts, for
            `"openrlhf"` (without it: prompt, line break, response) and `"vllm-classify"` (without
            it: messages, which the server puts into its own template).
        api_key_variable: The environment variable that holds the key; None sends none.
        api_key_header: The header it is sent in; in `Authorization` after `Bearer`.
        batch_size: Responses a request, where the form takes several; in the form `"headwise"`
            all to one prompt go in one, since a reward model there may compare them.
        concurrency: Requests under way at a time.
        patience: How long to wait, and how often to try again.

    Raises:
        InputError: A parameter is out of range, or the address no HTTP address.
    """

    url: str
    form: FormName = "headwise"
    model: str | None = None
    tokenizer: str | None = None
    api_key_variable: str | None = None
    api_key_header: str = "Authorization"
    batch_size: int = 16
    concurrency: int = 4
    patience: Patience = Patience()  # noqa: RUF009 - frozen.

    def __post_init__(self) -> None:
        form_of(self.form)
        if not self.url.startswith(("http://", "https://")):
            raise InputError(
                f"url begins with http:// or https://; got {without_secrets(self.url)!r}."
            )
        if self.batch_size < 1 or self.concurrency < 1:
            raise InputError(
                f"batch_size and concurrency are 1 at least; got {self.batch_size} and "
                f"{self.concurrency}."
            )
        if self.tokenizer is not None and self.form in ("vllm-score", "headwise"):
            raise InputError(f"The form {self.form!r} sends no text that a tokenizer could write.")

    def fit(
        self,
        engine: Engine | None = None,
        preferences: Sequence[Preference | Judgement] = (),
        *,
        progress: bool = False,
    ) -> HTTPRewards:
        """Prepares the connection; asks nothing yet.

        Args:
            engine: As in every method; it is not used, for the model is elsewhere.
            preferences: As in every method; nothing is learnt from them.
            progress: As in every method.

        Returns:
            The reward model.

        Raises:
            MissingExtraError: `httpx` is not installed.
            InputError: The environment variable of the key is not set.
            EngineError: The tokenizer could not be loaded, or has no chat template.
        """
        template = None if self.tokenizer is None else _template_of(self.tokenizer)
        connection = Connection(
            self.url, self._key_header(), self.patience, f"Is {form_of(self.form).path} its route?"
        )
        return HTTPRewards(self, FormSettings(self.model, template), connection)

    def _key_header(self) -> dict[str, str]:
        if self.api_key_variable is None:
            return {}
        key = os.environ.get(self.api_key_variable, "").strip()
        if not key:
            raise InputError(
                f"The environment variable {self.api_key_variable} is not set; it should hold the "
                "server's key."
            )
        is_bearer = self.api_key_header.lower() == "authorization"
        return {self.api_key_header: f"Bearer {key}" if is_bearer else key}


@dataclass(frozen=True, eq=False)
class HTTPRewards:
    """Rewards that a server gives; made by `HTTPReward.fit`.

    Args:
        settings: Which server.
        bodies: What requests depend on.
        connection: The way there.
    """

    settings: HTTPReward
    bodies: FormSettings
    connection: Connection

    def score(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[Response],
        images: ImagesOfRows = None,
        *,
        progress: bool = False,
    ) -> NDArray[np.float64]:
        """What the server gives for each response; see `Rewarder.score`.

        Args:
            prompts: `n` prompts, strings or chat messages.
            responses: `n` responses.
            images: `n` lists of pictures that the prompts show beside their text.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n,)` float64 rewards; higher is better.

        Raises:
            InputError: Other numbers of prompts, responses and images, or a picture that the form
                cannot send.
            EngineError: The server cannot be reached, refuses, fails at every try, or gives no
                number for a response; says of which rows and why, where the server does.
        """
        chats = response_chats(prompts, responses, images)
        together = group_by_prompt([chat.turns for chat in chats])
        found = self._rewards(chats, together, progress)
        return _numbers(found, [f"row {row}" for row in range(len(found))])

    def margins(
        self, preferences: Sequence[Preference], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Difference of the rewards of chosen and rejected; see `Rewarder.margins`."""
        rows = range(len(preferences))
        together = [[row, len(preferences) + row] for row in rows]
        found = self._rewards(pair_chats(preferences), together, progress)
        names = [f"{which} of row {row}" for which in ("chosen", "rejected") for row in rows]
        return pair_margins(_numbers(found, names))

    def _rewards(
        self, chats: Sequence[ResponseChat], together: Sequence[Sequence[int]], progress: bool
    ) -> list[float | Unscored]:
        form = form_of(self.settings.form)
        batches = self._batches(chats, together)

        def ask(batch: Sequence[int]) -> Sequence[float | Unscored]:
            asked = [chats[row] for row in batch]
            reply = self.connection.post(form.body(asked, self.bodies), form.is_reply)
            return form.rewards(reply, len(batch))

        found = run_all(
            ask,
            batches,
            at_once=self.settings.concurrency,
            description="Asking the reward server",
            progress=progress,
        )
        by_row = {
            row: reward
            for batch, rewards in zip(batches, found, strict=True)
            for row, reward in zip(batch, rewards, strict=True)
        }
        return [by_row[row] for row in range(len(chats))]

    def _batches(
        self, chats: Sequence[ResponseChat], together: Sequence[Sequence[int]]
    ) -> list[list[int]]:
        """The rows of each request."""
        form = form_of(self.settings.form)
        if not form.compares:
            size = 1 if form.one_a_request(self.bodies) else self.settings.batch_size
            rows = list(range(len(chats)))
            return [rows[start : start + size] for start in rows[::size]]
        # What is to be compared goes in one request, and nothing else of the same prompt with it.
        batches: list[list[int]] = []
        asked: set[str] = set()
        for group in together:
            key = prompt_key(chats[group[0]].turns)
            is_full = batches and len(batches[-1]) + len(group) > self.settings.batch_size
            if not batches or is_full or key in asked:
                batches.append([])
                asked.clear()
            batches[-1] += group
            asked.add(key)
        return batches


def _numbers(found: Sequence[float | Unscored], names: Sequence[str]) -> NDArray[np.float64]:
    told = [
        f"{name}: {one.reason}"
        for name, one in zip(names, found, strict=True)
        if isinstance(one, Unscored)
    ]
    if told:
        more = f" (and {len(told) - _SHOWN_ROWS} more)" if len(told) > _SHOWN_ROWS else ""
        raise EngineError(
            f"The server could not score {len(told)} of {len(found)} responses. "
            f"{'; '.join(told[:_SHOWN_ROWS])}{more}"
        )
    return np.array(found, dtype=np.float64)


def _template_of(source: str) -> Template:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(f"Could not load the tokenizer {source!r}: {error}") from error
    if tokenizer.chat_template is None:
        raise EngineError(f"The tokenizer {source!r} has no chat template; give another one.")

    def text(messages: list[dict[str, str]], *, is_open: bool) -> str:
        written = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=is_open
        )
        # The server's own tokenizer puts it before the text again.
        return str(written).removeprefix(tokenizer.bos_token or "")

    def write(chat: ResponseChat) -> WrittenChat:
        whole = text(chat.plain_messages, is_open=False)
        prompt = text(chat.plain_messages[:-1], is_open=True)
        # Some templates open a turn otherwise than they write one that is said.
        shared = zip(prompt, whole, strict=False)
        n_shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], shared))
        return WrittenChat(whole[:n_shared], whole)

    return write
