"""The connection to a server: keys from the environment, retries, and errors in words."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headwise.errors import EngineError, InputError, MissingExtraError

_NO_KEY = "none"


@dataclass(frozen=True, slots=True)
class ServerChoice:
    """Which server, and how patient to be with it.

    Args:
        base_url: Its address, with `/v1`; `$OPENAI_BASE_URL`, or OpenAI's own, where None.
        api_key_variable: The environment variable that holds the key. The key itself is never an
            argument, so that it is in no artifact, log or history of a shell.
        timeout: Seconds that one try may take.
        max_retries: Tries after the first, where the server is busy (429), fails (5xx), does not
            answer in time or cannot be reached; the wait doubles from half a second to 8, or is
            what the server asks for.

    Raises:
        InputError: The timeout or the number of retries is none.
    """

    base_url: str | None = None
    api_key_variable: str = "OPENAI_API_KEY"
    timeout: float = 120.0
    max_retries: int = 5

    def __post_init__(self) -> None:
        if not self.timeout > 0 or self.max_retries < 0:
            raise InputError(
                f"timeout is above 0 and max_retries 0 at least; got {self.timeout} and "
                f"{self.max_retries}."
            )

    @property
    def chosen_url(self) -> str | None:
        """The address that is named, here or in the environment."""
        return self.base_url or os.environ.get("OPENAI_BASE_URL") or None

    @property
    def url_hash(self) -> str:
        """What tells servers apart without saying where they are."""
        return hashlib.sha256((self.chosen_url or "").encode()).hexdigest()[:16]


class Server:
    """A connection to a server.

    Args:
        choice: Which server.

    Raises:
        MissingExtraError: The package `openai` is not installed.
        EngineError: No server is named and there is no key for OpenAI's own.
    """

    def __init__(self, choice: ServerChoice) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingExtraError(
                "openai", "openai", "Running models on an OpenAI-compatible server"
            ) from error
        key = os.environ.get(choice.api_key_variable, "").strip()
        if not key and choice.chosen_url is None:
            raise EngineError(
                f"There is no key in the environment variable {choice.api_key_variable}, and no "
                "server is named. Set it, or name a server of your own: base_url (on the command "
                "line: --base-url http://localhost:8000/v1)."
            )
        self._openai = openai
        self._key = key
        self._choice = choice
        self._client = openai.OpenAI(
            base_url=choice.chosen_url,
            # Servers of one's own mostly ask for none, but the client does.
            api_key=key or _NO_KEY,
            timeout=choice.timeout,
            max_retries=choice.max_retries,
        )

    def chat(self, **request: Any) -> Any:
        """Asks for the next turn of a chat; see `_said` for the errors."""
        return self._said(lambda: self._client.chat.completions.create(**request))

    def complete(self, **request: Any) -> Any:
        """Asks for what follows a text; see `_said` for the errors."""
        return self._said(lambda: self._client.completions.create(**request))

    def _said(self, call: Callable[[], Any]) -> Any:
        """Makes a call.

        Raises:
            EngineError: The server cannot be reached, refuses, or failed at every try.
        """
        tries = self._choice.max_retries + 1
        try:
            return call()
        except self._openai.APITimeoutError as error:
            raise EngineError(
                f"The server did not answer within {self._choice.timeout:g} s, tried {tries} "
                "times. Give it more time (timeout), or fewer requests at once (concurrency)."
            ) from self._without_key(error)
        except self._openai.APIConnectionError as error:
            raise EngineError(
                f"The server cannot be reached, tried {tries} times: {self._clean(error)} Is it "
                "running, and is base_url its address, with /v1 at the end?"
            ) from self._without_key(error)
        except self._openai.APIStatusError as error:
            raise EngineError(self._refusal(error, tries)) from self._without_key(error)
        except self._openai.OpenAIError as error:
            raise EngineError(
                f"The server's answer cannot be understood: {self._clean(error)}"
            ) from self._without_key(error)

    def _refusal(self, error: Any, tries: int) -> str:
        status, reason = error.status_code, self._clean(_reason_of(error))
        if status in (401, 403):
            way_out = f"Is the key in {self._choice.api_key_variable} the one for this server?"
        elif status == 404:
            way_out = "Is the model's name right, and does base_url end in /v1?"
        elif status == 429 or status >= 500:
            way_out = f"It was tried {tries} times; try later, or with a lower concurrency."
        elif "max_completion_tokens" in reason:
            way_out = "For this model: OpenAIEngine(..., token_limit='max_completion_tokens')."
        else:
            way_out = "The server refuses this request; try what it says."
        return f"The server answered {status}: {reason} {way_out}"

    def _clean(self, error: object) -> str:
        """What an error says, on one line, not endless, and without the key."""
        text = " ".join(str(error).split()) or type(error).__name__
        if self._key:
            text = text.replace(self._key, "***")
        text = text if len(text) <= 300 else text[:297] + "..."
        return text if text.endswith((".", "!", "?")) else f"{text}."

    def _without_key(self, error: BaseException) -> BaseException | None:
        """The error as a cause; None where its text or request would show the key."""
        return None if self._key else error


def _reason_of(error: Any) -> object:
    """What the server says of a refusal, where it says more than a number."""
    body = error.body
    for name in ("error", "message", "detail"):
        body = body.get(name, body) if isinstance(body, dict) else body
    # OpenAI's own servers say it in a form that the client puts into its message.
    return body if isinstance(body, str) and body.strip() else error
