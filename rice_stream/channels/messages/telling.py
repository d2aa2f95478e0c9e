"""What people are told, before it is set as a mail or in Slack: the title, sentences, figures with their names, and where to look.

Names in it come from whoever sends events: each is one line, with nothing in it that turns text around.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rice_stream.budgets.states import Severity
from rice_stream.channels.definition import RANK, Parcel
from rice_stream.channels.letters import Letter, letter_of
from rice_stream.channels.messages.alert_words import AlertWords
from rice_stream.channels.messages.links import absolute
from rice_stream.wording.plain_text import visible

Mark = Literal["critical", "warning", "info", "resolved"]
ALERTS_SHOWN_MAX = 20
"""Alerts of one digest that are told with their figures; the others are counted."""
TEST = "[Test] "
_TEST_LINE = "This is a test of the channel: the budget does not exist, and nobody has to do anything."
_ALL_BUDGETS = "/budgets"


@dataclass(frozen=True, slots=True)
class ToldPart:
    """One alert among several, or the figures of the only one."""

    heading: str | None
    lines: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    """What is there, and its address."""


@dataclass(frozen=True, slots=True)
class Telling:
    """Title, sentences, parts and a table, in this order."""

    title: str
    mark: Mark
    lines: tuple[str, ...] = ()
    parts: tuple[ToldPart, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    links: tuple[tuple[str, str], ...] = ()


def telling_of(parcel: Parcel, public_url: str | None) -> Telling:
    """What a parcel says to people. `public_url`: where the dashboard is; without it, it is said which command to run."""
    if parcel.kind in ("notice", "statement"):
        return _of_letter(letter_of(parcel.content), public_url)
    alerts = [AlertWords(event) for event in parcel.content["alerts"]]
    if parcel.kind == "digest":
        return _of_digest(alerts, public_url)
    (alert,) = alerts
    title = alert.title
    lines = alert.lines
    if parcel.kind == "reminder":
        title = f"Reminder: {title}"
    if alert.is_test:
        title, lines = f"{TEST}{title}", (_TEST_LINE, *lines)
    return Telling(title, alert_mark(alert), lines, (_part(alert, None, public_url),))


def alert_mark(alert: AlertWords) -> Mark:
    """How an alert is marked: by its severity, or as resolved."""
    return "resolved" if alert.is_over else alert.severity


def _part(alert: AlertWords, heading: str | None, public_url: str | None) -> ToldPart:
    links = alert.links(public_url)
    facts = alert.facts if links else (*alert.facts, ("Where it comes from", alert.command))
    return ToldPart(heading, alert.lines if heading else (), facts, links)


def _of_digest(alerts: Sequence[AlertWords], public_url: str | None) -> Telling:
    still, over = ([each for each in alerts if each.is_over == is_over] for is_over in (False, True))
    said = [_counted(len(still), "alert still holds", "alerts still hold"), _counted(len(over), "resolved", "resolved")]
    title = "After quiet hours: " + ", ".join(filter(None, said))
    shown = still[:ALERTS_SHOWN_MAX]
    parts = [_part(each, each.title, public_url) for each in shown]
    lines = [f"{len(still) - len(shown)} more hold; the dashboard has all of them."] if len(still) > len(shown) else []
    if over:
        names = [each.title for each in over[:ALERTS_SHOWN_MAX]]
        more = [f"and {len(over) - len(names)} more"] if len(over) > len(names) else []
        parts.append(ToldPart("Resolved meanwhile", (*names, *more), (), ()))
    worst: Severity = max((each.severity for each in still), key=RANK.__getitem__, default="info")
    links = () if public_url is None else (("All budgets", absolute(public_url, _ALL_BUDGETS)),)
    return Telling(title, worst if still else "resolved", tuple(lines), tuple(parts), links=links)


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}" if count else ""


def _of_letter(letter: Letter, public_url: str | None) -> Telling:
    def plain(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(visible, texts))

    facts = tuple((visible(name), visible(text)) for name, text in letter.facts)
    links: tuple[tuple[str, str], ...] = ()
    if public_url is not None and letter.path is not None:
        links = (("See it in the dashboard", absolute(public_url, letter.path)),)
    return Telling(
        visible(letter.title),
        "resolved" if letter.is_over else letter.severity,
        plain(letter.lines),
        (ToldPart(None, (), facts, ()),) if facts else (),
        plain(letter.columns),
        tuple(map(plain, letter.rows)),
        links,
    )
