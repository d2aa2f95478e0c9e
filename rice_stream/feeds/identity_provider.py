"""An OpenID Connect provider over HTTP: its discovery document, its keys, and a code of a sign-in turned into an ID token.

Pure of what a token means: that is `rice_stream.api.access.oidc`. The provider's own address is the operator's word and may be
private; addresses that its document names elsewhere have to be public.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlsplit

from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.feeds.addresses import Reach, goes_by_proxy, names_loopback
from rice_stream.feeds.client import HttpClient, HttpLimits, NoReplyError, Reply

LIMITS = HttpLimits(timeout_s=5.0, tries=2, reply_max_bytes=512 * 1024)
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")


class ProviderError(ServiceUnavailableError):
    """The provider did not answer, or not as OpenID Connect says; the message names it and never holds a secret."""


class ProviderRefusedError(ProviderError):
    """The provider does not take the code of a sign-in."""


@dataclass(frozen=True, slots=True)
class ProviderDocument:
    """Where the provider does what (OpenID Connect Discovery 1.0)."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str | None
    token_endpoint: str | None
    takes_basic: bool
    """Whether a client shows its secret in a header (else in the form)."""


@dataclass(frozen=True, slots=True)
class CodeExchange:
    """What the token endpoint is told: the code, who asks, and the verifier that proves who began the sign-in (PKCE)."""

    code: str
    verifier: str
    redirect_uri: str
    client_id: str
    client_secret: str | None

    def __repr__(self) -> str:
        return f"CodeExchange(client_id={self.client_id!r})"


def check_issuer(issuer: str) -> None:
    """UsageError: no provider can be asked at this address."""
    parts = urlsplit(issuer)
    if parts.scheme == "https" and parts.hostname and not (parts.query or parts.fragment or parts.username):
        return
    if parts.scheme == "http" and names_loopback(issuer):
        return
    raise UsageError(
        "RICE_OIDC_ISSUER: must be https://HOST[/PATH] as the provider writes it in `iss` (http only for this machine),"
        f" got {issuer!r}"
    )


class IdentityProvider:
    """Asks one provider. Every method raises ProviderError where it does not answer as it should."""

    def __init__(self, issuer: str, limits: HttpLimits = LIMITS) -> None:
        self._issuer = issuer
        self._limits = limits

    async def document(self) -> ProviderDocument:
        """The discovery document, with addresses that may be asked."""
        found = await self._get_object(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self._issuer:
            raise ProviderError(
                f"RICE_OIDC_ISSUER: {self._issuer} calls itself {found.get('issuer')!r}; write it exactly like that"
            )
        methods = found.get("token_endpoint_auth_methods_supported")
        return ProviderDocument(
            issuer=self._issuer,
            jwks_uri=self._address(found, "jwks_uri") or self._lacks("jwks_uri"),
            authorization_endpoint=self._address(found, "authorization_endpoint"),
            token_endpoint=self._address(found, "token_endpoint"),
            takes_basic=not isinstance(methods, list)
            or "client_secret_basic" in methods
            or "client_secret_post" not in methods,
        )

    async def keys(self, document: ProviderDocument) -> list[Any]:
        """The entries of its JWKS document."""
        entries = (await self._get_object(document.jwks_uri)).get("keys")
        if not isinstance(entries, list):
            raise ProviderError(f"{document.jwks_uri} has no list `keys`")
        return entries

    async def id_token(self, document: ProviderDocument, exchange: CodeExchange) -> str:
        """The ID token for a code. ProviderRefusedError: the code is not taken."""
        endpoint = document.token_endpoint or self._lacks("token_endpoint")
        form = {
            "grant_type": "authorization_code",
            "code": exchange.code,
            "redirect_uri": exchange.redirect_uri,
            "code_verifier": exchange.verifier,
            "client_id": exchange.client_id,
        }
        headers = {"Accept": "application/json"}
        if exchange.client_secret is not None and document.takes_basic:
            # Each half is written as in a form before they are put together (RFC 6749, 2.3.1).
            pair = f"{quote_plus(exchange.client_id)}:{quote_plus(exchange.client_secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        elif exchange.client_secret is not None:
            form["client_secret"] = exchange.client_secret
        async with self._client(endpoint) as http:
            try:
                reply = await http.post_form(endpoint, form, headers)
            except NoReplyError as error:
                raise ProviderError(f"the OpenID provider: {error}") from error
        if 400 <= reply.status < 500:
            raise ProviderRefusedError(f"the OpenID provider does not take the sign-in ({_error_code(reply)})")
        token = self._object(reply, endpoint).get("id_token")
        if not isinstance(token, str):
            raise ProviderError(f"{endpoint} answered without `id_token`")
        return token

    def _client(self, url: str) -> HttpClient:
        reach = Reach.LOOPBACK if names_loopback(self._issuer) else self._reach(url)
        return HttpClient(self._limits, None if goes_by_proxy(url) else reach)

    def _reach(self, url: str) -> Reach:
        same_host = urlsplit(url).hostname == urlsplit(self._issuer).hostname
        return Reach.INTERNAL if same_host else Reach.PUBLIC

    async def _get_object(self, url: str) -> Mapping[str, Any]:
        async with self._client(url) as http:
            try:
                reply = await http.get(url, {"Accept": "application/json"})
            except NoReplyError as error:
                raise ProviderError(f"the OpenID provider: {error}") from error
        return self._object(reply, url)

    def _object(self, reply: Reply, url: str) -> Mapping[str, Any]:
        if reply.status != 200:
            raise ProviderError(f"{url} answered {reply.status}")
        try:
            found = json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            raise ProviderError(f"{url} did not answer with JSON") from error
        if not isinstance(found, dict):
            raise ProviderError(f"{url} did not answer with a JSON object")
        return found

    def _address(self, found: Mapping[str, Any], name: str) -> str | None:
        """An address of the document. ProviderError: what is sent there would not be protected."""
        url = found.get(name)
        if url is None:
            return None
        protected = isinstance(url, str) and urlsplit(url).scheme == "https"
        local = isinstance(url, str) and names_loopback(url) and names_loopback(self._issuer)
        if not isinstance(url, str) or not (protected or (local and urlsplit(url).scheme == "http")):
            raise ProviderError(f"the OpenID provider's `{name}` must begin with https://")
        return url

    def _lacks(self, name: str) -> str:
        raise ProviderError(f"the OpenID provider's document has no `{name}`")


def _error_code(reply: Reply) -> str:
    """OAuth's word for what is wrong; never the description, which may hold what was sent."""
    try:
        found = json.loads(reply.body)
    except (ValueError, RecursionError):
        return str(reply.status)
    code = found.get("error") if isinstance(found, dict) else None
    return code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else str(reply.status)
