"""A connection that posts JSON, is patient with a server in trouble, and says what went wrong."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headwise.addresses import without_secrets
from headwise.errors import EngineError, InputError, MissingExtraError

_BUSY, _UNPROCESSABLE = 429, 422
_LONGEST_WAIT = 8.0
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server, and how often to try again.

    Args:
        timeout: Seconds that one try may take.
        max_retries: Tries after the first, where the server cannot be reached, does not answer in
            time, fails (5xx) or is too busy to begin (429); a refusal (another 4xx) is final.
        first_wait: Seconds before the second try; doubled each time, up to 8, or what the server
            asks for.

    Raises:
        InputError: A value is out of range.
    """

    timeout: float = 60.0
    max_retries: int = 4
    first_wait: float = 0.5

    def __post_init__(self) -> None:
        if not self.timeout > 0 or self.max_retries < 0 or self.first_wait < 0:
            raise InputError(
                "timeout is above 0, max_retries and first_wait are 0 at least; got "
                f"{self.timeout}, {self.max_retries} and {self.first_wait}."
            )


class Connection:
    """Posts to one address; may be used from many threads at once.

    Args:
        url: The address.
        headers: Headers of every request; what they hold is never shown.
        patience: How patient to be.
        hint: What to check where there is no such route, as a question.

    Raises:
        MissingExtraError: `httpx` is not installed.
    """

    def __init__(self, url: str, headers: Mapping[str, str], patience: Patience, hint: str) -> None:
        try:
            import httpx
        except ImportError as error:
            raise MissingExtraError("httpx", "http", "Asking a reward server") from error
        self._httpx = httpx
        self._url = url
        self._patience = patience
        self._hint = hint
        self._secrets = tuple(value.removeprefix("Bearer ") for value in headers.values())
        self._client = httpx.Client(headers=dict(headers), timeout=patience.timeout)
        self._shown = without_secrets(url)
        try:
            httpx.URL(url)
        except httpx.InvalidURL as error:
            raise InputError(f"The address {self._shown!r} is none: {error}.") from None

    def __repr__(self) -> str:
        return f"Connection({self._shown!r})"

    def post(
        self, body: Mapping[str, Any], is_reply: Callable[[object], bool] = lambda body: False
    ) -> object:
        """Posts a body and gives the reply, which is read as JSON.

        Args:
            body: What is sent.
            is_reply: Whether the body of a 422 is a reply all the same.

        Returns:
            The reply.

        Raises:
            EngineError: The server cannot be reached, refuses, failed at every try, or its reply
                is no JSON.
        """
        tries = self._patience.max_retries + 1
        for number in range(1, tries + 1):
            asked_wait = None
            try:
                response = self._client.post(self._url, json=dict(body))
            except self._httpx.TransportError as error:
                failure = self._unreachable(error, number)
            except self._httpx.HTTPError as error:
                raise EngineError(f"Asking {self._shown} failed: {self._clean(error)}") from None
            else:
                if response.is_success:
                    return self._json(response)
                if response.status_code == _UNPROCESSABLE and is_reply(_json_or_none(response)):
                    return self._json(response)
                failure = self._refusal(response, number)
                if response.status_code < 500 and response.status_code != _BUSY:
                    raise EngineError(failure)
                asked_wait = response.headers.get("retry-after")
            if number < tries:
                time.sleep(self._wait(number, asked_wait))
        raise EngineError(failure)

    def _wait(self, number: int, asked: str | None) -> float:
        if asked is not None and asked.isdigit():
            return min(float(asked), self._patience.timeout)
        longest = min(self._patience.first_wait * 2.0 ** (number - 1), _LONGEST_WAIT)
        # Clients that failed together should not come back together.
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret.

    def _json(self, response: Any) -> object:
        try:
            return response.json()
        except ValueError:
            raise EngineError(
                f"{self._shown} answered with no JSON: {self._clean(response.text)} {self._hint}"
            ) from None

    def _unreachable(self, error: Exception, number: int) -> str:
        if isinstance(error, self._httpx.TimeoutException):
            return (
                f"{self._shown} did not answer within {self._patience.timeout:g} s, tried {number} "
                "times. Give it more time (Patience(timeout=...)), or fewer requests at once "
                "(concurrency)."
            )
        return (
            f"{self._shown} cannot be reached, tried {number} times: {self._clean(error)} Is the "
            "server running, and is this its address?"
        )

    def _refusal(self, response: Any, number: int) -> str:
        status = response.status_code
        if status in (401, 403):
            way_out = "Is the key (api_key_variable) the one for this server?"
        elif status in (404, 405):
            way_out = self._hint
        elif status >= 500 or status == _BUSY:
            way_out = f"It was tried {number} times; try later, or with a lower concurrency."
        else:
            way_out = "The server refuses this request; is the form the one that it speaks?"
        return f"{self._shown} answered {status}: {self._clean(response.text)} {way_out}"

    def _clean(self, said: object) -> str:
        """What was said, on one line, not endless, and without the key."""
        text = " ".join(str(said).split()) or type(said).__name__
        for secret in self._secrets:
            text = text.replace(secret, "***")
        if len(text) > _SHOWN_CHARACTERS:
            text = f"{text[: _SHOWN_CHARACTERS - 3]}..."
        return text if text.endswith((".", "!", "?")) else f"{text}."


def _json_or_none(response: Any) -> object:
    try:
        return response.json()
    except ValueError:
        return None
