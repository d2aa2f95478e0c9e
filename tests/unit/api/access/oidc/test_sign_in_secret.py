"""What a browser keeps of a sign-in that is under way, and what is made of it."""

import base64
import hashlib

import pytest

from rice_stream.api.access.oidc.sign_in_secret import SignInSecret


def test_it_comes_back_from_the_cookie_as_it_was() -> None:
    made = SignInSecret.new("/explore?by=team")
    again = SignInSecret.parse(made.cookie)
    assert again is not None
    assert (again.state, again.nonce, again.verifier, again.next_path) == (
        made.state,
        made.nonce,
        made.verifier,
        "/explore?by=team",
    )
    assert again.answers(made.state)


def test_what_the_provider_and_the_address_bar_see_does_not_lead_to_the_rest() -> None:
    """State and challenge are in addresses; the cookie's secret and the verifier are not among them, nor equal to them."""
    made = SignInSecret.new(None)
    parts = [made.secret, made.state, made.nonce, made.verifier, made.challenge]
    assert len(set(parts)) == len(parts)
    assert made.secret not in repr(made)


def test_the_challenge_is_that_of_rfc_7636() -> None:
    made = SignInSecret.new(None)
    assert len(made.verifier) == 43
    expected = base64.urlsafe_b64encode(hashlib.sha256(made.verifier.encode()).digest()).rstrip(b"=").decode()
    assert made.challenge == expected


def test_no_two_sign_ins_are_alike() -> None:
    assert not SignInSecret.new(None).answers(SignInSecret.new(None).state)


@pytest.mark.parametrize("cookie", [None, "", "x", f"{'a' * 42}.Lw", f"{'a' * 43}", f"{'a' * 43}.!", f"{'a' * 43}._w"])
def test_other_cookies_are_no_sign_in(cookie: str | None) -> None:
    assert SignInSecret.parse(cookie) is None


def test_a_cookie_that_somebody_wrote_leads_to_no_other_host() -> None:
    elsewhere = base64.urlsafe_b64encode(b"//attacker.example").rstrip(b"=").decode()
    made = SignInSecret.parse(f"{'a' * 43}.{elsewhere}")
    assert made is not None
    assert made.next_path == "/"


@pytest.mark.parametrize("state", ["", "é", "x" * 10_000])
def test_an_answer_with_another_state_is_none_of_it(state: str) -> None:
    assert not SignInSecret.new(None).answers(state)
