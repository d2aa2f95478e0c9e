"""Addresses of the dashboard's pages, for who reads an alert somewhere else."""

from collections.abc import Iterable

_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def absolute(public_url: str, path: str, pairs: Iterable[tuple[str, str]] = ()) -> str:
    """A page's address with its parameters; a path of our own needs no quoting, values do."""
    query = "&".join(f"{name}={_quoted(value)}" for name, value in pairs)
    return public_url.rstrip("/") + path + (f"?{query}" if query else "")


def _quoted(value: str) -> str:
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in value.encode("utf-8", "replace"))
