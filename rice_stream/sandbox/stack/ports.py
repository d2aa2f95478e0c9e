"""Free loopback ports that stay free while their server is down for a restart."""

import random
import socket

from rice_stream.errors import ServiceUnavailableError

LOOPBACK = "127.0.0.1"

# Below the ranges from which the common systems take the local ports of outgoing connections (Linux 32768-60999, IANA
# and macOS 49152-65535): otherwise a client that reconnects in a loop could sit on the server's port at its restart.
_LOWEST_PORT, _HIGHEST_PORT = 10_240, 32_000
_ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def accepts_connections(port: int) -> bool:
    """Whether a server listens on the loopback port now."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    """Return `count` different free loopback ports, chosen at random so that stacks started together differ.

    Raises:
        ServiceUnavailableError: nearly every port of the range is taken.
    """
    # Seeded by the system; a run of a seeded test must not make two stacks choose alike.
    candidates = random.SystemRandom().sample(range(_LOWEST_PORT, _HIGHEST_PORT), _ATTEMPTS)
    found: list[int] = []
    for port in candidates:
        if is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise ServiceUnavailableError(
        f"no {count} free ports found on {LOOPBACK} between {_LOWEST_PORT} and {_HIGHEST_PORT}: "
        "stop what is listening there"
    )
