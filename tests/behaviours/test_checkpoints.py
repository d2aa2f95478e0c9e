"""Checkpoints of the audit trail on every database: made once, proven, and every change behind them found where it is."""

import base64
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from rice_stream.errors import NotFoundError, ServiceUnavailableError, UsageError
from rice_stream.ledger import checkpoints as making
from rice_stream.ledger.checkpoints import (
    BrokenCheckpointError,
    make_checkpoints,
    make_when_due,
    note_key,
    rotate_key,
    seal_keys_again,
    sign_month,
)
from rice_stream.ledger.publishing import publish_checkpoints
from rice_stream.proof.audit_verification import verify_trail
from rice_stream.reports.audit_proofs import audit_proof
from rice_stream.reports.checkpoints import checkpoint_health, checkpoint_page, checkpoints, place_rows
from rice_stream.runtime.checkpoint_chores import checkpoint_chores
from rice_stream.runtime.opening_api import open_own_store
from rice_stream.runtime.secret_box import FernetBox
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.audit import AuditedChange, entry_bytes, record
from rice_stream.store.checkpoint_store import StoredCheckpoint
from rice_stream.store.engine import open_engine, reading, writing
from rice_stream.store.lease import Lease
from rice_stream.store.migrate import migrate
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.signing_keys import signing_keys
from rice_stream.transparency.checkpoints import Checkpoint
from rice_stream.transparency.kept_trees import BLOCK_LEAVES, GrowingTree, KeptTree
from rice_stream.transparency.leaves import LeafWriter
from rice_stream.transparency.merkle import leaf_hash
from rice_stream.transparency.notes import NoteKey, SignedNote, split_notes
from rice_stream.transparency.notes import signed as signed_note
from rice_stream.transparency.proof_files import ProvenLeaf, ProvenTree, check_proof_file, proof_file
from tests.support.audited import BOX, ORIGIN, SECRETS_KEY, Tampering, add_entries, signed
from tests.support.databases import Databases
from tests.support.fakes import OPERATOR

LEAVES = LeafWriter(["event_key", "carbon_mid_ugco2e"])
NOW = datetime(2100, 1, 1, tzinfo=UTC)


def keys_of(engine: Engine) -> list[NoteKey]:
    with reading(engine) as connection:
        return [note_key(key) for key in signing_keys(connection)]


def problems(engine: Engine, *published: str) -> list[str]:
    return verify_trail(engine, published).problems


@pytest.fixture
def trail(either_database: Databases) -> Iterator[Engine]:
    """Three checkpoints, of 4, 7 and 9 entries, and one entry after them."""
    engine = open_engine(either_database.emptied())
    for entries in (3, 3, 2):
        signed(engine, entries)
    add_entries(engine, 1)
    yield engine
    engine.dispose()


def test_a_checkpoint_covers_what_was_added_and_is_no_reason_for_another(engine: Engine) -> None:
    """The first one makes the key, which is an entry. Nothing new: no checkpoint."""
    assert make_checkpoints(engine, BOX, origin=ORIGIN, by=OPERATOR) is None
    first, second = signed(engine, 3), signed(engine, 1)
    assert make_checkpoints(engine, BOX, origin=ORIGIN, by=OPERATOR) is None
    assert [(each.id, each.origin, each.size) for each in (first, second)] == [(1, ORIGIN, 4), (2, ORIGIN, 5)]
    note = SignedNote.parse(second.note)
    assert note.signers(keys_of(engine)) == tuple(keys_of(engine))
    assert Checkpoint.parse(note.text) == Checkpoint(ORIGIN, 5, second.root)
    found = verify_trail(engine, [first.note, second.note])
    assert found.as_json() == {"ok": True, "entries": 5, "checkpoints": 2, "months": 0, "problems": []}


def test_a_first_checkpoint_of_many_entries_is_made_in_parts(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with so many at most; proofs go over all of them."""
    monkeypatch.setattr(making, "ENTRIES_MAX", 4)
    signed(engine, 9)
    assert [row["size"] for row in checkpoints(engine, EVERYTHING)] == [10, 8, 4]
    assert problems(engine) == []
    assert all(check_proof_file(audit_proof(engine, EVERYTHING, entry)).problems == [] for entry in range(1, 11))


def test_every_entry_is_proven_also_from_an_earlier_checkpoint_on(trail: Engine) -> None:
    """Against the keys and a checkpoint that somebody kept; who sees one tenant gets proofs of its entries alone."""
    kept = {row["size"]: row["note"] for row in checkpoints(trail, EVERYTHING)}
    for entry in (1, 2, 9):
        for since in (None, 4, 7, 9):
            file = audit_proof(trail, EVERYTHING, entry, since=since)
            checked = check_proof_file(file, keys=keys_of(trail), published=[kept[since or 9]])
            assert checked.as_json() == {"ok": True, "entries": 1, "months": 0, "problems": []}
    acme = Scope(frozenset({"acme"}))
    assert audit_proof(trail, acme, 1)["trees"][0]["leaves"][0]["index"] == 0
    for scope, entry in (
        (Scope(frozenset({"globex"})), 1),
        (Scope(frozenset({"acme"}), frozenset({"t"})), 1),
        (acme, 4),
    ):
        with pytest.raises(NotFoundError, match="there is none that you may see"):
            audit_proof(trail, scope, entry)
    with pytest.raises(NotFoundError, match="no checkpoint covers it yet"):
        audit_proof(trail, EVERYTHING, 10)
    with pytest.raises(UsageError, match="there is no checkpoint of 5 entries; the latest are of 4, 7, 9"):
        audit_proof(trail, EVERYTHING, 1, since=5)


def test_a_trail_from_before_there_were_checkpoints_is_covered_and_outlasts_them(either_database: Databases) -> None:
    """Up, down and up again: entries stay as they are; a step back takes checkpoints and keys, and another key begins."""
    engine = open_engine(either_database.migrated())
    migrate(engine, "0024")
    add_entries(engine, 3)
    migrate(engine)
    first = signed(engine, 1)
    assert first.size == 5
    assert problems(engine, first.note) == []
    migrate(engine, "0024")
    migrate(engine)
    assert verify_trail(engine).as_json() == {"ok": True, "entries": 5, "checkpoints": 0, "months": 0, "problems": []}
    again = signed(engine, 1)
    assert (again.id, again.size, problems(engine)) == (1, 7, [])
    assert "by none of the known keys" in problems(engine, first.note)[0]
    engine.dispose()


TAMPERED = [
    (
        ["UPDATE audit_entry SET actor_name = 'nobody' WHERE id = 2"],
        ["entry 2: its columns say otherwise than its canonical bytes"],
    ),
    (
        ["UPDATE audit_entry SET entry = :other WHERE id = 6"],
        ["entry 6: its columns say", "entry 6: it is not the one that checkpoint 2 covers"],
    ),
    (["DELETE FROM audit_entry WHERE id = 5"], ["entry 5 is missing"]),
    (["DELETE FROM audit_entry WHERE id > 6"], ["entry 7 is missing", "entries 8 to 9 are missing"]),
    (
        ["DELETE FROM audit_entry WHERE id = 1", "UPDATE audit_entry SET id = 1 WHERE id = 10"],
        ["entry 1: its columns", "entry 1: it is not the one that checkpoint 1"],
    ),
    (["UPDATE audit_entry SET id = 12 WHERE id = 10"], ["entries 10 to 11 are missing", "entry 12: its columns"]),
    (["UPDATE checkpoint SET root = :other WHERE id = 2"], ["checkpoint 2: its row says otherwise than the note"]),
    (["UPDATE checkpoint SET note = :forged WHERE id = 3"], ["checkpoint 3: it is signed by rice.example"]),
    (
        ["UPDATE checkpoint SET note = replace(note, '\n7\n', '\n8\n') WHERE id = 2"],
        ["checkpoint 2: the signature of rice.example"],
    ),
    (
        ["UPDATE checkpoint SET leaf_hashes = :other WHERE id = 1"],
        ["checkpoint 1: what is kept to go on from it was changed; its entries are as signed"],
    ),
    (["UPDATE checkpoint SET frontier = :other WHERE id = 3"], ["checkpoint 3: what is kept to go on from it"]),
    (
        [
            "UPDATE checkpoint SET leaf_hashes = :other WHERE id = 1",
            "UPDATE audit_entry SET entry = :other WHERE id = 2",
        ],
        ["entry 2: its columns", "checkpoint 1: entries 1 to 4 are not what gives its root"],
    ),
    (["UPDATE audit_entry SET id = -3 WHERE id = 10"], ["entry -3: there can be none"]),
    (
        ["UPDATE audit_entry SET id = 4000000000000000 WHERE id = 10"],
        ["entries 10 to 3999999999999999 are missing", "entry 4000000000000000: its columns"],
    ),
    (
        ["UPDATE checkpoint SET size = 4000000000000000 WHERE id = 3"],
        [
            "checkpoint 3: its row says otherwise",
            "entries 11 to 4000000000000000 are missing",
            "checkpoint 3: entries 8 to 4000000000000000 are not what gives its root",
        ],
    ),
    (["DELETE FROM checkpoint WHERE id = 2"], ["checkpoint 2 is missing"]),
    (
        [
            "UPDATE checkpoint SET note = (SELECT c.note FROM checkpoint c WHERE c.id = 1), size = 2, root = :other WHERE id = 3"
        ],
        ["checkpoint 3: its row says otherwise", "checkpoint 3: it is of 2 entries, and one before it is of 7"],
    ),
]
"""What somebody with every right does to the tables, and how the problems begin that are found."""


def test_whatever_is_changed_behind_our_back_is_found_where_it_is(trail: Engine) -> None:
    """Entries, their order, their end; checkpoints, their notes, and what is kept of them. Nothing else is blamed."""
    forged = str(signed_note(str(Checkpoint(ORIGIN, 9, bytes(32))), ORIGIN, bytes(32)))
    tampering = Tampering(trail)
    for statements, expected in TAMPERED:
        tampering.change(statements, other=b"o" * 32, forged=forged)
        found = problems(trail)
        assert len(found) == len(expected), (statements, found)
        for begins in expected:
            assert any(each.startswith(begins) for each in found), (statements, found)
        tampering.put_back()
    assert problems(trail) == []


def test_a_history_that_was_signed_again_is_found_by_what_was_published(trail: Engine) -> None:
    """Whoever has the key and the database can write another history; not one that goes on from what others have kept."""
    rows = checkpoints(trail, EVERYTHING)
    kept = [row["note"] for row in rows]
    tampering = Tampering(trail)
    tampering.change(
        ["DELETE FROM checkpoint", "DELETE FROM audit_entry WHERE id > 5", "UPDATE audit_entry SET tenant_id = NULL"]
    )
    with reading(trail) as connection:
        rewritten = connection.execute(text("SELECT * FROM audit_entry ORDER BY id")).mappings().all()
    entries = {row["id"]: entry_bytes(dict(row)) for row in rewritten}
    for number, entry in entries.items():
        tampering.change([f"UPDATE audit_entry SET entry = :entry WHERE id = {number}"], entry=entry)
    assert make_checkpoints(trail, BOX, origin=None, by=OPERATOR) is not None
    assert problems(trail) == []
    assert problems(trail, *kept) == [
        "the published checkpoint of 4 entries is not of this trail: entries up to 4 were rewritten",
        "entries 6 to 7 are missing: a published checkpoint covers them",
        "entries 6 to 9 are missing: a published checkpoint covers them",
    ]
    assert problems(trail, "no note")[0].startswith("published checkpoint 1: ")


def test_nothing_goes_on_from_a_checkpoint_that_was_changed(trail: Engine) -> None:
    """Or the next signature would say that it was right."""
    Tampering(trail).change(["UPDATE checkpoint SET frontier = :other WHERE id = 3"], other=bytes(64))
    with pytest.raises(BrokenCheckpointError, match="checkpoint 3: what is kept of its tree does not give its root"):
        make_checkpoints(trail, BOX, origin=None, by=OPERATOR)
    health = checkpoint_health(trail, EVERYTHING, NOW)
    assert (health["holds"], health["uncovered"]) == (False, 1)


def test_entries_and_checkpoints_at_the_same_time_leave_no_gap_and_no_fork(engine: Engine) -> None:
    """Four write entries while two make checkpoints: every size is one tree's, and all of it holds."""
    start = threading.Barrier(6)

    def write(number: int) -> None:
        start.wait()
        for each in range(12):
            with writing(engine) as connection:
                record(connection, OPERATOR, [AuditedChange("a.b", "c", f"{number}-{each}")] * (1 + each % 3))

    def sign(_number: int) -> None:
        start.wait()
        for _ in range(8):
            make_checkpoints(engine, BOX, origin=ORIGIN, by=OPERATOR)

    with ThreadPoolExecutor(6) as pool:
        list(
            pool.map(
                lambda task: task[0](task[1]), [(write, 0), (write, 1), (sign, 2), (sign, 3), (write, 4), (write, 5)]
            )
        )
    make_checkpoints(engine, BOX, origin=ORIGIN, by=OPERATOR)
    found = verify_trail(engine)
    assert found.problems == []
    assert found.entries == 4 * 24 + 1
    sizes = [row["size"] for row in checkpoints(engine, EVERYTHING)]
    assert sizes == sorted(set(sizes), reverse=True)
    assert sizes[0] == found.entries
    assert len(keys_of(engine)) == 1


class TestKeys:
    """The key that signs."""

    def test_without_a_key_of_secrets_there_is_none_and_nothing_is_signed(self, engine: Engine) -> None:
        """What to do is said; and the same where the setting is taken away, or changed."""
        add_entries(engine, 1)
        with pytest.raises(UsageError, match="RICE_SECRETS_KEY: is not set, and the key that signs"):
            make_checkpoints(engine, FernetBox(), origin=ORIGIN, by=OPERATOR)
        assert keys_of(engine) == []
        signed(engine, 1)
        add_entries(engine, 1)
        with pytest.raises(UsageError, match="RICE_SECRETS_KEY: is not set, but the key that signs"):
            make_checkpoints(engine, FernetBox(), origin=ORIGIN, by=OPERATOR)
        with pytest.raises(UsageError, match="none of its keys opens the key that signs checkpoints of rice"):
            make_checkpoints(engine, FernetBox([bytes(32)]), origin=ORIGIN, by=OPERATOR)

    def test_a_new_key_is_vouched_for_by_the_one_before_which_stays_listed(self, engine: Engine) -> None:
        """The change is an entry, and the checkpoint of it has both signatures; what the old key signed still holds."""
        first = signed(engine, 1)
        [old] = keys_of(engine)
        both = rotate_key(engine, BOX, origin=None, by=OPERATOR)
        assert both is not None
        assert keys_of(engine)[0] == old
        assert SignedNote.parse(both.note).signers([old]) == (old,)
        assert set(SignedNote.parse(both.note).signers(keys_of(engine))) == set(keys_of(engine))
        after = signed(engine, 1)
        assert SignedNote.parse(after.note).signers(keys_of(engine)) == (keys_of(engine)[1],)
        assert problems(engine, first.note, both.note, after.note) == []
        file = audit_proof(engine, EVERYTHING, 1, since=first.size)
        assert file["keys"] == sorted(map(str, keys_of(engine)))
        assert check_proof_file(file).problems == []

    def test_an_origin_is_made_where_none_is_set(self, engine: Engine) -> None:
        """Unique, and once."""
        add_entries(engine, 1)
        made = make_checkpoints(engine, BOX, origin=None, by=OPERATOR)
        assert made is not None
        assert made.origin.startswith("rice-stream/")
        add_entries(engine, 1)
        again = make_checkpoints(engine, BOX, origin="another.example", by=OPERATOR)
        assert again is not None
        assert again.origin == made.origin

    def test_the_key_is_put_under_a_new_key_of_secrets(self, engine: Engine) -> None:
        """After which the old one can be taken away."""
        signed(engine, 1)
        new = base64.b64encode(b"n" * 32).decode()
        assert seal_keys_again(engine, BOX) == 0
        assert seal_keys_again(engine, FernetBox.parse(f"{new},{SECRETS_KEY}")) == 1
        assert seal_keys_again(engine, FernetBox.parse(f"{new},{SECRETS_KEY}")) == 0
        add_entries(engine, 1)
        assert make_checkpoints(engine, FernetBox.parse(new), origin=None, by=OPERATOR) is not None


def test_the_tree_of_a_month_is_signed_once_and_proves_its_records(engine: Engine) -> None:
    """Beside the trail, in a tree of its own name; its leaves are proven by the kept blocks, and another tree is refused."""
    records = [LEAVES.leaf((number, 10 * number)) for number in range(2 * BLOCK_LEAVES + 5)]
    hashes = [leaf_hash(record) for record in records]
    tree, other = GrowingTree(), GrowingTree()
    tree.add(hashes)
    other.add(hashes[::-1])
    signed(engine, 1)
    with writing(engine) as connection:
        made = sign_month(connection, BOX, "1/2026-10", tree, by=OPERATOR)
    with writing(engine) as connection:
        assert sign_month(connection, BOX, "1/2026-10", tree, by=OPERATOR) == made
        with pytest.raises(BrokenCheckpointError, match="there is another tree of rice"):
            sign_month(connection, BOX, "1/2026-10", other, by=OPERATOR)
    signed(engine, 1)
    assert (made.kind, made.origin) == ("month", f"{ORIGIN}/month/1/2026-10")
    assert verify_trail(engine).as_json() == {"ok": True, "entries": 3, "checkpoints": 3, "months": 1, "problems": []}
    assert checkpoint_health(engine, EVERYTHING, NOW)["latest"]["kind"] == "audit"
    kept = KeptTree(made.size, tree.blocks, lambda start, end: hashes[start:end])
    leaf = ProvenLeaf(records[1500], 1500, 0, kept.inclusion(1500))
    file = proof_file(keys_of(engine), [ProvenTree("month", [made.note], [], [leaf])])
    assert check_proof_file(file).as_json() == {"ok": True, "entries": 0, "months": 1, "problems": []}


def test_one_is_made_when_an_entry_has_waited_long_enough(engine: Engine) -> None:
    """By the database's clock, so several servers make one."""
    due = partial(make_when_due, engine, BOX, origin=ORIGIN, by=OPERATOR)
    assert due(every_s=1e-6) is None
    add_entries(engine, 1)
    assert due(every_s=3600) is None
    assert due(every_s=1e-6) is not None
    assert due(every_s=1e-6) is None


def test_a_server_signs_and_publishes_by_the_role_of_its_api(engine: Engine, tmp_path: Path) -> None:
    """Which is all that a login of a server may: it needs no rights to records, nor those of the tables' owner."""
    url, kept = engine.url.render_as_string(hide_password=False), tmp_path / "checkpoints.txt"
    given = {"database_url": url, "secrets_key": SECRETS_KEY, "checkpoint_file": kept, "checkpoint_every_s": 1e-6}
    settings = Settings.model_validate(given)
    server = open_own_store(settings)
    assert server is not None
    [chore] = checkpoint_chores(settings)
    add_entries(engine, 1)
    assert [chore.run(server), chore.run(server)] == [1, 0]
    assert kept.read_text() == f"{checkpoints(engine, EVERYTHING, limit=1)[0]['note']}\n"
    both = Settings.model_validate({**given, "secrets_key": f"{'bmV3' * 10}bmU=,{SECRETS_KEY}"})
    assert [chore.run(server) for chore in checkpoint_chores(both)] == [0, 1]
    assert problems(engine, *split_notes(kept.read_text())) == []
    server.dispose()


class FakePlace:
    """Somewhere that fails when it is told to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.fails = False
        self.told: list[int] = []

    def publish(self, _engine: Engine, checkpoint: StoredCheckpoint) -> None:
        if self.fails:
            raise ServiceUnavailableError("it is away")
        self.told.append(checkpoint.id)


class TestPublishing:
    """To several places."""

    def test_each_place_is_told_of_all_in_order_and_failures_are_counted_and_tried_again(self, engine: Engine) -> None:
        """A place that is new begins with the latest; one that fails keeps no other waiting."""
        for _ in range(2):
            signed(engine, 1)
        good, bad = FakePlace("file"), FakePlace("topic")
        bad.fails = True
        assert publish_checkpoints(engine, [good, bad], "me") == 1
        signed(engine, 1)
        assert publish_checkpoints(engine, [good, bad], "me") == 1
        rows = {row["place"]: row for row in place_rows(engine, EVERYTHING)}
        assert (rows["topic"]["behind"], rows["topic"]["failures"], rows["topic"]["problem"]) == (2, 1, "it is away")
        assert (rows["file"]["behind"], rows["file"]["problem"]) == (0, None)
        bad.fails = False
        with engine.begin() as connection:
            connection.execute(text("UPDATE checkpoint_target SET next_at_us = 0"))
        assert publish_checkpoints(engine, [good, bad], "me") == 2
        assert publish_checkpoints(engine, [good, bad], "me") == 0
        assert (good.told, bad.told) == ([2, 3], [2, 3])
        topic = place_rows(engine, EVERYTHING)[1]
        assert (topic["behind"], topic["failures"], topic["failing_since"], topic["problem"]) == (0, 1, None, None)

    def test_one_server_publishes_at_a_time(self, engine: Engine) -> None:
        """Another one does nothing meanwhile; nor does one without places."""
        signed(engine, 1)
        lease = Lease(engine, "publish checkpoints", "another", seconds=60)
        assert lease.acquire(int(datetime.now(UTC).timestamp() * 1e6))
        place = FakePlace("file")
        assert publish_checkpoints(engine, [place], "me") == 0
        lease.release()
        assert publish_checkpoints(engine, [], "me") == 0
        assert publish_checkpoints(engine, [place], "me") == 1


def test_what_is_listed_says_what_is_covered(trail: Engine) -> None:
    """Latest first, page by page; and how old the latest is, and what came since."""
    page = checkpoint_page(trail, EVERYTHING, limit=2)
    assert [row["size"] for row in page["rows"]] == [9, 7]
    assert page["next"] is not None
    assert [row["size"] for row in checkpoint_page(trail, EVERYTHING, after=page["next"], limit=2)["rows"]] == [4]
    assert checkpoint_page(trail, EVERYTHING, kind="month")["rows"] == []
    with writing(trail) as connection:
        sign_month(connection, BOX, "1/2026-10", GrowingTree(), by=OPERATOR)
    acme = Scope(frozenset({"acme"}))
    assert [len(checkpoint_page(trail, scope)["rows"]) for scope in (EVERYTHING, acme)] == [4, 3]
    assert checkpoint_page(trail, acme, kind="month")["rows"] == []
    health = checkpoint_health(trail, EVERYTHING, datetime.now(UTC) + timedelta(hours=1))
    assert (health["latest"]["size"], health["uncovered"], health["holds"], health["problem"]) == (9, 1, True, None)
    assert 3600 <= health["uncovered_s"] <= health["age_s"] < 4200
    Tampering(trail).change(["UPDATE checkpoint SET size = 8 WHERE id = 3"])
    assert checkpoint_health(trail, EVERYTHING, NOW)["holds"] is False
