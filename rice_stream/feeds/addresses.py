"""Which addresses a call may connect to, so that an address from outside cannot make this machine ask another one within.

What is checked is the address of the connection itself: a name that leads elsewhere between look-up and connection
(DNS rebinding) gains nothing.
"""

import errno
import ipaddress
import socket
from collections.abc import Callable
from enum import Enum
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
MakeSocket = Callable[[Any], socket.socket]
"""Makes the socket of a connection to an address, as `socket.getaddrinfo` describes it."""
_SHARED = ipaddress.ip_network("100.64.0.0/10")
"""Between a provider and its customers (RFC 6598): neither private nor public."""
_LAST_BITS = tuple(ipaddress.ip_network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96"))
"""Their last 32 bits are an IPv4 address: NAT64 (RFC 6052, and within a network RFC 8215) and SIIT (RFC 2765)."""


class Reach(Enum):
    """How far a call may go. Never: link-local addresses (where clouds keep credentials), multicast, 0.0.0.0."""

    PUBLIC = "public addresses"
    INTERNAL = "public and private addresses"
    LOOPBACK = "the addresses of this machine"


class ForbiddenAddressError(OSError):
    """The name leads to an address that the call may not connect to."""


def within(reach: Reach, address: Address) -> bool:
    """Whether a call may connect to the address."""
    address = embedded(address)
    if reach is Reach.LOOPBACK:
        return address.is_loopback
    if address.is_loopback or is_never(address):
        return False
    if address.is_global:
        return True
    shared = address.version == 4 and address in _SHARED
    return reach is Reach.INTERNAL and (address.is_private or shared)


def is_never(address: Address) -> bool:
    """Whether no call goes there, whatever it may reach: nobody's own address, or one where clouds keep credentials."""
    local = address.is_link_local or (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    # Python takes for global what stands below ::/8, among it an IPv4 address written as ::a.b.c.d.
    reserved = address.is_reserved and not address.is_loopback
    return local or reserved or address.is_multicast or address.is_unspecified


def names_loopback(url: str) -> bool:
    """Whether the URL itself names this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def goes_by_proxy(url: str) -> bool:
    """Whether the environment names a proxy for the URL, which then decides what may be reached."""
    parts = urlsplit(url)
    return parts.scheme in getproxies() and not proxy_bypass(parts.hostname or "")


def checked_socket(reach: Reach) -> MakeSocket:
    """Makes the socket of a connection. ForbiddenAddressError: its address is not within reach."""
    return guarded_socket(
        lambda address, _port: (
            None if within(reach, address) else f"is not one of {reach.value}, so it is not connected to"
        )
    )


def guarded_socket(refusal: Callable[[Address, int], str | None]) -> MakeSocket:
    """Makes the socket of a connection. ForbiddenAddressError: `refusal` says of its address and port what is wrong with them."""

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, place = info
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        refused = refusal(address, place[1])
        if refused is not None:
            raise ForbiddenAddressError(errno.EACCES, f"{address} {refused}")
        return socket.socket(family=family, type=kind, proto=protocol)

    return make


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if any(address in network for network in _LAST_BITS):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    # Of Teredo: the server that tunnels, and the client behind it, which is where the packet ends.
    client = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or client or address
