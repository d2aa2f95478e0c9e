"""The one place that speaks HTTP to the receivers of alerts.

Where a delivery goes is somebody's entry in a form, so what is guarded is the address of the connection itself: a name that leads
elsewhere between look-up and connection gains nothing. Every delivery has a connection of its own: one that was kept may be
dead by then, and nobody would know whether the receiver has the message.
"""

import asyncio
import os
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from rice_stream.channels.answers import ANSWER_HEAD_BYTES_MAX, ReceiverAnswer
from rice_stream.channels.definition import HttpMessage
from rice_stream.feeds.addresses import ForbiddenAddressError, guarded_socket
from rice_stream.feeds.allowed_hosts import HTTP_PORTS, AllowedHosts
from rice_stream.wording.plain_text import visible

TIMEOUT_S = 15.0
"""For a whole try, from the look-up of the name to the answer."""
_BODY_SHARE = 0.1
"""Of that time, for what comes after the status. It is only shown: what says whether the message was taken is the status."""
_RETRY_AFTER_MAX_S = 86_400.0
_OK, _REDIRECT, _CLIENT_ERROR = 200, 300, 400
_USER_AGENT = "rice-stream"


class Receivers:
    """Sends messages to the receivers that may be reached."""

    def __init__(
        self,
        allowed: AllowedHosts,
        *,
        timeout_s: float = TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """`tls`: whom it trusts, by default whom this machine does; `resolver`: who looks up names, by default this machine."""
        self._allowed = allowed
        self._timeout_s = timeout_s
        self._tls = tls or ssl.create_default_context()
        self._resolver = resolver

    async def post(self, message: HttpMessage) -> ReceiverAnswer:
        """What the receiver answered. A redirect is not followed: it would hand the message to somebody else."""
        try:
            url = URL(message.url)
        except ValueError:
            return _not_sent("url: is no address")  # not repeated: it may be a secret
        if url.scheme not in ("http", "https") or not url.host or url.user is not None or url.password is not None:
            return _not_sent(
                "url: must begin with https:// or http:// and a host, without a name or password before it"
            )
        try:
            async with asyncio.timeout(self._timeout_s), self._session(url) as session:
                return await self._asked(session, url, message)
        except TimeoutError:
            return _not_sent(f"no answer within {self._timeout_s:g} s")
        except ForbiddenAddressError as error:
            return _not_sent(f"url: {error.strerror}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _not_sent(_why(error))

    def _session(self, url: URL) -> aiohttp.ClientSession:
        refusal = self._allowed.refusal(url.raw_host or "", ports=HTTP_PORTS, encrypted=url.scheme == "https")
        connector = aiohttp.TCPConnector(
            socket_factory=guarded_socket(refusal),
            ssl=self._tls,
            resolver=self._resolver,
            use_dns_cache=False,
            force_close=True,
        )
        return aiohttp.ClientSession(
            connector=connector, trust_env=False, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
        )

    async def _asked(self, session: aiohttp.ClientSession, url: URL, message: HttpMessage) -> ReceiverAnswer:
        headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **message.headers}
        # A response is closed with what was not read of it: `async with` would wait for the rest of a short one.
        response = await session.post(url, data=message.body, headers=headers, allow_redirects=False)
        try:
            head = await _head_of(response, self._timeout_s * _BODY_SHARE)
        finally:
            response.close()
        status = response.status
        return ReceiverAnswer(
            status=status,
            head=head,
            retry_after_s=None if _OK <= status < _REDIRECT else _retry_after_s(response.headers.get("Retry-After")),
            problem=_problem(status),
        )


async def _head_of(response: aiohttp.ClientResponse, within_s: float) -> str:
    """The beginning of the answer, as far as it comes soon; as text that can be stored and shown."""
    head = bytearray()
    try:
        async with asyncio.timeout(within_s):
            while len(head) < ANSWER_HEAD_BYTES_MAX:
                piece = await response.content.read(ANSWER_HEAD_BYTES_MAX - len(head))
                if not piece:
                    break
                head += piece
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass  # the status has come, and counts
    return visible(bytes(head).decode("utf-8", "replace"))[:ANSWER_HEAD_BYTES_MAX]


def _problem(status: int) -> str | None:
    if _OK <= status < _REDIRECT:
        return None
    if _REDIRECT <= status < _CLIENT_ERROR:
        return f"it answered {status}, a redirect, which is not followed: set the address that it leads to"
    return f"it answered {status}"


def _retry_after_s(value: str | None) -> float | None:
    """Of `Retry-After`: seconds, or a date (RFC 9110, 10.2.3); None where it says neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:10]), _RETRY_AFTER_MAX_S)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return min(max(0.0, (at - datetime.now(UTC)).total_seconds()), _RETRY_AFTER_MAX_S)


def _why(error: Exception) -> str:
    """What went wrong, without the address, which may be a secret."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ForbiddenAddressError):
        return f"url: {cause.strerror}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return f"the receiver's certificate is not taken ({error.os_error.strerror or error.os_error})"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name leads nowhere"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection without an answer"
    if isinstance(error, aiohttp.ClientResponseError):
        return "what it answered is no HTTP"
    return f"it could not be reached ({said_of(cause)})"


def said_of(error: BaseException) -> str:
    """What the machine says of an error, without addresses."""
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return (
        str(error) if type(error) is OSError else type(error).__name__
    )  # several addresses, each with an error of its own


def _not_sent(problem: str) -> ReceiverAnswer:
    return ReceiverAnswer(problem=problem)
