"""The HTTP client for everything that calls other services: time limits, bounded replies, retries, no redirects."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import aiohttp
import stamina

_PIECE_BYTES = 64 * 1024
_FIRST_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What a call may cost.

    `timeout_s` bounds each try; no further one begins once that much time has passed in all. `tries` counts the first
    one; `pause_s` is the pause after it, and later pauses are longer.
    """

    timeout_s: float = 5.0
    tries: int = 3
    pause_s: float = 0.2
    reply_max_bytes: int = 4 * 1024 * 1024


class Reply(NamedTuple):
    """What the other side answered."""

    status: int
    body: bytes


class NoReplyError(Exception):
    """There is no answer that could be read; the message says why."""


class HttpClient:
    """Calls other services; `async with` opens and closes its connections.

    A connection that fails, a try that takes too long and an answer of 500 and above are tried again. Redirects are not
    followed: they would hand the access token to another host.
    """

    def __init__(self, limits: HttpLimits | None = None) -> None:
        self._limits = limits or HttpLimits()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # Proxies are those of the environment (HTTPS_PROXY).
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._limits.timeout_s), trust_env=True
        )
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """The answer to a GET, whatever its status. NoReplyError: there is none within the limits, or it is too large."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise NoReplyError(f"the address must begin with https:// or http://, got {parts.scheme!r}")
        limits = self._limits
        retries = stamina.retry_context(
            on=(aiohttp.ClientError, TimeoutError, _ServerError),
            attempts=limits.tries,
            timeout=limits.timeout_s,
            wait_initial=limits.pause_s,
            wait_jitter=limits.pause_s,
        )
        try:
            async for attempt in retries:
                with attempt:
                    return await self._get_once(url, headers)
        except _ServerError as error:
            return error.reply
        except (aiohttp.ClientError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            raise NoReplyError(f"{parts.netloc} could not be reached within {limits.timeout_s:g} s ({why})") from error
        raise AssertionError("stamina either returns or raises")

    async def _get_once(self, url: str, headers: Mapping[str, str]) -> Reply:
        if self._session is None:
            raise RuntimeError("the client is not open: use `async with`")
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
            body = bytearray()
            async for piece in response.content.iter_chunked(_PIECE_BYTES):
                body += piece
                if len(body) > self._limits.reply_max_bytes:
                    raise NoReplyError(f"the reply is larger than {self._limits.reply_max_bytes} bytes")
            reply = Reply(response.status, bytes(body))
        if reply.status >= _FIRST_SERVER_ERROR:
            raise _ServerError(reply)
        return reply


class _ServerError(Exception):
    def __init__(self, reply: Reply) -> None:
        super().__init__(f"answered {reply.status}")
        self.reply = reply
