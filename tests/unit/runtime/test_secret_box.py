"""Secrets of channels at rest."""

import base64
import hashlib

import pytest

from rice_stream.channels.definition import Secrets
from rice_stream.errors import UsageError
from rice_stream.runtime.secret_box import FernetBox

OLD, NEW = b"o" * 32, bytes(range(224, 256))  # the base64 of the new one has '/' and '+' in it
SECRETS = Secrets("https://hooks.slack.example/T/B/x", ("whsec_c2VjcmV0", "whsec_b2xk"))


def written(*keys: bytes) -> str:
    return ",".join(base64.b64encode(key).decode() for key in keys)


def test_what_was_sealed_is_opened_again_and_says_nothing_before() -> None:
    """Two seals of one secret differ, and the key is known by the beginning of its SHA-256."""
    box = FernetBox.parse(written(NEW))
    sealed, key_id = box.seal("ops", SECRETS)
    assert key_id == hashlib.sha256(NEW).hexdigest()[:8]
    assert box.open("ops", sealed) == SECRETS
    assert b"slack" not in sealed
    assert sealed != box.seal("ops", SECRETS)[0]
    assert FernetBox.parse(f" {written(NEW).replace('+', '-').replace('/', '_')} ").open("ops", sealed) == SECRETS


def test_while_the_key_is_changed_the_new_one_seals_and_the_old_one_still_opens() -> None:
    before, old_id = FernetBox.parse(written(OLD)).seal("ops", SECRETS)
    both = FernetBox.parse(f"{written(NEW)} , {written(OLD)}")
    assert both.open("ops", before) == SECRETS
    after, new_id = both.seal("ops", SECRETS)
    assert both.key_ids == (new_id, old_id)
    assert FernetBox.parse(written(NEW)).open("ops", after) == SECRETS


def test_a_secret_of_one_channel_is_not_opened_for_another() -> None:
    """Whoever may write to the table could otherwise have it sent to an address of their own."""
    box = FernetBox.parse(written(NEW))
    sealed, _ = box.seal("ops", SECRETS)
    with pytest.raises(UsageError, match="are another channel's") as refused:
        box.open("mine", sealed)
    assert "slack" not in str(refused.value)


def test_a_key_that_signs_is_not_opened_for_another_name_nor_as_a_channels_secret() -> None:
    """Nor a channel's secret as a key: what is put into the wrong row is of no use there."""
    box = FernetBox.parse(written(NEW))
    sealed, key_id = box.seal_key("rice.example", OLD)
    assert (box.open_key("rice.example", sealed), key_id) == (OLD, box.key_ids[0])
    for name, content in (("other.example", sealed), ("rice.example", box.seal("ops", SECRETS)[0])):
        with pytest.raises(UsageError, match="is another one's"):
            box.open_key(name, content)
    with pytest.raises(UsageError, match="are another channel's"):
        box.open("ops", sealed)


def test_a_key_that_does_not_fit_and_a_seal_that_was_changed_are_said_to_be_so() -> None:
    sealed, _ = FernetBox.parse(written(OLD)).seal("ops", SECRETS)
    for box, content in (
        (FernetBox.parse(written(NEW)), sealed),
        (FernetBox.parse(written(OLD)), sealed[:-4] + b"AAAA"),
    ):
        with pytest.raises(UsageError, match=r"^RICE_SECRETS_KEY: none of its keys opens the secrets of channel 'ops'"):
            box.open("ops", content)


@pytest.mark.parametrize("setting", [None, "", "  "])
def test_without_a_key_nothing_is_stored_and_what_to_do_is_said(setting: str | None) -> None:
    box = FernetBox.parse(setting)
    with pytest.raises(UsageError, match=r"^RICE_SECRETS_KEY: is not set.*openssl rand -base64 32"):
        box.seal("ops", SECRETS)
    with pytest.raises(UsageError, match=r"^RICE_SECRETS_KEY: is not set, but the secrets of channel 'ops'"):
        box.open("ops", b"x")


@pytest.mark.parametrize("bad", ["geheim", "c2hvcnQ=", written(OLD) + "x", "é", written(OLD + b"x")])
def test_what_is_no_key_is_said_by_its_place_and_never_repeated(bad: str) -> None:
    for setting, which in ((bad, "it"), (f"{written(NEW)},{bad}", "entry 2 of 2"), (f"{bad},", "entry 1 of 2")):
        with pytest.raises(UsageError, match=rf"^RICE_SECRETS_KEY: {which} must be 32 random bytes as base64") as wrong:
            FernetBox.parse(setting)
        assert bad not in str(wrong.value)
