"""From a token to a person, beside a provider that changes its keys and moves them."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from rice_stream.api.access.oidc.bearer import BadTokenError, Person, UnknownKeyError
from rice_stream.api.access.oidc.claims import parse_claim_rules
from rice_stream.api.access.oidc.relying_party import Client, RelyingParty
from rice_stream.api.access.oidc.sign_in_secret import SignInSecret
from rice_stream.feeds.client import HttpLimits
from rice_stream.feeds.identity_provider import IdentityProvider, ProviderError
from tests.support.identity_provider import LocalProvider, local_provider
from tests.support.jwts import provider_key

RULES = parse_claim_rules({"groups": {"finance": {"role": "reader", "tenants": ["acme"]}}}, "claims.yaml")


class Party:
    """A relying party in a loop of its own, whose keys grow older as the test says."""

    def __init__(self, provider: LocalProvider, **changes: str | None) -> None:
        known = {"audience": "rice-api", "client_id": "rice", "client_secret": None, **changes}
        self.now_s = 1_000.0
        self._loop = asyncio.new_event_loop()
        self.made = RelyingParty(
            Client(issuer=provider.issuer, **known),  # type: ignore[arg-type]
            RULES,
            IdentityProvider(provider.issuer, HttpLimits(timeout_s=5.0, tries=1)),
            keys_clock=lambda: self.now_s,
        )

    def bearer(self, token: str) -> Person:
        return self._loop.run_until_complete(self.made.bearer(token))

    def address(self) -> str:
        return self._loop.run_until_complete(self.made.address(SignInSecret.new(None), "https://rice.example/cb"))

    def settle(self) -> None:
        """Let what goes on in the background come to its end."""

        async def others() -> None:
            await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

        self._loop.run_until_complete(others())

    def close(self) -> None:
        self.settle()
        self._loop.close()


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    with local_provider() as made:
        yield made


@pytest.fixture
def party(provider: LocalProvider) -> Iterator[Party]:
    made = Party(provider)
    yield made
    made.close()


def token(provider: LocalProvider, **said: Any) -> str:
    return provider.token(aud="rice-api", groups=["finance", "unknown"], **said)


def test_a_token_becomes_a_person_with_the_groups_that_count(party: Party, provider: LocalProvider) -> None:
    assert party.bearer(token(provider, email="ada@x.example")) == Person("248289761001", "ada@x.example", ("finance",))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"preferred_username": "ada"}, "ada"),
        ({"email": "  ", "name": "Ada L."}, "Ada L."),
        ({"email": "a\nb", "name": "\x1b[31mred"}, "248289761001"),
        ({"email": "x" * 500}, "x" * 100),
        ({"email": ["a"], "sub": "line\nbreak"}, "unnamed"),
    ],
)
def test_the_name_that_is_shown_fits_on_a_line(
    party: Party, provider: LocalProvider, said: dict[str, object], shown: str
) -> None:
    """It goes to logs and lists, and is the provider's users' own choice."""
    assert party.bearer(token(provider, **said)).name == shown


def test_a_provider_may_change_its_keys(party: Party, provider: LocalProvider) -> None:
    """The new key is fetched when a token first names it; the old one ends when it is not published any more."""
    before = token(provider)
    party.bearer(before)
    provider.keys = [provider_key("RS256", "k-2"), provider_key()]
    after = token(provider)
    with pytest.raises(UnknownKeyError):
        party.bearer(after)
    party.now_s += 60
    assert party.bearer(after).groups == ("finance",)
    assert party.bearer(before).groups == ("finance",), "published still"
    provider.keys = provider.keys[:1]
    party.now_s += 3_600
    party.bearer(after)
    party.settle()
    with pytest.raises(BadTokenError):
        party.bearer(before)
    assert provider.asked["/jwks"] == 3


def test_a_provider_may_move_its_keys(party: Party, provider: LocalProvider) -> None:
    party.bearer(token(provider))
    provider.document = {"jwks_uri": f"{provider.issuer}/jwks?moved"}
    provider.keys = [provider_key("RS256", "k-3")]
    party.now_s += 60
    assert provider.asked["/.well-known/openid-configuration"] == 1
    assert party.bearer(token(provider)).groups == ("finance",)
    assert provider.asked["/.well-known/openid-configuration"] == 2


def test_who_asks_for_no_audience_takes_no_bearer(provider: LocalProvider) -> None:
    party = Party(provider, audience=None)
    with pytest.raises(BadTokenError, match="RICE_OIDC_AUDIENCE"):
        party.bearer(token(provider))
    party.close()


def test_a_provider_that_signs_nobody_in_is_said_to_lack_the_address(party: Party, provider: LocalProvider) -> None:
    provider.document = {"authorization_endpoint": None}
    with pytest.raises(ProviderError, match="authorization_endpoint"):
        party.address()


def test_the_clients_secret_is_in_no_representation(provider: LocalProvider) -> None:
    assert "s3cret" not in repr(Client(provider.issuer, "rice-api", "rice", "s3cret"))
