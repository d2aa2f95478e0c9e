"""`rice-stream check` finds what keeps people from signing in by the provider, before they do."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rice_stream.api.access.oidc.provider_check import provider_checks
from rice_stream.kafka.client import describe_topics
from rice_stream.runtime.checks import Check
from rice_stream.runtime.settings.settings import Settings
from tests.support.cli_running import Shell, filled_database, ledger, shell
from tests.support.identity_provider import LocalProvider, local_provider

__all__ = ["filled_database", "ledger", "shell"]
CLAIMS = "groups: {finance: {role: reader, tenants: [acme]}, editors: {role: editor, tenants: [acme]}}"


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    with local_provider() as made:
        yield made


@pytest.fixture
def claims_file(tmp_path: Path) -> Path:
    path = tmp_path / "claims.yaml"
    path.write_text(CLAIMS)
    return path


def found(issuer: str, claims_file: Path, **changes: Any) -> list[Check]:
    """What is found with these settings."""
    said = {"oidc_issuer": issuer, "oidc_audience": "rice", "oidc_claims_file": str(claims_file), **changes}
    return list(provider_checks(Settings.model_validate(said)))


def test_a_good_provider_is_said_to_be_with_its_algorithms(provider: LocalProvider, claims_file: Path) -> None:
    claims, answers = found(provider.issuer, claims_file, oidc_client_id="rice")
    assert (claims.ok, claims.detail) == (True, f"{claims_file} says what 2 group(s) may do")
    assert (answers.ok, answers.unreachable) == (True, False)
    assert answers.detail == f"{provider.issuer} answers, with keys for RS256, PS256".replace(
        "RS256, PS256", "PS256, RS256"
    )


def test_without_a_provider_there_is_nothing_to_look_at() -> None:
    assert list(provider_checks(Settings())) == []


def test_one_that_does_not_answer_is_unreachable(provider: LocalProvider, claims_file: Path) -> None:
    answers = found("http://127.0.0.1:9", claims_file)[-1]
    assert (answers.ok, answers.unreachable) == (False, True)
    assert "RICE_OIDC_ISSUER" in (answers.what_to_do or "")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"issuer": "https://another.example"}, "calls itself 'https://another.example'"),
        ({"jwks_uri": None}, "has no `jwks_uri`"),
        ({"jwks_uri": "http://elsewhere.example/jwks"}, "`jwks_uri` must begin with https://"),
        ({"token_endpoint": None}, "names no token_endpoint"),
    ],
)
def test_a_document_that_is_not_as_it_should_be(
    provider: LocalProvider, claims_file: Path, document: dict[str, Any], said: str
) -> None:
    provider.document = document
    answers = found(provider.issuer, claims_file, oidc_client_id="rice")[-1]
    assert not answers.ok
    assert said in answers.detail


def test_without_browsers_no_endpoint_is_needed(provider: LocalProvider, claims_file: Path) -> None:
    provider.document = {"token_endpoint": None, "authorization_endpoint": None}
    assert found(provider.issuer, claims_file)[-1].ok


def test_keys_that_no_token_may_be_signed_with(provider: LocalProvider, claims_file: Path) -> None:
    provider.keys = []
    answers = found(provider.issuer, claims_file)[-1]
    assert (answers.ok, answers.unreachable) == (False, False)
    assert "has no key for" in answers.detail


def test_a_claims_file_that_cannot_be_used_is_found_first(provider: LocalProvider, claims_file: Path) -> None:
    claims_file.write_text("groups: {}")
    [answers] = found(provider.issuer, claims_file)
    assert not answers.ok
    assert str(claims_file) in answers.detail
    assert provider.asked.total() == 0


def test_the_command_has_it_among_its_checks(
    shell: Shell, provider: LocalProvider, claims_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the exit code for a service that is away, as for the others."""
    # There is no broker, and nobody waits for it.
    monkeypatch.setattr("rice_stream.runtime.checks.describe_topics", partial(describe_topics, timeout_s=0.1))
    shell.environment |= {
        "RICE_OIDC_ISSUER": provider.issuer,
        "RICE_OIDC_AUDIENCE": "rice",
        "RICE_OIDC_CLAIMS_FILE": str(claims_file),
    }
    named = {each["name"]: each["ok"] for each in json.loads(shell.run("check", "--json").stdout)["checks"]}
    assert named["OpenID provider"] is True
    assert named["OpenID claims file"] is True
