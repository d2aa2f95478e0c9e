"""A connection that can be cut: a proxy in front of a server's Unix socket."""

import socket
import threading
from contextlib import suppress
from pathlib import Path


class CutProxy:
    """Passes bytes on between a loopback port and a Unix socket, until it is cut; the port stays the same."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._listener: socket.socket | None = None
        self.port = 0
        self._open: list[socket.socket] = []
        self.restore()

    def cut(self) -> None:
        """Close the port and every connection: whoever asks is refused, as behind a firewall that says so."""
        # A shutdown ends an accept that waits, which closing alone would not.
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        while self._open:
            _end(self._open.pop())

    def restore(self) -> None:
        """Take connections, on the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                try:
                    server.connect(str(self._target))
                except OSError:
                    _end(client)
                    continue
                self._open += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    _end(source)
    _end(sink)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
