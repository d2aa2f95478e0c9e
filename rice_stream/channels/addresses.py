"""Addresses of channels: what each type's looks like, what of it is secret, and what may be shown. Pure.

A webhook, Slack, Alertmanager and PagerDuty have an HTTP address. E-mail has one as
`smtp://USER@mail.example.com:587?from=rice@example.com&to=ops@example.com,cfo@example.com`, with `smtps` where the connection
begins with TLS; with `smtp` it must change to TLS before anything is sent, unless `tls=none` is there. The password is the
channel's secret.
"""

import base64
import re
from dataclasses import dataclass

from rice_stream.channels.definition import ChannelType

PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
"""Where PagerDuty takes events, unless an address is given (accounts in Europe have another one)."""
ADDRESS_LENGTH_MAX = 2_048
RECIPIENTS_MAX = 50
_PORTS = {"smtp": 587, "smtps": 465}
_MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)
_ADDRESS = re.compile(
    r"(?P<scheme>[a-z]+)://(?:(?P<user>[^/?#@\\]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?"
    r"(?P<path>/[^?#\\]*)?(?:\?(?P<query>[^#]*))?",
    re.ASCII,
)
"""Narrower than what programs take for an address, so that none of them reads one in another way."""
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)
_FORM = "must be smtp://HOST:PORT?from=ADDRESS&to=ADDRESS,ADDRESS"


@dataclass(frozen=True, slots=True)
class MailAddress:
    """Where mail of a channel is handed in, from whom it is, and to whom it goes. `user` None: without signing in."""

    host: str
    port: int
    implicit_tls: bool
    """The connection begins with TLS."""
    plain: bool
    """Nothing is encrypted: for a relay on the same machine or network."""
    user: str | None
    sender: str
    recipients: tuple[str, ...]


def address_problem(kind: ChannelType, address: object) -> str | None:
    """What is wrong with an address of this type, without repeating it: it may be a secret. None: nothing is."""
    if not isinstance(address, str) or not address:
        return "must be a non-empty text"
    if len(address) > ADDRESS_LENGTH_MAX:
        return f"must have at most {ADDRESS_LENGTH_MAX} characters, got {len(address)}"
    if not _PRINTABLE.fullmatch(address):
        return "must be printable ASCII without blanks; write other characters as %XX"
    if "#" in address:
        return "must have no part after '#': it would never be sent"
    parts = _ADDRESS.fullmatch(address)
    if parts is None or not 0 < int(parts["port"] or 1) < 65_536:
        return _FORM if kind == "email" else "must be https://HOST:PORT/PATH, with a port from 1 to 65535 if any"
    if kind == "email":
        return _mail_problem(parts)
    if parts["scheme"] not in ("http", "https"):
        return "must begin with https:// or http://"
    return None


def shown(kind: ChannelType, address: str) -> str:
    """What may be shown of an address: of Slack's the host, of others all but user, password and query (of mail: but the user).

    >>> shown("webhook", "https://me:pw@example.com/hook?key=1"), shown("slack", "https://hooks.slack.com/services/T/B/x")
    ('https://example.com/hook', 'https://hooks.slack.com')
    """
    parts = _parts(address)
    place = f"{parts['scheme']}://{parts['host']}" + (f":{parts['port']}" if parts["port"] else "")
    if kind == "slack":
        return place
    query = f"?{parts['query']}" if kind == "email" else ""
    return place + (parts["path"] or "") + query


def is_secret(kind: ChannelType, address: str) -> bool:
    """Whether anything of the address may not be shown."""
    return shown(kind, address) != address


def secret_parts(kind: ChannelType, address: str) -> frozenset[str]:
    """What of an address is not shown: by itself, in parts, and as receivers may have been sent it or write it again."""
    if not is_secret(kind, address):
        return frozenset()
    parts = _parts(address)
    user, query = parts["user"] or "", parts["query"] or ""
    found = {address, user, *user.split(":", 1), base64.b64encode(_unescaped(user).encode()).decode()}
    if kind != "email":
        found |= {query, *(value for _, value in _fields(query))}
    if kind == "slack":
        found |= {parts["path"] or "", *(parts["path"] or "").split("/")}
    return frozenset(filter(None, found | set(map(_unescaped, found))))


def mail_address(address: str) -> MailAddress:
    """The parts of an address that `address_problem` finds nothing wrong with."""
    parts = _parts(address)
    query = dict(_fields(parts["query"]))
    return MailAddress(
        host=parts["host"].strip("[]"),
        port=int(parts["port"] or _PORTS[parts["scheme"]]),
        implicit_tls=parts["scheme"] == "smtps",
        plain=query.get("tls") == "none",
        user=_unescaped(parts["user"] or "") or None,
        sender=query["from"],
        recipients=tuple(query["to"].split(",")),
    )


def _parts(address: str) -> re.Match[str]:
    parts = _ADDRESS.fullmatch(address)
    if parts is None:
        raise ValueError("this is no address")
    return parts


def _fields(query: str) -> list[tuple[str, str]]:
    """Names and values. Not as forms are read: there a '+', which addresses have, is a blank."""
    pairs = (field.partition("=") for field in query.split("&") if field)
    return [(_unescaped(name), _unescaped(value)) for name, _, value in pairs]


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text.encode()).decode(errors="replace")


def _mail_problem(parts: re.Match[str]) -> str | None:
    if parts["scheme"] not in _PORTS:
        return f"{_FORM}, or smtps:// where the connection begins with TLS"
    if parts["path"] not in (None, "/"):
        return f"{_FORM}, with nothing between the host and '?'"
    if ":" in (parts["user"] or ""):
        return "must have no password: give it as the secret"
    fields = _fields(parts["query"] or "")
    query = dict(fields)
    if len(query) != len(fields) or not {"from", "to"} <= set(query) <= {"from", "to", "tls"}:
        return f"{_FORM}, each once, and no other field than tls=none"
    if query.get("tls", "none") != "none" or ("tls" in query and parts["scheme"] == "smtps"):
        return "tls: can only be none, with smtp://; otherwise mail is sent with TLS"
    recipients = query["to"].split(",")
    if len(recipients) > RECIPIENTS_MAX:
        return f"to: must be at most {RECIPIENTS_MAX} addresses, got {len(recipients)}"
    for name, mailbox in (("from", query["from"]), *(("to", each) for each in recipients)):
        if not _MAILBOX.fullmatch(mailbox):
            return f"{name}: must be an address such as ops@example.com" + (
                ", several with commas between them" if name == "to" else ""
            )
    return None
