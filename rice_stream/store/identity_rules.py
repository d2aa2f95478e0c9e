"""What an event's key depends on besides the event (attribution versions, mapped tenants), whom it is charged to (mappings
within tenants), and which factor sets it is estimated with: as every worker applies them.

A worker's knowledge is a few seconds old at most, and a change holds for events that end some seconds after it. What is
left, events from the future above all, the transaction of each batch settles: it looks whether anything has changed since
the batch was prepared that holds for any of its events.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Engine, text

from rice_stream.errors import ServiceUnavailableError
from rice_stream.events.charging import NO_CHARGING, Charging
from rice_stream.events.formats.reading.options import DEFAULT_OPTIONS, FormatOptions
from rice_stream.events.formats.reading.versions import AttributionVersion, dated
from rice_stream.events.mappings import NO_MAPPINGS, TENANT, WITHIN_TENANT, MappedName, Mappings
from rice_stream.store.attribution_store import load_versions
from rice_stream.store.engine import reading
from rice_stream.store.factor_set_store import FactorSets, KnownSets
from rice_stream.store.mapping_store import REFRESH_US, load_mappings

_WHOSE = (TENANT, *WITHIN_TENANT)
_SAYS_WHOSE = "kind IN ({})".format(", ".join(f"'{kind}'" for kind in _WHOSE))
ROWS_SQL = (
    "SELECT 'version', '', '', '', settings, valid_from_us FROM attribution_version v WHERE NOT EXISTS"
    " (SELECT 1 FROM attribution_version later WHERE later.valid_from_us = v.valid_from_us AND later.id > v.id)"
    f" UNION ALL SELECT kind, tenant_id, subject, name, target, valid_from_us FROM mapping WHERE {_SAYS_WHOSE}"
    " UNION ALL SELECT 'factor_set', '', '', digest, NULL, effective_from_us FROM factor_set"
)
"""Each row says what begins to hold at its instant; of two versions that begin together the later stands, which may be what one
before it was."""
STATE_SQL = (
    "SELECT (SELECT COALESCE(MAX(id), 0) FROM attribution_version), (SELECT COUNT(*) FROM factor_set), COUNT(*),"
    " COALESCE(MAX(id), 0),"
    f" COALESCE(MAX(created_at_us), 0) FROM mapping WHERE {_SAYS_WHOSE}"
)
"""Another row whenever any of ROWS_SQL is."""

RULES_CHANGED = (
    "who is charged, or by what factors, was changed while a batch was being prepared, for events that it holds; nothing of it"
    " was stored or acknowledged: start again"
)

RuleRow = tuple[str, str, str, str, str | None, int]
"""What it is, whose, of what, its name, what it says, and from when on."""
State = tuple[int, ...]


class RulesChangedError(ServiceUnavailableError):
    """The batch was prepared by rules that no longer hold for some of its events; nothing of it is stored.

    Unlike a failure of the database, giving the same batch again does not help: its records have to be prepared again.
    """


class KnownRules(NamedTuple):
    """The rules that a batch was prepared by: `state` as of STATE_SQL, `rows` as of ROWS_SQL."""

    state: State
    rows: frozenset[RuleRow]

    def check(self, rows: Iterable[RuleRow], latest_end_us: int) -> None:
        """RulesChangedError: what now holds differs for an event that ended at or before `latest_end_us`."""
        changed_us = min((row[-1] for row in self.rows ^ frozenset(rows)), default=None)
        if changed_us is not None and latest_end_us >= changed_us:
            raise RulesChangedError(RULES_CHANGED)


class IdentityRules(NamedTuple):
    """How records are read, what tenants', models' and regions' names stand for, and which factor sets hold when."""

    formats: FormatOptions = DEFAULT_OPTIONS
    mappings: Mappings = NO_MAPPINGS
    known: KnownRules | None = None
    """None: there is no store that others change."""
    factor_sets: FactorSets = ()
    """(effective from, content) of each; the same object until one was added."""
    charging: Charging = NO_CHARGING
    """Whom within their tenants events are charged to: of the mappings."""

    def reads_as(self, other: "IdentityRules") -> bool:
        """Whether nothing has changed between the two that a batch is prepared by: rules keep what stays as it is."""
        unchanged = (
            (self.formats, other.formats),
            (self.mappings, other.mappings),
            (self.factor_sets, other.factor_sets),
            (self.charging, other.charging),
        )
        return all(one is another for one, another in unchanged)


class RulesAt(Protocol):
    """Where rules come from."""

    def __call__(self, now_us: int, *, anew: bool = False) -> IdentityRules:
        """The rules, which may be those of a few seconds before `now_us` (epoch microseconds) unless asked `anew`."""
        ...


def default_rules(now_us: int, *, anew: bool = False) -> IdentityRules:
    """The rules of an installation where nothing is set."""
    del now_us, anew
    return IdentityRules()


class StoredRules:
    """Called with the present time (epoch microseconds), gives the rules, at most REFRESH_US old."""

    def __init__(self, engine: Engine, formats: FormatOptions) -> None:
        """`formats` say what no version does, and everything while there is no version."""
        self._engine = engine
        self._formats = formats
        self._known = IdentityRules(formats)
        self._versions: tuple[AttributionVersion, ...] = ()
        self._sets = KnownSets()
        self._looked_at_us: int | None = None

    def __call__(self, now_us: int, *, anew: bool = False) -> IdentityRules:
        """The same objects until something has changed. StoreUnavailableError: the database did not answer."""
        if anew or self._looked_at_us is None or not 0 <= now_us - self._looked_at_us < REFRESH_US:
            self.look()
            self._looked_at_us = now_us
        return self._known

    def look(self) -> IdentityRules:
        """The rules as they are now."""
        with reading(self._engine) as connection:
            # The state first: a change that comes between is then seen once more, and never missed.
            state = read_state(connection)
            versions, mappings = load_versions(connection), load_mappings(connection)
            sets = self._sets.look(connection)
        before = self._known
        formats = before.formats if versions == self._versions else dated(self._formats, versions)
        rows = (
            *map(_version_row, {version.valid_from_us: version for version in versions}.values()),
            *(_mapping_row(row) for row in mappings.rows if row.kind in _WHOSE),
            *map(_set_row, self._sets.begun),
        )
        known = KnownRules(state, frozenset(rows))
        self._versions = versions
        if mappings.rows == before.mappings.rows:
            self._known = IdentityRules(formats, before.mappings, known, sets, before.charging)
        else:
            self._known = IdentityRules(formats, mappings, known, sets, Charging(mappings))
        return self._known


def read_state(connection: Connection) -> State:
    """The row of STATE_SQL."""
    return tuple(connection.execute(text(STATE_SQL)).one())


def _version_row(version: AttributionVersion) -> RuleRow:
    return "version", "", "", "", version.settings, version.valid_from_us


def _mapping_row(mapping: MappedName) -> RuleRow:
    return mapping.kind, mapping.tenant_id, mapping.subject, mapping.name, mapping.target, mapping.valid_from_us


def _set_row(begun: tuple[int, str]) -> RuleRow:
    return "factor_set", "", "", begun[1], None, begun[0]


def check_rules(known: KnownRules | None, latest_end_us: int, query: Callable[[str], list[Any]]) -> None:
    """Whether the rules of a batch still hold, in its transaction; `query` gives the rows of a statement there.

    RulesChangedError: they do not, for an event that ended at or before `latest_end_us`.
    """
    if known is not None and tuple(query(STATE_SQL)[0]) != known.state:
        known.check((tuple(row) for row in query(ROWS_SQL)), latest_end_us)
