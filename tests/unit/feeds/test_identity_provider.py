"""What an OpenID provider is asked, what of its answers is believed, and where no call goes."""

import asyncio
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from rice_stream.errors import UsageError
from rice_stream.feeds.client import HttpLimits
from rice_stream.feeds.identity_provider import (
    CodeExchange,
    IdentityProvider,
    ProviderDocument,
    ProviderError,
    ProviderRefusedError,
    check_issuer,
)
from tests.support.identity_provider import LocalProvider, local_provider

QUICK = HttpLimits(timeout_s=2.0, tries=1, reply_max_bytes=10_000)
EXCHANGE = CodeExchange("the-code", "the-verifier", "https://rice.example/auth/callback", "rice:1", "s3cret /&")


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    """One that answers."""
    with local_provider() as made:
        yield made


def ask(provider: LocalProvider, question: Callable[[IdentityProvider, ProviderDocument], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        asked = IdentityProvider(provider.issuer, QUICK)
        return await question(asked, await asked.document())

    return asyncio.run(run())


async def the_document(_provider: IdentityProvider, document: ProviderDocument) -> ProviderDocument:
    return document


@pytest.mark.parametrize(
    "issuer", ["https://id.example", "https://id.example/realms/main/", "http://localhost:9000", "http://127.0.0.1:1/x"]
)
def test_an_issuer_has_tls_or_is_this_machine(issuer: str) -> None:
    check_issuer(issuer)


@pytest.mark.parametrize(
    "issuer",
    ["http://id.example", "id.example", "", "https://", "ftp://id.example", "https://u:p@id.example", "https://a/?b=c"],
)
def test_other_issuers_are_refused_at_the_start(issuer: str) -> None:
    with pytest.raises(UsageError, match="RICE_OIDC_ISSUER"):
        check_issuer(issuer)


def test_the_document_says_where_to_ask(provider: LocalProvider) -> None:
    document = ask(provider, the_document)
    assert document.jwks_uri == f"{provider.issuer}/jwks"
    assert document.takes_basic
    keys = ask(provider, lambda asked, found: asked.keys(found))
    assert [key["kid"] for key in keys] == ["k-1"]


def test_a_document_of_another_issuer_is_not_believed(provider: LocalProvider) -> None:
    """To the letter: what calls itself otherwise signs otherwise."""
    for issuer in (f"{provider.issuer}/", "https://attacker.example", None):
        provider.document = {"issuer": issuer}
        with pytest.raises(ProviderError, match=r"RICE_OIDC_ISSUER: .* calls itself"):
            ask(provider, the_document)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("jwks_uri", "http://id.example/jwks"),
        ("token_endpoint", "http://10.0.0.1/token"),
        ("jwks_uri", "file:///etc/passwd"),
        ("authorization_endpoint", "javascript:alert(1)"),
        ("jwks_uri", 7),
    ],
)
def test_addresses_without_tls_are_not_asked(provider: LocalProvider, name: str, url: object) -> None:
    provider.document = {name: url}
    with pytest.raises(ProviderError, match=f"`{name}` must begin with https://"):
        ask(provider, the_document)


def test_a_document_without_keys_or_token_endpoint_is_said_to_lack_them(provider: LocalProvider) -> None:
    provider.document = {"jwks_uri": None}
    with pytest.raises(ProviderError, match="has no `jwks_uri`"):
        ask(provider, the_document)
    provider.document = {"token_endpoint": None}
    with pytest.raises(ProviderError, match="has no `token_endpoint`"):
        ask(provider, lambda asked, found: asked.id_token(found, EXCHANGE))


@pytest.mark.parametrize(
    "elsewhere", ["https://10.0.0.1/jwks", "https://169.254.169.254/jwks", "https://[fd00::1]/jwks"]
)
def test_a_provider_cannot_send_the_server_to_other_machines_within(provider: LocalProvider, elsewhere: str) -> None:
    """One on this machine stays on it."""
    provider.document = {"jwks_uri": elsewhere}
    with pytest.raises(ProviderError, match="is not one of the addresses of this machine"):
        ask(provider, lambda asked, found: asked.keys(found))


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:1/jwks", "https://10.0.0.1/jwks", "https://id.internal@10.0.0.1/jwks"]
)
def test_a_provider_elsewhere_is_held_to_public_addresses(url: str) -> None:
    document = ProviderDocument("https://id.example", url, None, None, takes_basic=True)
    with pytest.raises(ProviderError, match="not one of public addresses"):
        asyncio.run(IdentityProvider("https://id.example", QUICK).keys(document))


def test_an_issuer_whose_name_leads_to_this_machine_is_not_asked() -> None:
    """Its own address may be private, for it is the operator's word; loopback has to be written out."""
    with pytest.raises(ProviderError, match="not one of public and private addresses"):
        asyncio.run(IdentityProvider("https://0x7f.1", QUICK).document())


def test_a_code_is_exchanged_once_and_with_the_secret_in_a_header(provider: LocalProvider) -> None:
    provider.id_token = lambda code: f"token-for-{code}"
    assert ask(provider, lambda asked, found: asked.id_token(found, EXCHANGE)) == "token-for-the-code"
    assert provider.forms == [
        {
            "grant_type": "authorization_code",
            "code": "the-code",
            "redirect_uri": "https://rice.example/auth/callback",
            "code_verifier": "the-verifier",
            "client_id": "rice:1",
        }
    ]
    assert b64decode(provider.authorizations[0].removeprefix("Basic ")) == b"rice%3A1:s3cret+%2F%26"


def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there(provider: LocalProvider) -> None:
    provider.document = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    ask(provider, lambda asked, found: asked.id_token(found, EXCHANGE))
    assert provider.forms[0]["client_secret"] == "s3cret /&"
    assert provider.authorizations == [""]


def test_a_client_without_a_secret_shows_none(provider: LocalProvider) -> None:
    exchange = CodeExchange("c", "v", "https://rice.example/auth/callback", "rice", None)
    ask(provider, lambda asked, found: asked.id_token(found, exchange))
    assert "client_secret" not in provider.forms[0]
    assert provider.authorizations == [""]


def test_a_code_that_is_refused_is_not_shown_again(provider: LocalProvider) -> None:
    """And the message has OAuth's word for it, not what the provider wrote about the secret."""
    provider.refusal = {"error": "invalid_grant", "error_description": "code the-code of s3cret was used"}
    with pytest.raises(ProviderRefusedError, match=r"\(invalid_grant\)") as refused:
        ask(provider, lambda asked, found: asked.id_token(found, EXCHANGE))
    assert "the-code" not in str(refused.value)
    assert provider.asked["/token"] == 1
    provider.refusal = {"error": "<script>"}
    with pytest.raises(ProviderRefusedError, match=r"\(400\)"):
        ask(provider, lambda asked, found: asked.id_token(found, EXCHANGE))


def test_answers_that_cannot_be_used_are_errors_of_the_provider(provider: LocalProvider) -> None:
    provider.id_token = lambda _code: None
    with pytest.raises(ProviderError, match="without `id_token`"):
        ask(provider, lambda asked, found: asked.id_token(found, EXCHANGE))
    provider.document = {"padding": "x" * 20_000}
    with pytest.raises(ProviderError, match="larger than"):
        ask(provider, the_document)
    provider.away = True
    with pytest.raises(ProviderError, match="answered 503"):
        ask(provider, the_document)


def test_secrets_are_in_no_representation() -> None:
    assert not any(secret in repr(EXCHANGE) for secret in ("the-code", "the-verifier", "s3cret"))
