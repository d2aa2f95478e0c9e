"""Keys that servers share: one for each purpose, whoever asks and when."""

from concurrent.futures import ThreadPoolExecutor

from rice_stream.api.cursors import Cursors
from rice_stream.store.engine import Engine, open_engine
from rice_stream.store.server_keys import KEY_BYTES, shared_key


class TestServerKeys:
    """On every database."""

    def test_all_servers_have_the_same_key_also_those_that_start_together(self, engine: Engine) -> None:
        """Random, and another one for another purpose."""
        servers = [open_engine(engine.url.render_as_string(hide_password=False)) for _ in range(4)]
        with ThreadPoolExecutor(len(servers)) as threads:
            keys = set(threads.map(lambda server: shared_key(server, "cursors"), servers))
        for server in servers:
            server.dispose()
        [key] = keys
        assert len(key) == KEY_BYTES
        assert shared_key(engine, "cursors") == key != shared_key(engine, "other")

    def test_a_cursor_is_good_at_every_server_of_the_database(self, engine: Engine) -> None:
        """And after a restart of the one that gave it."""
        one, other = (Cursors(shared_key(engine, "cursors")) for _ in range(2))
        assert other.read(one.write(b"position", b"question"), b"question") == b"position"
