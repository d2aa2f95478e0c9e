"""The HTTP door reads as the database says, without asking it for each request, and goes on while it is away."""

import logging
from pathlib import Path

import pytest

from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.versions import settings_text
from rice_stream.runtime import following_rules
from rice_stream.runtime.following_rules import FollowedFormats, following_formats
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store.attribution_store import load_versions, propose_version
from rice_stream.store.engine import StoreUnavailableError, reading
from rice_stream.store.identity_rules import IdentityRules, StoredRules
from tests.support.databases import Databases
from tests.support.reports_store import open_store
from tests.support.waiting import wait_until

ATTRIBUTES = {"tenant_id": ("model",)}


def test_where_there_is_no_database_the_settings_stand(tmp_path: Path, sqlite: Databases) -> None:
    """A file that is not there is not made; nor is an empty database touched."""
    for url in (f"sqlite:///{tmp_path / 'none.db'}", sqlite.empty()):
        settings = load_settings(
            environment={"RICE_DATABASE_URL": url, "RICE_ATTRIBUTION_ATTRIBUTES": "tenant_id=model"}
        )
        with following_formats(settings) as formats_now:
            assert formats_now() == settings.format_options()
    assert not (tmp_path / "none.db").exists()


def test_the_door_proposes_its_settings_and_takes_up_those_of_others(
    sqlite: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_rules, "_PAUSE_S", 0.01)
    url = sqlite.emptied()
    settings = load_settings(environment={"RICE_DATABASE_URL": url, "RICE_ATTRIBUTION_ATTRIBUTES": "tenant_id=model"})
    with open_store(url) as store, following_formats(settings) as formats_now:
        assert formats_now().attributes == ATTRIBUTES
        with reading(store.engine) as connection:
            assert [version.valid_from_us for version in load_versions(connection)] == [0]
        version = propose_version(store.engine, settings_text(FormatOptions()))
        assert version is not None
        wait_until(lambda: formats_now().changes, 10, "the door to know of the change")
        assert formats_now().at(version.valid_from_us).attributes == {}
        assert formats_now().at(version.valid_from_us - 1).attributes == ATTRIBUTES


class Failing(StoredRules):
    """Rules that cannot be looked up for a while."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self, now_us: int, *, anew: bool = False) -> IdentityRules:
        return IdentityRules()

    def look(self) -> IdentityRules:
        self.looks += 1
        if self.looks < 5:
            raise StoreUnavailableError("the database did not answer: gone")
        return IdentityRules(FormatOptions(attributes={"tenant_id": ("model",)}))


def test_while_the_database_is_away_what_was_known_last_stands(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, and taken up again by itself."""
    monkeypatch.setattr(following_rules, "_PAUSE_S", 0.001)
    rules = Failing()
    with caplog.at_level(logging.WARNING):
        followed = FollowedFormats(rules)
        try:
            assert followed() == FormatOptions()
            wait_until(lambda: followed().attributes, 10, "the database to be back")
        finally:
            followed.close()
    assert caplog.text.count("as they were known last") == 1
