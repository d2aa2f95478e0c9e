"""What a name stands for: what may be said, from when on it holds, and how it is listed."""

import re
from typing import Any

import pytest

from rice_stream.errors import UsageError
from rice_stream.events.mappings import FOR_ALL, MODEL, REGION, TENANT
from rice_stream.pipeline.mapping import end_mapping, map_name
from rice_stream.quantities import NAME_LENGTH_MAX
from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference
from rice_stream.reports.mappings import mappings
from rice_stream.store.mapping_store import LEAD_US
from rice_stream.store.scope import EVERYTHING
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import Store, at, picked


def no_tables() -> Reference:
    """Tenants are in no table: none is opened for them."""
    raise AssertionError("the tables were opened")


def say(store: Store, kind: str, name: str, target: str, **changes: Any) -> None:
    """Map as of NOON, from then on unless said otherwise."""
    open_reference = no_tables if kind == TENANT else load_reference
    given: dict[str, Any] = {"valid_from_us": NOON_US, "now_us": NOON_US, **changes}
    map_name(store.engine, kind, name, target, open_reference=open_reference, by=OPERATOR, **given)


class TestMappings:
    """On every database."""

    def test_all_kinds_are_listed_with_the_instant_from_which_they_hold(self, store: Store) -> None:
        """Earliest first; or those of one name alone."""
        say(store, TENANT, "key-5f3a", "acme", valid_from_us=NOON_US + 2)
        say(store, MODEL, "corp-chat", "gpt-4o", valid_from_us=NOON_US + 1)
        say(store, REGION, "dc-west", "azure:swedencentral")
        assert picked(mappings(store.engine, EVERYTHING), "kind", "name", "target", "valid_from") == [
            (REGION, "dc-west", "azure:swedencentral", "2026-11-22T12:00:00Z"),
            (MODEL, "corp-chat", "gpt-4o", "2026-11-22T12:00:00.000001Z"),
            (TENANT, "key-5f3a", "acme", "2026-11-22T12:00:00.000002Z"),
        ]
        assert picked(mappings(store.engine, EVERYTHING, only=(MODEL, "corp-chat")), "target") == [("gpt-4o",)]

    def test_without_an_instant_it_begins_when_every_worker_knows_of_it(self, store: Store) -> None:
        """Ten seconds from now; an end likewise."""
        say(store, TENANT, "key", "acme", valid_from_us=None)
        assert LEAD_US == 10_000_000
        assert picked(mappings(store.engine, EVERYTHING), "valid_from") == [("2026-11-22T12:00:10Z",)]
        end_mapping(store.engine, TENANT, "key", valid_from_us=None, now_us=NOON_US + LEAD_US, by=OPERATOR)
        assert picked(mappings(store.engine, EVERYTHING), "target", "valid_from")[-1] == (None, "2026-11-22T12:00:20Z")

    @pytest.mark.parametrize(
        ("kind", "name", "target", "said"),
        [
            (MODEL, "m", "no such model at all", "TARGET: 'no such model at all' is no model of the tables"),
            (REGION, "r", "nowhere at all", "TARGET: 'nowhere at all' is no place of the tables"),
            (TENANT, "t", "", f"TARGET: must have 1 to {NAME_LENGTH_MAX} characters"),
            (TENANT, "t", "x" * (NAME_LENGTH_MAX + 1), f"TARGET: must have 1 to {NAME_LENGTH_MAX} characters"),
            (TENANT, "", "acme", "NAME: must not be empty"),
            (TENANT, "acme", "acme", "TARGET: is NAME itself; to end a mapping use `rice-stream map end tenant acme`"),
        ],
    )
    def test_what_cannot_stand_for_a_name_is_refused(
        self, store: Store, kind: str, name: str, target: str, said: str
    ) -> None:
        """With what is wrong; nothing is stored."""
        with pytest.raises(UsageError, match=re.escape(said)):
            say(store, kind, name, target)
        assert mappings(store.engine, EVERYTHING) == []

    def test_a_tenant_with_records_is_not_mapped_for_the_past(self, store: Store) -> None:
        """Sent again, its events would count a second time, under the new name."""
        store.add(at("2026-11-22T12:00:00Z"))
        with pytest.raises(UsageError, match="tenant 'acme' has records of events that ended after"):
            say(store, TENANT, "acme", "globex")
        say(store, TENANT, "acme", "globex", valid_from_us=NOON_US + 1)

    @pytest.mark.parametrize("kind", FOR_ALL)
    def test_only_what_was_mapped_can_be_ended(self, store: Store, kind: str) -> None:
        """A slip of the pen is told, instead of stored as an end of nothing."""
        with pytest.raises(UsageError, match=f"NAME: no {kind} 'nmae' is mapped; see `rice-stream map list`"):
            end_mapping(store.engine, kind, "nmae", valid_from_us=None, now_us=NOON_US, by=OPERATOR)
