"""A mail: plain text and simple HTML, in one thread for all that is said of one budget and period."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from rice_stream.channels.addresses import mail_address
from rice_stream.channels.definition import Channel, MailMessage, Parcel, Secrets
from rice_stream.channels.letters import letter_of
from rice_stream.channels.messages.incident import incident_of
from rice_stream.channels.messages.required import required_address
from rice_stream.channels.messages.telling import Mark, Telling, telling_of
from rice_stream.instants import in_utc

_WORDS: dict[Mark, str] = {"critical": "Critical", "warning": "Warning", "info": "Note", "resolved": "Resolved"}
_COLOURS: dict[Mark, str] = {"critical": "#b3261e", "warning": "#8a5a00", "info": "#30506b", "resolved": "#1b6e3c"}
_NAME = "rice_stream"
_SUBJECT_MAX = 200
_CELL = "padding:2px 12px 2px 0;vertical-align:top"


def messages(
    parcel: Parcel, channel: Channel, secrets: Secrets, *, public_url: str | None, now: datetime
) -> tuple[MailMessage, ...]:
    """The one mail. UsageError: there is no address."""
    telling = telling_of(parcel, public_url)
    place = mail_address(required_address(secrets))
    domain = place.sender.rpartition("@")[2]
    mail = EmailMessage(policy=SMTP)
    mail["From"] = f"{_NAME} <{place.sender}>"
    mail["To"] = ", ".join(place.recipients)
    mail["Date"] = format_datetime(in_utc(now))
    mail["Message-ID"] = f"<{parcel.message_id}@{domain}>"
    thread = _thread(parcel)
    if thread is not None:
        mail["In-Reply-To"] = mail["References"] = f"<thread-{thread}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    footer = f"Sent by rice_stream to the channel {channel.name}."
    mail.set_content(_plain(telling, footer), cte="quoted-printable")
    mail.add_alternative(_html(telling, footer), subtype="html", cte="quoted-printable")
    # The same mail is the same bytes: a boundary of its own choosing would differ each time.
    mail.set_boundary(f"=_{hashlib.sha256(parcel.message_id.encode()).hexdigest()[:32]}")
    written = _subject(f"{_WORDS[telling.mark]}: {telling.title}"[:_SUBJECT_MAX]) + mail.as_bytes()
    return (MailMessage(place.sender, place.recipients, written),)


def _subject(text: str) -> bytes:
    """The header, of which there is one whatever the text: a title has no line break, and this refuses what would begin another.

    Written apart from the others, as `EmailMessage` adds blanks where it folds names that are not ASCII.
    """
    return f"Subject: {Header(text, header_name='Subject').encode(linesep=chr(13) + chr(10))}\r\n".encode()


def _thread(parcel: Parcel) -> str | None:
    """What the mails of one thread refer to; None: it is alone."""
    if parcel.kind in ("alert", "reminder"):
        return incident_of(parcel.content["alerts"][0], of_one_basis=False)
    if parcel.kind == "notice":
        return hashlib.sha256(letter_of(parcel.content).key.encode()).hexdigest()[:32]
    return None


def _plain(telling: Telling, footer: str) -> str:
    paragraphs = [telling.title, *telling.lines]
    for part in telling.parts:
        if part.heading is not None:
            paragraphs.append("\n".join([part.heading, *part.lines]))
        if part.facts:
            width = max(len(name) for name, _ in part.facts) + 1
            paragraphs.append("\n".join(f"{name + ':':<{width}} {text}" for name, text in part.facts))
        if part.links:
            paragraphs.append("\n".join(f"{text}: {address}" for text, address in part.links))
    if telling.rows:
        paragraphs.append(_columns([telling.columns, *telling.rows] if telling.columns else telling.rows))
    paragraphs += [f"{text}: {address}" for text, address in telling.links]
    return "\n\n".join([*paragraphs, f"-- \n{footer}"]) + "\n"


def _columns(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _html(telling: Telling, footer: str) -> str:
    body = "\n".join(_pieces(telling, footer))
    return f'<!doctype html><html lang="en"><body style="font:15px/1.5 sans-serif;color:#1c1c1c">\n{body}\n</body></html>\n'


def _pieces(telling: Telling, footer: str) -> Iterator[str]:
    word, colour = _WORDS[telling.mark], _COLOURS[telling.mark]
    yield f'<p style="margin:0;color:{colour};font-weight:bold">{word}</p>'
    yield f'<h1 style="font-size:18px;margin:0 0 12px">{escape(telling.title)}</h1>'
    for line in telling.lines:
        yield f"<p>{escape(line)}</p>"
    for part in telling.parts:
        if part.heading is not None:
            yield f'<h2 style="font-size:15px;margin:16px 0 4px">{escape(part.heading)}</h2>'
            yield from (f'<p style="margin:0">{escape(line)}</p>' for line in part.lines)
        if part.facts:
            rows = (
                f'<tr><th scope="row" style="{_CELL};text-align:left;font-weight:normal;color:#555">{escape(name)}</th>'
                f'<td style="{_CELL}">{escape(text)}</td></tr>'
                for name, text in part.facts
            )
            yield f'<table role="presentation" style="border-collapse:collapse">{"".join(rows)}</table>'
        yield from _links(part.links)
    if telling.rows:
        yield _html_table(telling)
    yield from _links(telling.links)
    yield f'<p style="color:#555;font-size:13px">{escape(footer)}</p>'


def _links(links: Sequence[tuple[str, str]]) -> Iterator[str]:
    if links:
        yield "<p>" + "<br>".join(f'<a href="{escape(address)}">{escape(text)}</a>' for text, address in links) + "</p>"


def _html_table(telling: Telling) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        written = (
            f'<{tag} style="{_CELL};text-align:{"left" if place == 0 else "right"}">{escape(cell)}</{tag}>'
            for place, cell in enumerate(cells)
        )
        return f"<tr>{''.join(written)}</tr>"

    head = f"<thead>{line(telling.columns, 'th')}</thead>" if telling.columns else ""
    rows = "".join(line(row, "td") for row in telling.rows)
    return f'<table style="border-collapse:collapse">{head}<tbody>{rows}</tbody></table>'
