"""Whom an event is charged to: the most specific mapping of its time, project first, then team, then cost centre."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.events.charging import ChargedTo, Charging, Said
from rice_stream.events.mappings import SUBJECTS, MappedName, Mappings

SAID = Said(team="search", project="ranker", user="u-17", api_key="key-5f3a")
NAME_OF = {"user": "u-17", "api_key": "key-5f3a", "project": "ranker", "team": "search"}


def charging(*rows: tuple[str, str, str, str | None, int]) -> Charging:
    """Of (kind, subject, name, target, from) of the tenant acme."""
    return Charging(
        Mappings(MappedName(kind, name, target, since, "acme", of) for kind, of, name, target, since in rows)
    )


def test_without_mappings_it_is_charged_as_it_said() -> None:
    assert charging().charged("acme", SAID, 0) == ("search", "ranker", "")


@pytest.mark.parametrize("kind", ["team", "project", "cost_centre"])
def test_the_most_specific_subject_holds(kind: str) -> None:
    """User, API key, project, team; one taken away, the next holds."""
    rows = [(kind, of, NAME_OF[of], f"by-{of}", 0) for of in SUBJECTS]
    for place, of in enumerate(SUBJECTS):
        assert f"by-{of}" in charging(*rows[place:]).charged("acme", SAID, 0)


def test_a_cost_centre_goes_by_the_project_and_team_that_it_is_charged_to() -> None:
    """Not by those that the event said."""
    rows = charging(
        ("project", "user", "u-17", "labs", 0),
        ("team", "project", "labs", "research", 0),
        ("cost_centre", "team", "research", "CC-1", 0),
        ("cost_centre", "team", "search", "CC-2", 0),
    )
    assert rows.charged("acme", SAID, 0) == ("research", "labs", "CC-1")


def test_what_comes_without_a_team_or_project_is_mapped_by_the_name_unattributed() -> None:
    rows = charging(("team", "team", "unattributed", "pool", 0), ("cost_centre", "project", "unattributed", "CC-9", 0))
    assert rows.charged("acme", Said("", "", "", ""), 0) == ("pool", "", "CC-9")
    assert rows.charged("acme", SAID, 0) == ("search", "ranker", "")


def test_a_mapping_holds_from_its_instant_until_the_next() -> None:
    """And an end lets the next specific one hold."""
    rows = charging(
        ("team", "user", "u-17", "a", 100),
        ("team", "user", "u-17", "b", 200),
        ("team", "user", "u-17", None, 300),
        ("team", "project", "ranker", "c", 150),
    )
    assert [rows.charged("acme", SAID, at_us).team for at_us in (99, 100, 199, 200, 299, 300)] == [
        "search", "a", "a", "b", "b", "c",
    ]  # fmt: skip


def test_mappings_are_a_tenants_own() -> None:
    rows = charging(("team", "user", "u-17", "a", 0))
    assert rows.charged("globex", SAID, 0) == ChargedTo("search", "ranker")
    assert rows.tenants == {"acme"}


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["team", "project", "cost_centre"]),
        st.sampled_from(SUBJECTS),
        st.sampled_from(["search", "ranker", "u-17", "key-5f3a", "unattributed"]),
        st.sampled_from(["x", "y", None]),
        st.integers(0, 5),
    ),
    max_size=12,
    unique_by=lambda row: (row[0], row[1], row[2], row[4]),
)


@given(ROWS, st.integers(0, 5), st.permutations(range(12)))
def test_it_depends_on_no_order_and_the_version_says_the_same(
    rows: list[tuple[str, str, str, str | None, int]], at_us: int, order: list[int]
) -> None:
    """The same mappings, however they were stored."""
    shuffled = [rows[place] for place in order if place < len(rows)]
    one, other = charging(*rows), charging(*shuffled)
    assert one.charged("acme", SAID, at_us) == other.charged("acme", SAID, at_us)
    assert one.version == other.version


def test_a_beginning_is_of_every_name_that_begins_so() -> None:
    """The very name holds before it, a longer beginning before a shorter one, and what has no name has no beginning."""
    rows = charging(
        ("team", "api_key", "key-*", "keys", 0),
        ("team", "api_key", "key-5*", "fives", 0),
        ("team", "api_key", "key-5f3a", "one", 0),
        ("cost_centre", "team", "*", "CC-0", 0),
    )
    said = {key: Said("", "", "", key) for key in ("key-5f3a", "key-59", "key-1", "other", "")}
    charged = {key: rows.charged("acme", each, 0) for key, each in said.items()}
    assert {key: each.team for key, each in charged.items()} == {
        "key-5f3a": "one",
        "key-59": "fives",
        "key-1": "keys",
        "other": "",
        "": "",
    }
    assert [charged[key].cost_centre for key in ("key-1", "other")] == ["CC-0", ""]


def test_a_more_specific_subject_holds_before_a_name_and_what_has_ended_holds_no_more() -> None:
    rows = charging(
        ("team", "user", "u-*", "users", 100),
        ("team", "team", "search", "named", 0),
        ("team", "user", "u-*", None, 200),
    )
    assert [rows.charged("acme", SAID, at_us).team for at_us in (0, 100, 200)] == ["named", "users", "named"]


@given(st.lists(st.text("ab", max_size=3), unique=True), st.text("ab", min_size=1, max_size=4))
def test_the_longest_beginning_holds(beginnings: list[str], name: str) -> None:
    rows = charging(*(("team", "user", f"{each}*", f"t-{each}", 0) for each in beginnings))
    fitting = [each for each in beginnings if name.startswith(each)]
    expected = f"t-{max(fitting, key=len)}" if fitting else ""
    assert rows.charged("acme", Said("", "", name, ""), 0).team == expected
