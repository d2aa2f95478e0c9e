"""Which receivers a delivery may connect to: public ones with TLS on the usual ports, and what the operator allows besides."""

import ipaddress
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Self

from rice_stream.errors import UsageError
from rice_stream.feeds.addresses import Address, Reach, embedded, is_never, within

SETTING = "RICE_ALERT_ALLOWED_HOSTS"
HTTP_PORTS = frozenset({80, 443})
MAIL_PORTS = frozenset({25, 465, 587, 2525})
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", re.ASCII)
_WITH_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*):(?P<port>\d{1,5})", re.ASCII)
_PORT_MAX = 65_535
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """Receivers that may be reached although they are internal, are asked on another port, or do not encrypt.

    A port of None is every port. What is allowed by its name may lead to any address but those that no call goes to.
    """

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[tuple[_Network, int | None], ...] = ()

    @classmethod
    def parse(cls, entries: Sequence[str]) -> Self:
        """Of `host`, `host:port`, an address or a network such as `10.4.0.0/16`. UsageError: an entry is none of them."""
        hosts: set[tuple[str, int | None]] = set()
        networks: list[tuple[_Network, int | None]] = []
        for entry in entries:
            host, port = _split(entry)
            network = _network(host, entry)
            if network is not None:
                networks.append((network, port))
            elif _HOST.fullmatch(normal := normal_host(host)):
                hosts.add((normal, port))
            else:
                raise _wrong(entry)
        return cls(frozenset(hosts), tuple(networks))

    def refusal(self, host: str, *, ports: Collection[int], encrypted: bool) -> Callable[[Address, int], str | None]:
        """What is wrong with connecting to an address and port for `host`, as the channel names it; None: nothing is."""
        name = normal_host(host)
        named = f"[{host}]" if ":" in host else host

        def refuse(address: Address, port: int) -> str | None:
            if is_never(embedded(address)):
                return "is not connected to: it is nobody's own address, or one where clouds keep credentials"
            if self._allows(name, address, port):
                return None
            if not within(Reach.PUBLIC, address):
                return f"is an internal address: to allow it, name {named}:{port} in {SETTING}"
            if port not in ports:
                usual = ", ".join(map(str, sorted(ports)))
                return (
                    f"is asked on port {port}, which is none of {usual}: to allow it, name {named}:{port} in {SETTING}"
                )
            if not encrypted:
                return f"would be sent to in the clear: use TLS, or name {named}:{port} in {SETTING}"
            return None

        return refuse

    def _allows(self, name: str, address: Address, port: int) -> bool:
        if (name, None) in self.hosts or (name, port) in self.hosts:
            return True
        meant = {address, embedded(address)}
        return any(each in network for network, allowed in self.networks if allowed in (None, port) for each in meant)


def normal_host(host: str) -> str:
    """A name as it is compared: lower case, without the dot of the root, in ASCII where it has such a form."""
    name = host.lower().removesuffix(".")
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return name


def _split(entry: str) -> tuple[str, int | None]:
    match = _WITH_PORT.fullmatch(entry)
    if match is None:
        return entry, None
    port = int(match["port"])
    if not 1 <= port <= _PORT_MAX or (match["host"].startswith("[") and ":" not in match["host"]):
        raise _wrong(entry)
    return match["host"].removeprefix("[").removesuffix("]"), port


def _network(host: str, entry: str) -> _Network | None:
    """None: it is a name."""
    try:
        return ipaddress.ip_network(host)
    except ValueError as error:
        if "/" in host and "//" not in host:
            raise UsageError(f"{SETTING}: {entry!r} is no network; write it as 10.4.0.0/16 ({error})") from error
        return None


def _wrong(entry: str) -> UsageError:
    return UsageError(
        f"{SETTING}: {entry!r} is neither a host such as alertmanager.monitoring, with a port or without one, nor an address or a"
        " network such as 10.4.0.0/16"
    )
