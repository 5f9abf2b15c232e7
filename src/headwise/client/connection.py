"""The connection to a server: key, retries, and refusals as headwise's own errors."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from headwise.client.retries import SAFE_STATUSES, Patience
from headwise.errors import EngineError, InputError, MissingExtraError

if TYPE_CHECKING:
    import httpx

JSONObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and how patient to be with it.

    Args:
        url: Its address, such as `"http://localhost:8000"`.
        api_key_variable: The environment variable that holds the key, where the server wants one.
            The key itself is never an argument, so that it is in no pickle, log or history.
        patience: How often and how long to try.

    Raises:
        InputError: The address is none.
    """

    url: str
    api_key_variable: str = "HEADWISE_API_KEY"
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise InputError(
                f"A server's address begins with http:// or https://; got {self.url!r}."
            )
        object.__setattr__(self, "url", self.url.rstrip("/"))

    def headers(self) -> dict[str, str]:
        """What every request says of itself."""
        key = os.environ.get(self.api_key_variable, "").strip()
        return {"Authorization": f"Bearer {key}"} if key else {}


def require_httpx() -> ModuleType:
    """The module `httpx`.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import httpx
    except ImportError as error:
        raise MissingExtraError("httpx", "http", "A client of headwise serve") from error
    return httpx


class Connection:
    """A connection that waits for each answer.

    Args:
        address: The server.
        transport: What carries requests; the network where None.
    """

    def __init__(self, address: Address, transport: Any = None) -> None:
        self._httpx = require_httpx()
        self._address = address
        self._client: httpx.Client = self._httpx.Client(
            base_url=address.url,
            headers=address.headers(),
            timeout=address.patience.timeout,
            transport=transport,
        )

    def call(self, method: str, path: str, body: JSONObject | None = None) -> JSONObject:
        """Sends a request, again where that is safe.

        Args:
            method: GET or POST.
            path: The route.
            body: What is sent as JSON.

        Returns:
            The answer, an object of JSON.

        Raises:
            InputError: The server refuses the request.
            EngineError: It cannot be reached, or has no answer after every try.
        """
        patience = self._address.patience
        for attempt in range(patience.max_retries + 1):
            try:
                response = self._client.request(method, path, json=body)
            except self._httpx.ReadTimeout as error:
                raise _too_slow(self._address) from error
            except self._httpx.TransportError as error:
                if attempt == patience.max_retries:
                    raise _unreachable(self._address, error) from error
                time.sleep(patience.wait(attempt))
                continue
            if response.status_code not in SAFE_STATUSES or attempt == patience.max_retries:
                break
            time.sleep(patience.wait(attempt, response.headers))
        return _read(response, self._address)

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()


class AsyncConnection:
    """As `Connection`, for many requests at once.

    Args:
        address: The server.
        transport: What carries requests; the network where None.
    """

    def __init__(self, address: Address, transport: Any = None) -> None:
        self._httpx = require_httpx()
        self._address = address
        self._client: httpx.AsyncClient = self._httpx.AsyncClient(
            base_url=address.url,
            headers=address.headers(),
            timeout=address.patience.timeout,
            transport=transport,
        )

    async def call(self, method: str, path: str, body: JSONObject | None = None) -> JSONObject:
        """Sends a request, again where that is safe; see `Connection.call`."""
        patience = self._address.patience
        for attempt in range(patience.max_retries + 1):
            try:
                response = await self._client.request(method, path, json=body)
            except self._httpx.ReadTimeout as error:
                raise _too_slow(self._address) from error
            except self._httpx.TransportError as error:
                if attempt == patience.max_retries:
                    raise _unreachable(self._address, error) from error
                await asyncio.sleep(patience.wait(attempt))
                continue
            if response.status_code not in SAFE_STATUSES or attempt == patience.max_retries:
                break
            await asyncio.sleep(patience.wait(attempt, response.headers))
        return _read(response, self._address)

    async def close(self) -> None:
        """Closes the connection."""
        await self._client.aclose()


def _read(response: httpx.Response, address: Address) -> JSONObject:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise EngineError(
            f"{address.url} answered {response.status_code} with something that is no JSON "
            "object. Is it the address of headwise serve?"
        )
    # Where no item at all could be scored, the refusal says of each why.
    if response.is_success or (response.status_code == 422 and "errors" in body):
        return body
    raise _refusal(response.status_code, body, address)


def _refusal(status: int, body: JSONObject, address: Address) -> Exception:
    told = body.get("error", body)
    message = told.get("message", told) if isinstance(told, Mapping) else told
    text = f"The server answered {status}: {str(message)[:500]}"
    if status in (401, 403):
        return EngineError(f"{text} The key is read from {address.api_key_variable}.")
    if status in SAFE_STATUSES:
        tries = address.patience.max_retries + 1
        return EngineError(f"{text} It was tried {tries} times; try later, or send less at once.")
    return EngineError(text) if status >= 500 else InputError(text)


def _too_slow(address: Address) -> EngineError:
    return EngineError(
        f"{address.url} did not answer within {address.patience.timeout:g} s. Give it more time "
        "(timeout), or send fewer items at once (items_per_request)."
    )


def _unreachable(address: Address, error: Exception) -> EngineError:
    tries = address.patience.max_retries + 1
    return EngineError(
        f"{address.url} cannot be reached, tried {tries} times: "
        f"{str(error) or type(error).__name__}. Is it running?"
    )
