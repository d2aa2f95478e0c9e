"""A real SMTP server on loopback, with a certificate and an account if wanted; keeps what it was handed."""

import ssl
from asyncio import Server
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class MailServer:
    """`refusals`: what is answered to a recipient; `to_data`: to the mail itself, where it is not taken."""

    port: int = 0
    mails: list[Envelope] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    users: list[str | None] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    to_data: str | None = None

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it by this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Whether there is such a recipient."""
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Whether the mail is taken."""
        if self.to_data is not None:
            return self.to_data
        self.mails.append(envelope)
        self.encrypted.append(session.ssl is not None)
        self.users.append(session.auth_data.decode() if isinstance(session.auth_data, bytes) else None)
        return "250 2.0.0 taken"


class _AnyPort(Controller):
    def _trigger_server(self) -> None:
        assert isinstance(self.server, Server)
        self.port = self.server.sockets[0].getsockname()[1]  # the one that the machine has chosen, which is asked now
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mail_server(
    tls: ssl.SSLContext | None = None, *, implicit: bool = False, account: tuple[str, str] | None = None
) -> Iterator[MailServer]:
    """Serves until the block ends. `tls`: its certificate, for STARTTLS or, with `implicit`, from the first byte on."""
    server = MailServer()

    def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: Any) -> AuthResult:
        given = isinstance(login, LoginPassword) and (login.login.decode(), login.password.decode()) == account
        return AuthResult(success=given, handled=given, auth_data=login.login if given else None)

    options: dict[str, Any] = {"ssl_context": tls} if implicit else {"tls_context": tls}
    if account is not None:
        options |= {
            "authenticator": authenticate,
            "auth_required": True,
            "auth_require_tls": tls is not None and not implicit,
        }
    controller = _AnyPort(server, hostname="127.0.0.1", port=0, **options)
    controller.start()
    try:
        server.port = controller.port
        yield server
    finally:
        controller.stop(no_assert=True)
