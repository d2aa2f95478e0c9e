"""A real PgBouncer in transaction mode in front of the session's PostgreSQL."""

import shutil
import signal
from pathlib import Path
from urllib.parse import quote

import psycopg

from rice_stream.sandbox.stack.accounts import unprivileged_account
from rice_stream.sandbox.stack.postgres import SUPERUSER, PostgresServer
from rice_stream.sandbox.stack.processes import ChildProcess
from rice_stream.sandbox.stack.server import Server
from tests.support.programs import program

CONFIG = """
[databases]
* = host={sockets} user={user} pool_size={sessions}
[pgbouncer]
listen_addr =
listen_port = 5432
unix_socket_dir = {directory}
unix_socket_mode = 0700
auth_type = any
pool_mode = transaction
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
"""


class PgBouncer(Server):
    """Every transaction of a client may run in another of a few server sessions; nothing of a session is reset."""

    name = "PgBouncer"
    _stop_signal = signal.SIGTERM  # at once, without waiting for clients

    def __init__(self, directory: Path, postgres: PostgresServer, *, sessions: int) -> None:
        super().__init__(directory)
        self._postgres = postgres
        self._sessions = sessions
        self._account = unprivileged_account(directory)

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database through the pooler."""
        return f"postgresql+psycopg://{SUPERUSER}@/{quote(database, safe='')}?host={quote(str(self.data_dir))}"

    def _prepare(self) -> None:
        parsed = psycopg.conninfo.conninfo_to_dict(self._postgres.conninfo())
        config = CONFIG.format(sockets=parsed["host"], user=SUPERUSER, sessions=self._sessions, directory=self.data_dir)
        path = self.data_dir / "pgbouncer.ini"
        path.write_text(config)
        if self._account:
            for owned in (self.data_dir, path):
                shutil.chown(owned, self._account.uid, self._account.gid)

    def _spawn_server(self) -> ChildProcess:
        argv = [program("pgbouncer"), str(self.data_dir / "pgbouncer.ini")]
        return ChildProcess(self.name, argv, log=self.log, stop_signal=self._stop_signal, account=self._account)

    def _answers(self) -> bool:
        try:
            with psycopg.connect(host=str(self.data_dir), user=SUPERUSER, dbname=SUPERUSER, connect_timeout=5) as found:
                found.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True
