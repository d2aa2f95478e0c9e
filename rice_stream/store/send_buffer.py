"""Room between a writer and PostgreSQL on the same machine, so that neither waits for the other part by part."""

import os
import socket

SEND_BUFFER_BYTES = 4 * 1024 * 1024
"""As much as TCP gives by itself; the system may allow less."""


def give_room_to_send(descriptor: int) -> None:
    """Of a connection's socket, where it is one of Unix: its buffer holds 0.2 MB, a batch is some of these, and it stays as it
    is while TCP's grows."""
    with socket.socket(fileno=os.dup(descriptor)) as connected:
        if connected.family == getattr(socket, "AF_UNIX", None):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
