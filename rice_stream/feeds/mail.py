"""The one place that hands in mail (SMTP), guarded as HTTP to receivers is: by the address of the connection itself.

Without `tls=none` in the address nothing is sent before the connection is encrypted, and the certificate is checked; in the clear
mail goes only to hosts that the operator allows.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress

import aiosmtplib

from rice_stream.channels.addresses import MailAddress, mail_address
from rice_stream.channels.answers import ANSWER_HEAD_BYTES_MAX, ReceiverAnswer
from rice_stream.channels.definition import MailMessage, Secrets
from rice_stream.feeds.addresses import ForbiddenAddressError, guarded_socket
from rice_stream.feeds.allowed_hosts import MAIL_PORTS, AllowedHosts
from rice_stream.feeds.receivers import TIMEOUT_S, said_of
from rice_stream.wording.plain_text import visible

_PERMANENT = 500
_QUIT_WITHIN_S = 1.0


class MailServers:
    """Hands mails in at the servers that may be reached."""

    def __init__(
        self, allowed: AllowedHosts, *, timeout_s: float = TIMEOUT_S, tls: ssl.SSLContext | None = None
    ) -> None:
        """`tls`: whom it trusts, by default whom this machine does. `timeout_s`: for a whole try."""
        self._allowed = allowed
        self._timeout_s = timeout_s
        self._tls = tls or ssl.create_default_context()

    async def send(self, message: MailMessage, secrets: Secrets) -> ReceiverAnswer:
        """What the server answered: it has the mail, or it has not.

        Where it takes the mail for some of the recipients only, and never will for the others, those get it and the answer
        says who does not. Where it may later, nobody gets it now: otherwise who does would get it again with each try.
        """
        place = mail_address(secrets.address or "")
        try:
            return await self._handed_in(message, place, secrets)
        except TimeoutError:
            return ReceiverAnswer(problem=f"no answer within {self._timeout_s:g} s")
        except ForbiddenAddressError as error:
            return ReceiverAnswer(problem=f"url: {error.strerror}")
        except socket.gaierror:
            return ReceiverAnswer(problem="the name of the mail server leads nowhere")
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error.code, error.message)
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            return ReceiverAnswer(problem=_why(error))

    async def _handed_in(self, message: MailMessage, place: MailAddress, secrets: Secrets) -> ReceiverAnswer:
        async with asyncio.timeout(self._timeout_s) as limit:
            connection = await self._connection(place)
            # The port is not named: the connection is there already.
            client = aiosmtplib.SMTP(
                hostname=place.host,
                port=None,
                sock=connection,
                use_tls=place.implicit_tls,
                start_tls=not (place.implicit_tls or place.plain),
                tls_context=self._tls,
                timeout=self._timeout_s,
                local_hostname="rice-stream",
            )
            try:
                try:
                    await client.connect()
                except BaseException:
                    connection.close()
                    raise
                if place.user is not None:
                    await client.login(place.user, secrets.keys[0] if secrets.keys else "")
                answer = await _submitted(client, message)
                limit.reschedule(None)  # it has the mail, whatever becomes of the rest
                with suppress(TimeoutError, aiosmtplib.SMTPException, OSError):
                    await client.quit(timeout=_QUIT_WITHIN_S)
                return answer
            finally:
                client.close()

    async def _connection(self, place: MailAddress) -> socket.socket:
        """To the first of the server's addresses that may be reached and answers."""
        refusal = self._allowed.refusal(place.host, ports=MAIL_PORTS, encrypted=not place.plain)
        make = guarded_socket(refusal)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        failure: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
        for info in found:
            try:
                made = make(info)
            except ForbiddenAddressError as error:
                failure = error
                continue
            try:
                made.settimeout(0)  # as the event loop wants it
                await loop.sock_connect(made, info[4])
            except OSError as error:
                failure = error
                made.close()
            except BaseException:  # a time limit
                made.close()
                raise
            else:
                return made
        raise failure


async def _submitted(client: aiosmtplib.SMTP, message: MailMessage) -> ReceiverAnswer:
    await client.mail(message.sender)
    refused: list[tuple[str, int, str]] = []
    for recipient in message.recipients:
        try:
            await client.rcpt(recipient)
        except aiosmtplib.SMTPRecipientRefused as error:
            refused.append((recipient, error.code, error.message))
    if len(refused) == len(message.recipients) or any(code < _PERMANENT for _, code, _ in refused):
        _, code, said = min(refused, key=lambda each: each[1])
        return _refused(code, said)
    response = await client.data(message.message)
    head = _head(response.message)
    if refused:
        head = _head(f"{head}; not for {_listed(refused)}")
    return ReceiverAnswer(status=response.code, head=head)


def _listed(refused: Sequence[tuple[str, int, str]]) -> str:
    return ", ".join(f"{recipient} ({code} {said})" for recipient, code, said in refused)


def _refused(code: int, said: str) -> ReceiverAnswer:
    # A code of -1 stands for none.
    return ReceiverAnswer(
        status=code if code > 0 else None, head=_head(said), problem=f"the mail server answered {code}"
    )


def _why(error: Exception) -> str:
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLError):
        return f"the mail server's certificate is not taken ({cause.reason or cause})"
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return "the mail server closed the connection"
    if isinstance(error, aiosmtplib.SMTPException):
        return visible(str(error)) or type(error).__name__
    return f"the mail server could not be reached ({said_of(error)})"


def _head(text: str) -> str:
    return visible(text)[:ANSWER_HEAD_BYTES_MAX]
