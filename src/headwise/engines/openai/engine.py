"""`OpenAIEngine`: a model behind any OpenAI-compatible server, as far as such a server goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from threading import Lock
from typing import Any, Literal, NoReturn

import torch
from torch import Tensor

from headwise.engines.base import ModelFingerprint, Sampling, TruncatedText
from headwise.engines.openai.client import Server, ServerChoice
from headwise.engines.openai.logprobs import (
    TOP_LOGPROBS,
    continuation_logprob,
    first_token_logprobs,
)
from headwise.engines.openai.pool import run_all
from headwise.engines.openai.wire import MOST_STOPS, plain_prompt, wire_messages
from headwise.engines.sampling import check_sampling, cut_at_stop
from headwise.engines.usage import Usage
from headwise.errors import EngineError, InputError
from headwise.heads import HeadActivations, HeadLayout, HeadSet, HeadVectors, Steering, Steerings
from headwise.prompts.conversation import Conversation

TokenLimit = Literal["max_tokens", "max_completion_tokens"]


class OpenAIEngine:
    """Generates on an OpenAI-compatible server: OpenAI, vLLM, llama.cpp, transformers serve, ...

    A server shows no heads: `capture`, `mask_losses`, steering and `layout` raise an `EngineError`
    that says so. `token_logprobs` works where the server returns exact ones.

    Args:
        model: The model, as the server calls it.
        base_url: The server's address, with `/v1`; `$OPENAI_BASE_URL`, or OpenAI's own, where
            None.
        api_key_variable: The environment variable that holds the key, if the server wants one.
        concurrency: Requests under way at a time.
        timeout: Seconds that one try may take.
        max_retries: Tries after the first; see `ServerChoice`.
        token_limit: What the server calls the cap on new tokens in chats; newer models of OpenAI
            want `"max_completion_tokens"`.
        continues_turns: Whether the server goes on with an assistant's turn that has begun, as
            vLLM and SGLang do.

    Raises:
        InputError: An argument is out of range.
        MissingExtraError: The package `openai` is not installed.
        EngineError: No server is named and there is no key for OpenAI's own.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        *,
        api_key_variable: str = "OPENAI_API_KEY",
        concurrency: int = 8,
        timeout: float = 120.0,
        max_retries: int = 5,
        token_limit: TokenLimit = "max_tokens",  # noqa: S107 - a name of a field, no password.
        continues_turns: bool = False,
    ) -> None:
        if not model.strip():
            raise InputError("The model's name is empty; give it as the server calls it.")
        if concurrency < 1:
            raise InputError(f"concurrency is 1 at least; got {concurrency}.")
        choice = ServerChoice(base_url, api_key_variable, timeout, max_retries)
        self._server = Server(choice)
        self._model = model
        self._concurrency = concurrency
        self._token_limit = token_limit
        self._continues_turns = continues_turns
        self._usage = Usage(0, 0)
        self._lock = Lock()
        self._fingerprint = ModelFingerprint(
            model_id=model,
            revision=None,
            architecture="openai-compatible server",
            layout_hash="",
            # Its weights are not to be seen; the same name on another server may be another model.
            weights_hash=choice.url_hash,
            chat_template_hash="",
            dtype="unknown",
        )

    def __repr__(self) -> str:
        return f"OpenAIEngine({self._model!r})"

    @property
    def fingerprint(self) -> ModelFingerprint:
        """What model this is, as far as a server tells: its name, and a hash of the address."""
        return self._fingerprint

    @property
    def layout(self) -> HeadLayout:
        """Not known of a server.

        Raises:
            EngineError: Always.
        """
        self._refuse("layout")

    @property
    def usage(self) -> Usage:
        """All tokens that the server counted since the engine was made."""
        with self._lock:
            return self._usage

    def generate(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling | None = None,
        steering: Steering | None = None,
        *,
        progress: bool = False,
    ) -> list[str]:
        """The model's answers; see `Engine.generate`.

        A seed is sent where there is a temperature, and one of its own for each copy of a prompt;
        what a server makes of it is the server's. Batches of other people change what some servers
        compute in the last digits, so that equal calls may differ now and then.

        Args:
            conversations: `n` conversations, with images or without.
            sampling: How tokens are picked; greedy, 64 tokens by default.
            steering: Must be None.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `n` texts; empty where the server gave none, as when its safety filter stepped in.

        Raises:
            InputError: A sampling value is out of range, or an image cannot be read.
            EngineError: There is a steering, or the server cannot be reached, refuses or fails.
        """
        self._refuse_steering(steering)
        chosen = sampling or Sampling()
        check_sampling(chosen)
        before: Counter[Conversation] = Counter()
        requests = []
        for conversation in conversations:
            requests.append((conversation, chosen.seed + before[conversation]))
            before[conversation] += 1

        def request(item: tuple[Conversation, int]) -> str:
            return self._generated(item[0], chosen, item[1])

        return self._all(request, requests, "Generating", progress=progress)

    def token_logprobs(
        self,
        conversations: Sequence[Conversation],
        candidates: Sequence[str],
        steering: Steerings = None,
        *,
        progress: bool = False,
    ) -> Tensor:
        """Log-probability of each candidate; see `Engine.token_logprobs`.

        In a chat, candidates must be single tokens among the 20 likeliest, as `"Yes"` and `"No"`
        mostly are. In plain text they may be of any length, where the server echoes prompts with
        log-probabilities (vLLM, llama.cpp). What is not exact is an error, never a guess.

        Args:
            conversations: `n` conversations.
            candidates: `c` continuations.
            steering: Must be None.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n, c)` float64.

        Raises:
            InputError: There is no candidate, or an empty one.
            EngineError: There is a steering, the server returns none or no exact ones, or it fails.
        """
        self._refuse_steering(steering)
        if not candidates or "" in candidates:
            raise InputError("token_logprobs needs one candidate at least, and none empty.")

        def request(conversation: Conversation) -> list[float]:
            return self._logprobs(conversation, candidates)

        rows = self._all(request, conversations, "Scoring", progress=progress)
        return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), len(candidates))

    def capture(
        self,
        conversations: Sequence[Conversation],
        heads: HeadSet | None = None,
        *,
        progress: bool = False,
    ) -> HeadActivations:
        """Not possible on a server.

        Raises:
            EngineError: Always.
        """
        self._refuse("capture")

    def mask_losses(
        self,
        conversations: Sequence[Conversation],
        targets: Sequence[str],
        vectors: HeadVectors,
        masks: Tensor,
        *,
        target_tokens: int | None = 1,
        among: Sequence[str] | None = None,
        progress: bool = False,
    ) -> Tensor:
        """Not possible on a server.

        Raises:
            EngineError: Always.
        """
        self._refuse("mask_losses")

    def truncate(self, text: str, max_tokens: int) -> TruncatedText:
        """Not possible on a server, which does not say what its tokens are.

        Raises:
            EngineError: Always.
        """
        self._refuse("truncate")

    def _all(
        self, request: Any, items: Sequence[Any], description: str, *, progress: bool
    ) -> list[Any]:
        return run_all(
            request,
            items,
            at_once=self._concurrency,
            description=description,
            progress=progress,
        )

    def _generated(self, conversation: Conversation, sampling: Sampling, seed: int) -> str:
        common: dict[str, Any] = {
            "model": self._model,
            "temperature": sampling.temperature,
        }
        if sampling.temperature > 0:
            common |= {"top_p": sampling.top_p, "seed": seed}
        if sampling.stop:
            common["stop"] = list(sampling.stop[:MOST_STOPS])
        if conversation.messages:
            response = self._server.chat(
                messages=wire_messages(conversation, continues=self._continues_turns),
                **{self._token_limit: sampling.max_new_tokens},
                **common,
                **self._continuing(conversation),
            )
        else:
            response = self._server.complete(
                prompt=plain_prompt(conversation), max_tokens=sampling.max_new_tokens, **common
            )
        choice = self._choice_of(response)
        text = choice.message.content if conversation.messages else choice.text
        return cut_at_stop(text or "", sampling)

    def _logprobs(self, conversation: Conversation, candidates: Sequence[str]) -> list[float]:
        # At temperature 1 the distribution is the model's own, whether or not a server rescales.
        common: dict[str, Any] = {"model": self._model, "temperature": 1.0}
        if conversation.messages:
            response = self._server.chat(
                messages=wire_messages(conversation, continues=self._continues_turns),
                logprobs=True,
                top_logprobs=TOP_LOGPROBS,
                **{self._token_limit: 1},
                **common,
                **self._continuing(conversation),
            )
            self._choice_of(response)
            return first_token_logprobs(response, candidates)
        prompt, found = plain_prompt(conversation), []
        for candidate in candidates:
            # Some servers take 0 new tokens for "no limit"; the one that is made is not looked at.
            response = self._server.complete(
                prompt=prompt + candidate, echo=True, logprobs=1, max_tokens=1, **common
            )
            self._choice_of(response)
            found.append(continuation_logprob(response, prompt, candidate))
        return found

    def _continuing(self, conversation: Conversation) -> dict[str, Any]:
        if not conversation.prefill:
            return {}
        return {"extra_body": {"continue_final_message": True, "add_generation_prompt": False}}

    def _choice_of(self, response: Any) -> Any:
        """The answer in a response, whose tokens are counted."""
        if not getattr(response, "choices", None):
            raise EngineError(
                "The server's response has no answer in it; is base_url the address of an "
                "OpenAI-compatible server, with /v1 at the end?"
            )
        if response.usage is not None:
            with self._lock:
                self._usage += Usage(
                    response.usage.prompt_tokens or 0, response.usage.completion_tokens or 0
                )
        return response.choices[0]

    def _refuse_steering(self, steering: Steerings) -> None:
        if steering is not None:
            self._refuse("steering")

    def _refuse(self, verb: str) -> NoReturn:
        raise EngineError(
            f"A server shows and steers no attention heads, so {verb} cannot be had of "
            f"{self._model!r}. Load the model itself: the transformers engine (headwise.load) can."
        )
