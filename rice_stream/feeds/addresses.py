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
_SHARED = ipaddress.ip_network("100.64.0.0/10")
"""Between a provider and its customers (RFC 6598): neither private nor public."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Reach(Enum):
    """How far a call may go. Never: link-local addresses (where clouds keep credentials), multicast, 0.0.0.0."""

    PUBLIC = "public addresses"
    INTERNAL = "public and private addresses"
    LOOPBACK = "the addresses of this machine"


class ForbiddenAddressError(OSError):
    """The name leads to an address that the call may not connect to."""


def within(reach: Reach, address: Address) -> bool:
    """Whether a call may connect to the address."""
    address = _embedded(address)
    if reach is Reach.LOOPBACK:
        return address.is_loopback
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if address.is_global:
        return True
    shared = address.version == 4 and address in _SHARED
    return reach is Reach.INTERNAL and (address.is_private or shared) and not address.is_reserved


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


def checked_socket(reach: Reach) -> Callable[[Any], socket.socket]:
    """Makes the socket of a connection. ForbiddenAddressError: its address is not within reach."""

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, place = info
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        if not within(reach, address):
            said = f"{address} is not one of {reach.value}, so it is not connected to"
            raise ForbiddenAddressError(errno.EACCES, said)
        return socket.socket(family=family, type=kind, proto=protocol)

    return make


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
