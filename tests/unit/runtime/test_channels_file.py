"""Channels of a file: `serve` sets them when it starts, or as soon as its database answers."""

import base64
import logging
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from rice_stream.errors import UsageError
from rice_stream.reports.audit import audit_entries
from rice_stream.reports.channels import channels
from rice_stream.runtime import channels_file
from rice_stream.runtime.channels_file import following_channels_file, read_channels_file
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from rice_stream.store.scope import EVERYTHING
from tests.support.databases import SqliteDatabases
from tests.support.reports_store import NOON
from tests.support.waiting import wait_until

KEY = base64.b64encode(b"k" * 32).decode()
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
GOOD = 'channels: [{name: ops, type: webhook, url: "https://example.com/hook", secret_env: HOOK_SECRET}]'


def settings_of(url: str, path: Path | None, **more: Any) -> Settings:
    """Of a server with a file of channels."""
    return Settings.model_validate({"database_url": url, "channels_file": path, "secrets_key": KEY, **more})


def names(engine: Engine) -> list[str]:
    """Of the channels there are."""
    return [row["name"] for row in channels(engine, EVERYTHING, NOON)]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good file, with its secret in the environment."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    path = tmp_path / "channels.yaml"
    path.write_text(GOOD)
    return path


def test_the_channels_are_set_at_the_start_and_others_stay(sqlite: SqliteDatabases, file: Path) -> None:
    """The audit trail names the setting; a start with the same file changes nothing."""
    url = sqlite.migrated()
    engine = open_engine(url)
    for _ in range(2):
        with following_channels_file(settings_of(url, file)):
            assert names(engine) == ["kafka", "ops"]
    (entry,) = audit_entries(engine, EVERYTHING)["rows"]
    assert (entry["action"], entry["actor"]["name"]) == ("channel.set", "RICE_CHANNELS_FILE")
    with following_channels_file(settings_of(url, None)):
        assert names(engine) == ["kafka", "ops"]
    engine.dispose()


def test_without_a_database_they_are_set_as_soon_as_it_is_there(
    sqlite: SqliteDatabases, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that has to wait takes events meanwhile."""
    monkeypatch.setattr(channels_file, "_PAUSE_S", 0.05)
    url = sqlite.empty()
    with following_channels_file(settings_of(url, file)):
        engine = open_engine(url)
        migrate(engine)
        wait_until(lambda: names(engine) == ["kafka", "ops"], 20, "the channels of the file")
        engine.dispose()


def test_what_only_shows_then_is_in_the_log_and_ends_it(
    sqlite: SqliteDatabases, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as that there is no key to keep secrets with; the server goes on, and no secret is in the log."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(channels_file, "_PAUSE_S", 0.05)
    url = sqlite.empty()
    with following_channels_file(settings_of(url, file, secrets_key=None)):
        engine = open_engine(url)
        migrate(engine)
        engine.dispose()
        wait_until(lambda: "RICE_SECRETS_KEY" in caplog.text, 20, "the error in the log")
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("channels: [", "is not YAML: see line 1"),
        (b"\xff", "is not YAML"),
        ("channels: [{name: ops}]", r"channels\[0\].type: is missing"),
        (GOOD.replace("HOOK_SECRET", "NOWHERE"), r"channels\[0\].secret_env: NOWHERE is not set"),
    ],
)
def test_a_bad_file_keeps_the_server_from_starting(
    sqlite: SqliteDatabases, file: Path, content: str | bytes, said: str
) -> None:
    """Before anything is set."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=said), following_channels_file(settings_of(sqlite.migrated(), file)):
        pass


def test_a_file_that_is_not_there_is_named_with_the_setting(sqlite: SqliteDatabases, file: Path) -> None:
    file.unlink()
    settings = settings_of(sqlite.migrated(), file)
    with pytest.raises(UsageError, match="RICE_CHANNELS_FILE: cannot read"), following_channels_file(settings):
        pass
    with pytest.raises(OSError, match="No such file"):
        read_channels_file(file)
