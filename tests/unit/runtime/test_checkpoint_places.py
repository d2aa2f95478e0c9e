"""Places that checkpoints are published to: a file, channels and git here; the topic is in tests/integration."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from rice_stream.alerting.channels import set_channel
from rice_stream.channels.letters import letter_of
from rice_stream.channels.parsing import parse_channel
from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.ledger.publishing import publish_checkpoints
from rice_stream.reports.checkpoints import place_rows
from rice_stream.reports.deliveries import delivery_page
from rice_stream.runtime.checkpoint_checks import checkpoint_checks
from rice_stream.runtime.checkpoint_chores import checkpoint_chores
from rice_stream.runtime.checkpoint_places import ChannelPlace, FilePlace, GitPlace, TopicPlace, checkpoint_places
from rice_stream.runtime.checks import Check
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store import schema
from rice_stream.store.engine import open_engine, reading
from rice_stream.store.scope import EVERYTHING
from tests.support.audited import BOX, ORIGIN, SECRETS_KEY, Tampering, add_entries, signed
from tests.support.databases import SqliteDatabases
from tests.support.fakes import OPERATOR


@pytest.fixture
def url(sqlite: SqliteDatabases) -> str:
    return sqlite.migrated()


@pytest.fixture
def engine(url: str) -> Engine:
    return open_engine(url)


def git(folder: Path, *arguments: str) -> str:
    program = shutil.which("git")
    assert program is not None
    return subprocess.run([program, "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout


def test_all_places_of_the_settings_are_there(tmp_path: Path) -> None:
    """And none without."""
    assert checkpoint_places(Settings()) == ()
    given = {
        "checkpoint_file": tmp_path / "f",
        "checkpoint_topic": "t",
        "checkpoint_channels": ("a", "b"),
        "checkpoint_git": tmp_path,
    }
    places = checkpoint_places(Settings.model_validate(given))
    assert [place.name for place in places] == ["file", "topic", "channel:a", "channel:b", "git"]


def test_a_file_is_added_to(engine: Engine, tmp_path: Path) -> None:
    """Notes one after the other; where it cannot be written, why."""
    first, second = signed(engine, 1), signed(engine, 1)
    path = tmp_path / "checkpoints.txt"
    for made in (first, second):
        FilePlace(path).publish(engine, made)
    assert path.read_text() == f"{first.note}\n{second.note}\n"
    with pytest.raises(ServiceUnavailableError, match=r"RICE_CHECKPOINT_FILE: cannot write .*\(Is a directory\)"):
        FilePlace(tmp_path).publish(engine, first)


def test_a_channel_gets_one_delivery_with_all_of_the_note(engine: Engine) -> None:
    """A channel of some tenants is none for it."""
    made = signed(engine, 1)
    url = "https://example.com/hook"
    for name, tenants in (("auditor", "*"), ("acme-only", ["acme"])):
        channel = {"name": name, "type": "alertmanager", "url": url, "tenants": tenants}
        set_channel(engine, EVERYTHING, BOX, parse_channel(channel), OPERATOR)
    for _ in range(2):
        ChannelPlace("auditor").publish(engine, made)
    [row] = delivery_page(engine, EVERYTHING)["rows"]
    assert (row["kind"], row["channel"]) == ("notice", "auditor")
    with reading(engine) as connection:
        content = connection.scalar(select(schema.delivery.c.content))
    letter = letter_of(json.loads(str(content)))
    assert letter.data == {"origin": ORIGIN, "size": 2, "note": made.note}
    facts = [value for _, value in letter.facts]
    assert "\n".join([*facts[:3], "", *facts[3:], ""]) == made.note
    with engine.begin() as connection:
        connection.execute(update(schema.channel).values(state="disabled"))
    with pytest.raises(UsageError, match="the channel 'auditor' is disabled"):
        ChannelPlace("auditor").publish(engine, made)
    for name in ("acme-only", "nobody"):
        with pytest.raises(UsageError, match=f"RICE_CHECKPOINT_CHANNELS: there is no channel '{name}' of every tenant"):
            ChannelPlace(name).publish(engine, made)


def test_git_has_a_commit_for_each_checkpoint_and_is_pushed(engine: Engine, tmp_path: Path) -> None:
    """What was committed already is not again; a folder that is no working tree is said."""
    bare, tree = tmp_path / "bare.git", tmp_path / "tree"
    git(tmp_path, "init", "--quiet", "--bare", "-b", "main", str(bare))
    git(tmp_path, "clone", "--quiet", str(bare), str(tree))
    for name, value in (("user.name", "rice"), ("user.email", "rice@example.com"), ("push.autoSetupRemote", "true")):
        git(tree, "config", name, value)
    git(tree, "checkout", "-q", "-b", "main")
    first, second = signed(engine, 1), signed(engine, 1)
    for made in (first, second, second):
        GitPlace(tree).publish(engine, made)
    assert git(bare, "log", "--format=%s").splitlines() == [f"Checkpoint of {ORIGIN} at {size}" for size in (3, 2)]
    assert git(bare, "show", "main:checkpoints.txt") == f"{first.note}\n{second.note}\n"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(ServiceUnavailableError, match=r"RICE_CHECKPOINT_GIT: git add: fatal: not a git repository"):
        GitPlace(elsewhere).publish(engine, first)


def test_a_broker_that_is_away_is_said(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the time that a confirmation may take."""
    monkeypatch.setattr("rice_stream.runtime.checkpoint_places._CONFIRMED_WITHIN_S", 1.2)
    settings = Settings.model_validate({"kafka_bootstrap_servers": "127.0.0.1:1"})
    with pytest.raises(ServiceUnavailableError, match="RICE_CHECKPOINT_TOPIC: checkpoints: "):
        TopicPlace(settings, "checkpoints").publish(engine, signed(engine, 1))


def test_a_server_makes_and_publishes_where_there_is_a_key_of_secrets(url: str, engine: Engine, tmp_path: Path) -> None:
    """Its chores: none without one; with several, the signing key is put under the first."""
    assert checkpoint_chores(Settings()) == ()
    path = tmp_path / "checkpoints.txt"
    given = {"database_url": url, "secrets_key": SECRETS_KEY, "checkpoint_file": path, "checkpoint_every_s": 1e-6}
    [chore] = checkpoint_chores(Settings.model_validate(given))
    add_entries(engine, 1)
    assert [chore.run(engine), chore.run(engine)] == [1, 0]
    assert path.read_text().startswith("rice-stream/")
    assert [row["behind"] for row in place_rows(engine, EVERYTHING)] == [0]
    both = checkpoint_chores(Settings.model_validate({**given, "secrets_key": f"{'bmV3' * 10}bmU=,{SECRETS_KEY}"}))
    assert [chore.name for chore in both] == ["checkpoints", "signing keys"]
    assert both[1].run(engine) == 1


def test_the_check_says_whether_the_trail_is_covered_and_told_of(url: str, engine: Engine, tmp_path: Path) -> None:
    """A missing key is no problem; entries that wait, a place that is away and a changed checkpoint are."""
    later = datetime(2100, 1, 1, tzinfo=UTC)

    def checked(now: datetime, **more: object) -> list[Check]:
        return list(checkpoint_checks(Settings.model_validate({"database_url": url, **more}), lambda: now))

    assert [each.ok for each in checked(later)] == [True]
    assert "RICE_SECRETS_KEY" in checked(later)[0].detail
    assert "none yet" in checked(later, secrets_key=SECRETS_KEY)[0].detail
    signed(engine, 2)
    [good] = checked(later)
    assert (good.ok, good.detail) == (True, "the latest covers 3 entries of the audit trail, and 0 came since")
    add_entries(engine, 1)
    assert [each.ok for each in checked(datetime.now(UTC))] == [True]
    [late] = checked(later)
    assert not late.ok
    assert late.detail.startswith("1 entries of the audit trail wait for one, the oldest for ")
    publish_checkpoints(engine, [FilePlace(tmp_path)], "me")
    Tampering(engine).change(["UPDATE checkpoint SET root = :other"], other=bytes(32))
    assert [each.detail.split(" ")[0] for each in checked(datetime.now(UTC))] == ["checkpoint", "file"]
    assert (
        list(checkpoint_checks(Settings.model_validate({"database_url": f"sqlite:///{tmp_path}/no.db"}), lambda: later))
        == []
    )
