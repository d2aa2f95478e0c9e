"""Kafka's jars are fetched once, checked whole, and never run when damaged; PostgreSQL finds an account to run as."""

import os
from pathlib import Path

import pytest

from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.sandbox.stack.accounts import can_enter, require_entry, unprivileged_account
from rice_stream.sandbox.stack.jars import KAFKA_VERSION, LockedJar, cache_directory, ensure_jars, locked_jars
from rice_stream.sandbox.stack.java import OLDEST_JAVA, find_java
from rice_stream.sandbox.stack.ports import free_ports, is_free
from rice_stream.sandbox.stack.processes import Account

NOBODY_IN_PARTICULAR = Account("somebody", 54_321, 54_321)


@pytest.fixture
def smallest() -> LockedJar:
    """The jar that is quickest to copy."""
    return min(locked_jars(), key=lambda jar: (cached() / jar.filename).stat().st_size)


def cached() -> Path:
    """The cache that `make setup` has filled."""
    return cache_directory() / f"kafka-{KAFKA_VERSION}"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with every jar in it, as links to the real one."""
    folder = tmp_path / "cache" / cached().name
    folder.mkdir(parents=True)
    for jar in locked_jars():
        (folder / jar.filename).symlink_to(cached() / jar.filename)
    return folder.parent


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own repository of jars, empty; everything remote is out of reach."""
    for name in list(os.environ):
        if name.lower() in {"no_proxy", "http_proxy", "https_proxy", "all_proxy"}:
            monkeypatch.delenv(name)
    (port,) = free_ports(1)
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    return tmp_path / "m2"


def put(repository: Path, jar: LockedJar, content: bytes) -> None:
    """Put a file where a repository keeps the jar."""
    folder = repository / jar.group.replace(".", "/") / jar.artifact / jar.version
    folder.mkdir(parents=True)
    (folder / jar.filename).write_bytes(content)


def test_a_whole_cache_needs_no_network(cache: Path, repository: Path) -> None:
    """Nothing is fetched or said when every jar is there; the class path is in the order of the lock file."""
    said: list[str] = []
    paths = ensure_jars(said.append, cache)
    assert [path.name for path in paths] == [jar.filename for jar in locked_jars()]
    assert len(paths) == 45
    assert said == []
    assert not repository.exists()


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_damaged_cache_is_mended(cache: Path, repository: Path, smallest: LockedJar, damage: str) -> None:
    """A torn or missing jar is fetched again (here: from the user's own repository), and only that one."""
    good = (cached() / smallest.filename).read_bytes()
    torn = cache / cached().name / smallest.filename
    torn.unlink()
    if damage == "truncated":
        torn.write_bytes(good[:-1])
    put(repository, smallest, good)
    said: list[str] = []
    ensure_jars(said.append, cache)
    assert torn.read_bytes() == good
    assert said[0] == f"fetching Apache Kafka {KAFKA_VERSION}: 1 jars"
    assert not (torn.parent / "unchecked").exists()


def test_a_jar_that_is_not_the_known_one_is_never_used(cache: Path, repository: Path, smallest: LockedJar) -> None:
    """A file with another hash does not enter the cache; the error names the jar and what to do."""
    (cache / cached().name / smallest.filename).unlink()
    put(repository, smallest, b"something else")
    with pytest.raises(ServiceUnavailableError, match=rf"(?s)could not fetch {smallest.filename}.*Check the network"):
        ensure_jars(lambda line: None, cache)
    assert not (cache / cached().name / smallest.filename).exists()


def test_java_is_found_and_an_old_one_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The wheel's Java is used; without it one on the PATH is, unless it is too old."""
    assert find_java().is_file()
    monkeypatch.setattr("rice_stream.sandbox.stack.java.find_spec", lambda name: None)
    java = tmp_path / "java"
    for version, new_enough in ((OLDEST_JAVA - 6, False), (OLDEST_JAVA, True)):
        java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}.0.2\"' >&2\n")
        java.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        if new_enough:
            assert find_java() == java
        else:
            with pytest.raises(UsageError, match=rf"Java {OLDEST_JAVA} or newer and found {java}"):
                find_java()


def test_an_account_enters_only_where_permissions_let_it(shared_directory: Path) -> None:
    """One closed directory above is enough to keep the account out, and the error says what to do."""
    inner = shared_directory / "outer" / "inner"
    inner.mkdir(parents=True)
    shared_directory.chmod(0o711)
    (shared_directory / "outer").chmod(0o755)
    inner.chmod(0o701)
    assert can_enter(inner, NOBODY_IN_PARTICULAR)
    require_entry(inner, NOBODY_IN_PARTICULAR, "the data directory")
    (shared_directory / "outer").chmod(0o750)
    assert not can_enter(inner, NOBODY_IN_PARTICULAR)
    with pytest.raises(UsageError, match=r"the data directory .*inner: .*'somebody'.*chmod o\+x"):
        require_entry(inner, NOBODY_IN_PARTICULAR, "the data directory")
    owner = Account("owner", inner.stat().st_uid, inner.stat().st_gid)
    assert can_enter(shared_directory / "outer", owner)


def test_only_root_changes_the_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An ordinary user runs PostgreSQL as himself; root as an unprivileged account."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert unprivileged_account(tmp_path / "new") is None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    account = unprivileged_account(tmp_path / "new")
    assert account is not None
    assert account.uid != 0


def test_free_ports_are_free_different_and_out_of_the_way_of_clients() -> None:
    """No port is given twice, and none lies where outgoing connections get theirs (32768 and above)."""
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(10_000 < port < 32_768 and is_free(port) for port in ports)
