"""Whether what is sent is protected on its way: by TLS, by a proxy that the operator names, or because it stays here."""

import ipaddress
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from starlette.types import Scope

from rice_stream.api.problems import ProblemError
from rice_stream.errors import UsageError
from rice_stream.runtime.loopback import is_loopback
from rice_stream.runtime.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The server's certificate, with those that lead to its issuer, and its key."""

    certificate: Path
    key: Path


def tls_files(settings: Settings) -> TlsFiles | None:
    """The files of the settings; None: served without TLS. UsageError: they cannot be used."""
    if settings.http_tls_certificate is None or settings.http_tls_key is None:
        return None
    files = TlsFiles(settings.http_tls_certificate, settings.http_tls_key)
    for name, path in (("RICE_HTTP_TLS_CERTIFICATE", files.certificate), ("RICE_HTTP_TLS_KEY", files.key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise UsageError(f"{name}: cannot read {path}: {error.strerror}") from error
    try:
        # The empty password: nobody is there to be asked for one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key, password="")
    except (ssl.SSLError, ValueError) as error:
        raise UsageError(
            f"RICE_HTTP_TLS_CERTIFICATE, RICE_HTTP_TLS_KEY: {files.certificate} and {files.key} are no certificate in PEM"
            f" and its key without a password ({error})"
        ) from error
    return files


def check_transport(settings: Settings) -> None:
    """UsageError: tokens and sessions would cross a network that anybody may listen on."""
    public, protected = settings.http_public_url, tls_files(settings) is not None
    if public is not None and urlsplit(public).scheme == "http" and not is_loopback(urlsplit(public).hostname or ""):
        raise UsageError(f"RICE_HTTP_PUBLIC_URL: must begin with https://, got {public}")
    if is_loopback(settings.http_host):
        return
    if not protected and not settings.http_trusted_proxies:
        raise UsageError(
            "RICE_HTTP_HOST: this address can be reached from other machines, so TLS is needed: set RICE_HTTP_TLS_CERTIFICATE"
            " and RICE_HTTP_TLS_KEY, or name the proxies before it that have TLS in RICE_HTTP_TRUSTED_PROXIES, or serve at"
            " 127.0.0.1"
        )
    if settings.oidc_client_id is not None and public is None:
        raise UsageError(
            "RICE_HTTP_PUBLIC_URL: is needed with RICE_OIDC_CLIENT_ID: where browsers come back to from the provider"
        )


def browsers_use_tls(settings: Settings) -> bool:
    """Whether browsers reach the server by https, so that cookies may be bound to that."""
    if settings.http_public_url is not None:
        return settings.http_public_url.startswith("https://")
    return settings.http_tls_certificate is not None or not is_loopback(settings.http_host)


class Peers:
    """Who may connect without TLS: this machine, and the proxies of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._any = settings.http_tls_certificate is not None or is_loopback(settings.http_host)
        self._proxies = [ipaddress.ip_network(text) for text in settings.http_trusted_proxies]

    def check(self, scope: Scope) -> None:
        """ProblemError 403: the request came without TLS, and not from a proxy that the settings name."""
        if self._any or self._trusted(scope.get("client")):
            return
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "this came neither with TLS nor by a proxy of RICE_HTTP_TRUSTED_PROXIES"
        )

    def _trusted(self, client: tuple[str, int] | None) -> bool:
        try:
            address = ipaddress.ip_address(client[0] if client else "")
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        address = mapped or address
        return address.is_loopback or any(address in network for network in self._proxies)
