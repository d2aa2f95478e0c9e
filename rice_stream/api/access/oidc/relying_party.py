"""This server as one that relies on an OpenID provider: who a bearer of its tokens is, and signing in by browser."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from rice_stream.api.access.oidc.bearer import BadTokenError, Person, UnknownKeyError
from rice_stream.api.access.oidc.claims import ClaimRules
from rice_stream.api.access.oidc.key_book import KeyBook
from rice_stream.api.access.oidc.sign_in_secret import SignInSecret
from rice_stream.api.access.oidc.signing_keys import SigningKeys, parse_signing_keys
from rice_stream.api.access.oidc.verification import ID_TOKEN_TYPES, Expected, verified_claims
from rice_stream.feeds.identity_provider import CodeExchange, IdentityProvider, ProviderDocument, ProviderError

DEFAULT_SCOPES = ("openid", "profile", "email")
_NAMES = ("email", "preferred_username", "name")
_NAME_CHARACTERS_MAX = 100


@dataclass(frozen=True, slots=True)
class Client:
    """This server as the provider knows it; without `client_id` nobody signs in by browser, without `audience` no bearer."""

    issuer: str
    audience: str | None
    client_id: str | None
    client_secret: str | None
    scopes: tuple[str, ...] = DEFAULT_SCOPES

    def __repr__(self) -> str:
        return f"Client({self.issuer!r}, {self.client_id!r})"


class RelyingParty:
    """For one event loop."""

    def __init__(
        self,
        client: Client,
        rules: ClaimRules,
        provider: IdentityProvider,
        clock: Callable[[], float] = time.time,
        keys_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` is what tokens are held against, `keys_clock` tells how old the keys are; both in seconds."""
        self.client = client
        self.rules = rules
        self._provider = provider
        self._clock = clock
        self._document: ProviderDocument | None = None
        self._keys = KeyBook(self._fetch_keys, keys_clock)
        self._parties = frozenset(name for name in (client.client_id, client.audience) if name)

    async def bearer(self, token: str) -> Person:
        """Whom an access token is about. BadTokenError: it is none for us. KeysUnknownError: the provider is away."""
        if self.client.audience is None:
            raise BadTokenError("RICE_OIDC_AUDIENCE is not set, so no token of the provider is taken")
        return await self._person(token, Expected(self.client.issuer, self.client.audience, parties=self._parties))

    async def address(self, sign_in: SignInSecret, redirect_uri: str) -> str:
        """Where the browser signs in. ProviderError: the provider does not answer, or signs nobody in."""
        document = await self._known_document()
        if document.authorization_endpoint is None or self.client.client_id is None:
            raise ProviderError("the OpenID provider's document has no `authorization_endpoint`")
        parts = urlsplit(document.authorization_endpoint)
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.client.client_id,
                "redirect_uri": redirect_uri,
                "scope": " ".join(self.client.scopes),
                "state": sign_in.state,
                "nonce": sign_in.nonce,
                "code_challenge": sign_in.challenge,
                "code_challenge_method": "S256",
            }
        )
        return urlunsplit(parts._replace(query=f"{parts.query}&{query}" if parts.query else query, fragment=""))

    async def signed_in(self, sign_in: SignInSecret, code: str, redirect_uri: str) -> Person:
        """Who has signed in. BadTokenError: the provider's token is not for this sign-in. ProviderError: it gave none."""
        client_id = self.client.client_id or ""
        exchange = CodeExchange(code, sign_in.verifier, redirect_uri, client_id, self.client.client_secret)
        token = await self._provider.id_token(await self._known_document(), exchange)
        parties = frozenset({client_id})
        return await self._person(
            token, Expected(self.client.issuer, client_id, ID_TOKEN_TYPES, parties, sign_in.nonce)
        )

    async def _person(self, token: str, expected: Expected) -> Person:
        claims = await self._claims(token, expected)
        return Person(claims["sub"], _shown_name(claims), self.rules.groups_of(claims))

    async def _claims(self, token: str, expected: Expected) -> Mapping[str, Any]:
        keys = await self._keys.keys()
        try:
            return verified_claims(token, keys, expected, self._clock())
        except UnknownKeyError:
            newer = await self._keys.keys_after_rotation()
            if newer is None:
                raise
        return verified_claims(token, newer, expected, self._clock())

    async def _known_document(self) -> ProviderDocument:
        if self._document is None:
            self._document = await self._provider.document()
        return self._document

    async def _fetch_keys(self) -> SigningKeys:
        # With the keys: a provider may move them.
        self._document = await self._provider.document()
        return parse_signing_keys(await self._provider.keys(self._document))


def _shown_name(claims: Mapping[str, Any]) -> str:
    """A name for lists and logs, without what would break a line; who it is, the subject says."""
    for claim in _NAMES:
        text = claims.get(claim)
        if isinstance(text, str) and text.strip() and text.isprintable():
            return text.strip()[:_NAME_CHARACTERS_MAX]
    subject = str(claims["sub"])
    return subject[:_NAME_CHARACTERS_MAX] if subject.isprintable() else "unnamed"
