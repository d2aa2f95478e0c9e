"""`rice-stream serve`."""

import asyncio
import logging
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import click

from rice_stream.cli.base import Session, loading, pass_session
from rice_stream.errors import UsageError
from rice_stream.runtime.logs import configure_logging
from rice_stream.runtime.settings.settings import Settings

if TYPE_CHECKING:
    from rice_stream.api.access.sign_in_link import SignInLink

log = logging.getLogger(__name__)

_BACKLOG = 512
_CHECK_TIMEOUT_S = 10.0


@click.command()
@pass_session
def serve(session: Session) -> None:
    """Serve HTTP: take events and put them on Kafka, and answer with totals and records; until SIGTERM or SIGINT.

    POST /v1/events takes JSON in any format that the worker reads, POST /v1/traces and /v1/logs take OTLP/HTTP. An
    answer of 2xx means that the broker has the events; prompts and answers are left out at the door. On loopback it
    prints a link, with which a browser is signed in as admin, once. Beside that it sends alerts to channels, signs
    checkpoints of the audit trail, and restates and closes what was ordered over HTTP.

    Example: RICE_HTTP_PORT=8080 rice-stream serve
    """
    with loading():
        from rice_stream.api.access.sign_on import make_sign_on
        from rice_stream.api.app import create_app, make_admission
        from rice_stream.api.ingestion.publishing import Publisher
        from rice_stream.api.limits import check_token
        from rice_stream.api.metrics import ServerMetrics
        from rice_stream.api.product import Product
        from rice_stream.api.server import serve_until_stopped
        from rice_stream.api.transport import check_transport, tls_files
        from rice_stream.runtime.channels_file import following_channels_file
        from rice_stream.runtime.following_rules import following_formats
        from rice_stream.runtime.opening_api import check_login
        from rice_stream.runtime.opening_delivery import delivering
        from rice_stream.runtime.opening_tracing import open_tracing
        from rice_stream.runtime.server_chores import server_chores

    settings = session.settings
    configure_logging(settings)
    check_token(settings)
    check_transport(settings)
    check_login(settings)
    product = Product(settings)
    sign_on = make_sign_on(settings, product.engine)
    admission = make_admission(settings, sign_on.people)
    asyncio.run(admission.check_start())
    tls = tls_files(settings)
    metrics = ServerMetrics()
    with (
        open_tracing("rice-stream-serve") as tracing,
        closing(_listen(settings)) as listener,
        following_formats(settings) as formats_now,
        following_channels_file(settings),
        delivering(settings, metrics, chores=server_chores(settings)),
    ):
        publisher = Publisher(settings)
        try:
            publisher.check(_CHECK_TIMEOUT_S)
            host, port = listener.getsockname()[:2]
            base_url = f"http{'' if tls is None else 's'}://{f'[{host}]' if ':' in host else host}:{port}"
            log.info("taking events at %s for topic %s", base_url, publisher.topic)
            _print_link(settings, sign_on.link, base_url)
            with loading():
                app = create_app(settings, publisher, admission, formats_now, product, sign_on, metrics, tracing)
            with app.state.warming():
                serve_until_stopped(app, listener, tls)
        finally:
            publisher.close()
            product.close()


def _print_link(settings: Settings, link: "SignInLink | None", base_url: str) -> None:
    """Printed and not logged: whoever reads the logs later must not have it."""
    from rice_stream.api.access.sign_in_link import LIVES_S
    from rice_stream.runtime.opening import database_exists

    if link is None:
        return
    if not database_exists(settings):
        log.info("nobody can sign in by browser: RICE_DATABASE_URL names no database yet; run `rice-stream migrate`")
        return
    click.echo(
        f"Sign in as admin, once, within {LIVES_S / 60:g} minutes: {link.url(settings.http_public_url or base_url)}"
    )


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.http_host, settings.http_port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UsageError(
            f"RICE_HTTP_PORT: cannot listen on {host}:{port} ({error.strerror}); choose another"
        ) from error
