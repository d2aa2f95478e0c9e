"""What is told beside alerts: that a channel fails, and how a team's month was. In words for people, and as data for programs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rice_stream.budgets.states import Severity

NOTICE_TYPE = "dev.rice.carbon.notice.v1"
STATEMENT_TYPE = "dev.rice.carbon.statement.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A notice or a statement, as it is kept with a delivery; each type of channel sets it in its own way."""

    event_type: str
    """Type of the CloudEvent that a webhook gets."""
    title: str
    """One line that says it all."""
    time: str
    """When it was written, RFC 3339."""
    lines: tuple[str, ...] = ()
    """Sentences, each a paragraph of its own."""
    facts: tuple[tuple[str, str], ...] = ()
    """What is what: ("Range (80 %)", "31 to 81 kgCO2e")."""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    """A table; the first column has names, the others figures."""
    path: str | None = None
    """The page of the dashboard to look at, such as `/admin`."""
    subject: str | None = None
    """The tenant, where it is about one."""
    severity: Severity = "info"
    key: str = ""
    """What a notice and the word that it is over have in common, such as `channel:ops`."""
    is_over: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)
    """The same for programs: `data` of the CloudEvent."""

    def content(self) -> dict[str, Any]:
        """As JSON, for a delivery's content."""
        return asdict(self)


def letter_of(content: Mapping[str, Any]) -> Letter:
    """The letter of a delivery's content."""
    lists = {name: tuple(content[name]) for name in ("lines", "columns")}
    pairs = {name: tuple(tuple(row) for row in content[name]) for name in ("facts", "rows")}
    return Letter(**{**content, **lists, **pairs})
