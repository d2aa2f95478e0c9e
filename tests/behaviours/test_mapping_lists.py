"""Mappings from a list or a file: all of them or none, once however often, and charged for the past where that is asked."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from rice_stream.errors import UsageError
from rice_stream.pipeline.mapping_lists import checked_lines, not_there_yet, take_mappings
from rice_stream.store.mapping_store import LEAD_US
from tests.support.cli_running import Shell
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import Store, at
from tests.support.store_checks import rows_in

CENTRES = [
    {"kind": "cost-centre", "name": "search", "target": "CC-1", "tenant_id": "acme"},
    {"kind": "team", "name": "sk-ads-*", "target": "ads", "tenant_id": "acme", "subject": "api-key"},
    {"kind": "tenant", "name": "key-9", "target": "globex", "valid_from": "2027-01-01T00:00:00Z"},
]


def no_tables() -> Any:
    """None of these is in a table."""
    raise AssertionError("the tables were opened")


def take(engine: Engine, lines: list[dict[str, Any]], now_us: int = NOON_US) -> tuple[int, int]:
    """How many were added, and how many were there."""
    listed = checked_lines(lines, open_reference=no_tables, now_us=now_us)
    there = not_there_yet(engine, listed)
    taken = take_mappings(engine, listed, now_us=now_us, by=OPERATOR)
    assert taken == there
    return len(taken.added), taken.unchanged


class TestMappingLists:
    """On every database."""

    def test_a_list_is_taken_once(self, engine: Engine) -> None:
        """Again, also later, it changes nothing; what has changed is taken, and each has its entry in the audit trail."""
        assert take(engine, CENTRES) == (3, 0)
        rows = rows_in(engine)("mapping")
        assert [(row["kind"], row["subject"], row["valid_from_us"] - NOON_US) for row in rows[:2]] == [
            ("cost_centre", "team", LEAD_US),
            ("team", "api_key", LEAD_US),
        ]
        assert take(engine, CENTRES) == take(engine, CENTRES, NOON_US + 3_600_000_000) == (0, 3)
        assert rows_in(engine)("mapping") == rows
        moved = [{**CENTRES[0], "target": "CC-2"}, {**CENTRES[1], "target": ""}]
        assert take(engine, moved, NOON_US + 7_200_000_000) == (2, 0)
        assert [row["target"] for row in rows_in(engine)("mapping")] == ["CC-1", "ads", "globex", "CC-2", None]
        actions = [row["action"] for row in rows_in(engine)("audit_entry")]
        assert actions == ["mapping.set"] * 4 + ["mapping.end"]

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ({"kind": "colour", "name": "a", "target": "b"}, "mapping 2: kind: 'colour'"),
            ({"kind": "team", "name": "a", "target": "b"}, "mapping 2: --tenant"),
            ({"kind": "tenant", "name": "", "target": "b"}, "mapping 2: NAME"),
            ({"kind": "tenant", "name": "a"}, "mapping 2: target: missing"),
            ({"kind": "tenant", "name": "a", "target": 7}, "mapping 2: target: 7 is not text"),
            ({"kind": "tenant", "name": "a", "target": "a"}, "mapping 2: TARGET: is NAME itself"),
            ({"kind": "tenant", "name": "a", "target": "b", "valid_from": "soon"}, "mapping 2: valid_from"),
            ({"kind": "tenant", "name": "a", "target": "b", "of": "user"}, "mapping 2: of: no field"),
            ({**CENTRES[0], "target": "CC-2"}, "mapping 2: target: another line says 'CC-1'"),
            ({"kind": "tenant", "name": "a", "target": ""}, "mapping 2: target: what it would end was never mapped"),
        ],
    )
    def test_of_a_list_with_a_mistake_nothing_is_taken(
        self, engine: Engine, line: dict[str, Any], problem: str
    ) -> None:
        """And the mistake is told with its place."""
        with pytest.raises(UsageError, match="nothing was taken") as refused:
            take(engine, [CENTRES[0], line])
        assert problem in str(refused.value)
        assert rows_in(engine)("mapping") == []

    def test_who_is_charged_for_what_is_recorded_is_not_changed(self, store: Store) -> None:
        """One line that reaches back is enough to take none."""
        store.add(at("2026-11-22T11:00:00Z", team_id="search"))
        with pytest.raises(UsageError, match="mapping 2: --from"):
            take(store.engine, [CENTRES[1], {**CENTRES[0], "valid_from": "2026-11-01T00:00:00Z"}])
        assert rows_in(store.engine)("mapping") == []


class TestFiles:
    """On the command line."""

    @pytest.fixture
    def shell(self, tmp_path: Path) -> Shell:
        """Two prompts of November."""
        shell = Shell(tmp_path)
        event = {"tenant_id": "acme", "request_model": "gpt-4o", "input_tokens": 100, "output_tokens": 50}
        lines = [
            {**event, "event_id": f"e-{n}", "team_id": team, "ended_at": "2026-11-20T12:00:00Z"}
            for n, team in enumerate(("search", "ads"))
        ]
        (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, lines)))
        shell.json("migrate")
        shell.json("ingest", str(tmp_path / "events.jsonl"))
        return shell

    def test_a_table_charges_what_is_recorded_and_again_posts_nothing(self, shell: Shell, tmp_path: Path) -> None:
        file = tmp_path / "centres.csv"
        file.write_text(
            "kind,name,target,valid_from,tenant_id\n"
            "cost-centre,search,CC-1,2026-11-01T00:00:00Z,acme\n"
            "cost-centre,*,CC-2,2026-11-02T00:00:00Z,acme\n"
        )
        assert len(shell.json("map", "import", str(file), "--dry-run")["added"]) == 2
        assert shell.run("map", "import", str(file)).exit_code == 2
        assert shell.json("map", "list")["mappings"] == []
        first = shell.json("map", "import", str(file), "--restate", "--reason", "new books")
        assert (len(first["added"]), [run["entries"] for run in first["restatements"]]) == (2, [4])
        rows = shell.json("totals", "--by", "cost-centre")["rows"]
        assert sorted((row["cost_centre"], row["prompts"]) for row in rows) == [("CC-1", 1), ("CC-2", 1)]
        again = shell.json("map", "import", str(file), "--restate", "--reason", "new books")
        assert (again["added"], again["unchanged"]) == ([], 2)
        assert again["restatements"] == first["restatements"]
        assert shell.json("verify")["ok"]

    def test_what_is_listed_can_be_taken_elsewhere(self, shell: Shell, tmp_path: Path) -> None:
        """JSON of `map list` is a file of mappings, and so is YAML with instants of its own."""
        file = tmp_path / "names.yaml"
        file.write_text(
            "mappings:\n- {kind: model, name: corp-chat, target: gpt-4o, valid_from: 2026-12-01T00:00:00Z}\n"
            "- {kind: project, name: u-17, target: ranker, tenant_id: acme, subject: user}\n"
        )
        assert shell.json("map", "import", str(file))["unchanged"] == 0
        listed = shell.json("map", "list")
        (tmp_path / "listed.json").write_text(json.dumps(listed))
        assert shell.json("map", "import", str(tmp_path / "listed.json"))["unchanged"] == 2
        assert shell.json("map", "list") == listed

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.csv", "kind,name\nteam,a,b\n"),
            ("a.csv", "kind,name,target\nteam,a\n"),
            ("a.csv", 'kind,name,target\n"team'),
            ("a.yaml", "mappings: 7"),
            ("a.yaml", "- a\n- b"),
            ("a.yaml", "{"),
            ("a.yaml", "- {kind: model, name: a, target: no-such-model}"),
        ],
    )
    def test_what_is_no_list_of_mappings_is_refused(
        self, shell: Shell, tmp_path: Path, name: str, content: str
    ) -> None:
        """With what is wrong with it, and not as a crash."""
        (tmp_path / name).write_text(content)
        refused = shell.run("map", "import", str(tmp_path / name))
        assert refused.exit_code == 2, refused.stderr
        assert "Traceback" not in refused.stderr
