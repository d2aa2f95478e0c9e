"""The HTTP client for everything that calls other services: time limits, bounded replies, retries, no redirects, and
where wanted a limit on the addresses that it connects to."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

from rice_stream.feeds.addresses import Reach, checked_socket

if TYPE_CHECKING:
    import aiohttp  # not at the start of a server that may never call anybody

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

    def __init__(self, limits: HttpLimits | None = None, reach: Reach | None = None) -> None:
        """`reach`: which addresses it may connect to; None: any."""
        self._limits = limits or HttpLimits()
        self._reach = reach
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        import aiohttp

        # Proxies are those of the environment (HTTPS_PROXY).
        self._session = aiohttp.ClientSession(
            connector=None if self._reach is None else aiohttp.TCPConnector(socket_factory=checked_socket(self._reach)),
            timeout=aiohttp.ClientTimeout(total=self._limits.timeout_s),
            trust_env=True,
        )
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """The answer to a GET, whatever its status. NoReplyError: there is none within the limits, or it is too large."""
        return await self._asked(self._limits.tries, "GET", url, headers, None)

    async def post_form(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        """The answer to a form that is sent once, whatever its status. NoReplyError: as for `get`."""
        return await self._asked(1, "POST", url, headers, form)

    async def _asked(
        self, tries: int, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Reply:
        import aiohttp
        import stamina

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise NoReplyError(f"the address must begin with https:// or http://, got {parts.scheme!r}")
        limits = self._limits
        retries = stamina.retry_context(
            on=(aiohttp.ClientError, TimeoutError, _ServerError),
            attempts=tries,
            timeout=limits.timeout_s,
            wait_initial=limits.pause_s,
            wait_jitter=limits.pause_s,
        )
        try:
            async for attempt in retries:
                with attempt:
                    return await self._ask_once(method, url, headers, form)
        except _ServerError as error:
            return error.reply
        except (aiohttp.ClientError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            raise NoReplyError(f"{parts.netloc} could not be reached within {limits.timeout_s:g} s ({why})") from error
        raise AssertionError("stamina either returns or raises")

    async def _ask_once(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Reply:
        if self._session is None:
            raise RuntimeError("the client is not open: use `async with`")
        asked = self._session.request(method, url, headers=headers, data=form, allow_redirects=False)
        async with asked as response:
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
