"""Secrets of channels while RICE_SECRETS_KEY is changed."""

import base64
from dataclasses import replace

import pytest
from sqlalchemy import Engine, select, update

from rice_stream.alerting.channels import named_channel, set_channel
from rice_stream.alerting.resealing import seal_with_key_in_force
from rice_stream.channels.definition import Secrets
from rice_stream.channels.parsing import parse_channel
from rice_stream.errors import UsageError
from rice_stream.runtime.delivery_chores import delivery_chores
from rice_stream.runtime.secret_box import FernetBox
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store import schema
from rice_stream.store.channel_store import StoredChannel, seal_again
from rice_stream.store.engine import reading, writing
from rice_stream.store.scope import EVERYTHING
from tests.support.fakes import OPERATOR

OLD, NEW = (base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))
ADDRESS = "https://hooks.slack.com/services/T/B/hunter2"


def slack(engine: Engine, name: str, box: FernetBox) -> StoredChannel:
    """A channel whose address is secret."""
    asked = parse_channel({"name": name, "type": "slack", "url": ADDRESS})
    return set_channel(engine, EVERYTHING, box, asked, OPERATOR).stored


def test_after_the_new_key_was_put_before_the_old_one_the_old_one_can_be_taken_away(engine: Engine) -> None:
    """Once; what the new key sealed stays as it is."""
    old, both, new = (FernetBox.parse(keys) for keys in (OLD, f"{NEW},{OLD}", NEW))
    slack(engine, "before", old)
    after = slack(engine, "after", both)
    assert seal_with_key_in_force(engine, old) == 0
    assert seal_with_key_in_force(engine, both) == 1
    assert seal_with_key_in_force(engine, both) == 0
    for name in ("before", "after"):
        stored = named_channel(engine, EVERYTHING, name)
        assert stored.key_id == new.key_ids[0]
        assert new.open(name, stored.sealed or b"") == Secrets(ADDRESS)
    assert named_channel(engine, EVERYTHING, "after").sealed == after.sealed


def test_a_channel_that_is_set_meanwhile_keeps_what_it_was_given(engine: Engine) -> None:
    now = slack(engine, "ops", FernetBox.parse(OLD))
    with writing(engine) as connection:
        assert not seal_again(connection, replace(now, sealed=b"what was there before"), b"late", "0")
    assert named_channel(engine, EVERYTHING, "ops") == now


def test_a_secret_in_the_row_of_another_channel_is_named_and_the_others_are_done(engine: Engine) -> None:
    old, both = FernetBox.parse(OLD), FernetBox.parse(f"{NEW},{OLD}")
    mine, _, theirs = slack(engine, "a-mine", old), slack(engine, "b-good", old), slack(engine, "c-theirs", old)
    with writing(engine) as connection:
        connection.execute(update(schema.channel).where(schema.channel.c.id == mine.id).values(sealed=theirs.sealed))
    with pytest.raises(UsageError, match="channel 'a-mine' are another channel's"):
        seal_with_key_in_force(engine, both)
    with reading(engine) as connection:
        query = select(schema.channel.c.name, schema.channel.c.key_id)
        found = {row.name: row.key_id for row in connection.execute(query)}
    assert found == {"a-mine": old.key_ids[0], "b-good": both.key_ids[0], "c-theirs": both.key_ids[0]}


def test_a_server_does_it_while_the_setting_has_several_keys(engine: Engine) -> None:
    slack(engine, "ops", FernetBox.parse(OLD))
    for keys, sealing in ((OLD, False), (f"{NEW},{OLD}", True)):
        settings = load_settings(environment={"RICE_SECRETS_KEY": keys})
        chores = {each.name: each for each in delivery_chores(settings)}
        assert ("secrets" in chores) == sealing
    chores["secrets"].run(engine)
    assert named_channel(engine, EVERYTHING, "ops").key_id == FernetBox.parse(NEW).key_ids[0]
