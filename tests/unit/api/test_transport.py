"""Where the server listens, and whom it answers without TLS."""

from pathlib import Path

import pytest
import trustme

from rice_stream.api.problems import ProblemError
from rice_stream.api.transport import Peers, browsers_use_tls, check_transport, tls_files
from rice_stream.errors import UsageError
from rice_stream.runtime.settings.settings import Settings

EVERYWHERE = "0.0.0.0"  # noqa: S104 - not listened at


def made(**settings: object) -> Settings:
    return Settings.model_validate(settings)


@pytest.fixture
def certificate(tmp_path: Path) -> dict[str, str]:
    """Settings with a certificate and its key."""
    issued = trustme.CA().issue_cert("rice.example")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    (tmp_path / "certificate.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    return {
        "http_tls_certificate": str(tmp_path / "certificate.pem"),
        "http_tls_key": str(tmp_path / "key.pem"),
    }


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.0.2.7", "rice.example"])
def test_elsewhere_than_on_loopback_it_needs_tls_or_a_stated_proxy(host: str, certificate: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"RICE_HTTP_HOST: .* RICE_HTTP_TLS_CERTIFICATE"):
        check_transport(made(http_host=host))
    check_transport(made(http_host=host, **certificate))
    check_transport(made(http_host=host, http_trusted_proxies="10.0.0.0/8"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_it_needs_neither(host: str) -> None:
    check_transport(made(http_host=host))


def test_browsers_are_sent_to_an_address_with_tls() -> None:
    with pytest.raises(UsageError, match="RICE_HTTP_PUBLIC_URL: must begin with https"):
        check_transport(made(http_public_url="http://rice.example"))
    check_transport(made(http_public_url="http://localhost:8080"))
    with pytest.raises(UsageError, match="RICE_HTTP_PUBLIC_URL: is needed with RICE_OIDC_CLIENT_ID"):
        check_transport(made(http_host=EVERYWHERE, http_trusted_proxies="10.0.0.0/8", oidc_client_id="rice"))


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path, certificate: dict[str, str]) -> None:
    files = tls_files(made(**certificate))
    assert files is not None
    assert str(files.key) == certificate["http_tls_key"]
    assert tls_files(made()) is None
    with pytest.raises(UsageError, match="RICE_HTTP_TLS_KEY: cannot read"):
        tls_files(made(**certificate | {"http_tls_key": str(tmp_path / "missing.pem")}))
    other = trustme.CA().issue_cert("rice.example")
    other.private_key_pem.write_to_path(tmp_path / "other.pem")
    for wrong in ("other.pem", "certificate.pem"):
        with pytest.raises(UsageError, match=r"RICE_HTTP_TLS_CERTIFICATE, RICE_HTTP_TLS_KEY: .* are no certificate"):
            tls_files(made(**certificate | {"http_tls_key": str(tmp_path / wrong)}))


def answered(peers: Peers, address: str | None) -> bool:
    try:
        peers.check({"client": None if address is None else (address, 50_000)})
    except ProblemError:
        return False
    return True


def test_without_tls_only_this_machine_and_the_stated_proxies_are_answered() -> None:
    """A token that came past the proxy came unprotected."""
    peers = Peers(made(http_host=EVERYWHERE, http_trusted_proxies="10.0.0.0/8, 192.0.2.7, 2001:db8::/32"))
    for address in ("10.1.2.3", "192.0.2.7", "2001:db8::1", "127.0.0.1", "::1", "::ffff:10.1.2.3"):
        assert answered(peers, address)
    for stranger in ("192.0.2.8", "11.0.0.1", "2001:db9::1", "::ffff:11.0.0.1", None, "", "unix"):
        assert not answered(peers, stranger)


def test_with_tls_or_on_loopback_it_does_not_matter_who_connects(certificate: dict[str, str]) -> None:
    assert answered(Peers(made(http_host=EVERYWHERE, **certificate)), "192.0.2.8")
    assert answered(Peers(made()), None)


def test_cookies_are_bound_to_tls_wherever_browsers_use_it(certificate: dict[str, str]) -> None:
    assert not browsers_use_tls(made())
    assert not browsers_use_tls(made(http_public_url="http://localhost:8080"))
    assert browsers_use_tls(made(http_public_url="https://rice.example"))
    assert browsers_use_tls(made(**certificate))
    assert browsers_use_tls(made(http_host=EVERYWHERE, http_trusted_proxies="10.0.0.0/8"))
