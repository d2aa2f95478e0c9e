"""The text of tokens: random, told from mistyped ones without a look-up, and recognised by its beginning alone."""

import pytest

from rice_stream.api.access.secrets import digest_of, may_be_token, new_token, prefix_of


def test_a_token_is_spelled_as_the_server_expects_and_no_two_are_alike() -> None:
    tokens = {new_token("ingest") for _ in range(100)}
    assert len(tokens) == 100
    assert all(may_be_token(token) for token in tokens)
    assert all(token.startswith("rice_ingest_") and len(digest_of(token)) == 32 for token in tokens)


def test_what_is_shown_of_a_token_helps_nobody_to_guess_the_rest() -> None:
    """Six of 43 random characters."""
    token = new_token("admin")
    assert token.startswith(prefix_of(token))
    assert len(prefix_of(token)) == len("rice_admin_") + 6


@pytest.mark.parametrize("spoil", ["cut", "longer", "other", "padded", "role", "empty"])
def test_a_mistyped_token_is_told_by_its_checksum(spoil: str) -> None:
    token = new_token("ingest")
    other = "1" if token[20] == "0" else "0"
    spoilt = {
        "cut": token[:-1],
        "longer": token + "0",
        "other": token[:20] + other + token[21:],
        "padded": f" {token}",
        "role": token.replace("ingest", "admin"),
        "empty": "",
    }[spoil]
    assert not may_be_token(spoilt)
