"""Many mappings at once, as a file or a request has them: checked wholly before any is taken, and taken together.

What is there already is left as it is, so the same list a second time changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from rice_stream.errors import UsageError
from rice_stream.events.mappings import KINDS, TEAM, WITHIN_TENANT, MappedName, Mappings
from rice_stream.pipeline.mapping import check_is_another, check_target, checked_key, instant_us, save_and_record
from rice_stream.reference.lookup import Reference
from rice_stream.store.audit import Actor
from rice_stream.store.engine import Engine, reading, writing
from rice_stream.store.mapping_store import LEAD_US, is_charged_already, load_mappings

FIELDS = ("kind", "name", "target", "valid_from", "tenant_id", "subject")
"""Of a line, as `map list --json` names them: all text; the last three may be left out."""
_NEEDED = ("kind", "name", "target")
_PROBLEMS_SHOWN = 20
_LINES_MAX = 10_000


class ListedMapping(NamedTuple):
    """A line that was checked: what it maps, and whether it says from when on."""

    number: int
    """Counted from 1."""
    mapping: MappedName
    is_dated: bool


class TakenMappings(NamedTuple):
    """What became of a list."""

    added: list[MappedName]
    """In the order of the list; those that were there already are not among them."""
    unchanged: int


def checked_lines(
    lines: Sequence[Mapping[str, Any]], *, open_reference: Callable[[], Reference], now_us: int
) -> list[ListedMapping]:
    """The lines of a list, each with FIELDS; what has no `valid_from` holds when every worker knows of it.

    An empty `target` ends what was mapped before; the `subject` of a cost centre is a team, unless it says otherwise, and that of a
    team or project the same. UsageError: it lists every problem with its line.
    """
    if len(lines) > _LINES_MAX:
        raise UsageError(f"{len(lines):,} mappings at once: send at most {_LINES_MAX:,}")
    found: list[ListedMapping] = []
    problems: list[str] = []
    targets: dict[tuple[Any, ...], str | None] = {}
    for number, line in enumerate(lines, start=1):
        try:
            mapping, is_dated = _checked(line, open_reference, now_us)
            before = targets.setdefault((*mapping.key, mapping.valid_from_us), mapping.target)
            if before != mapping.target:
                raise UsageError(f"target: another line says {before!r} from the same instant on")
        except UsageError as error:
            problems.append(f"mapping {number}: {error}")
            continue
        found.append(ListedMapping(number, mapping, is_dated))
    if problems:
        more = len(problems) - _PROBLEMS_SHOWN
        told = "; ".join(problems[:_PROBLEMS_SHOWN]) + (f"; and {more:,} more" if more > 0 else "")
        raise UsageError(f"nothing was taken. {told}")
    return found


def take_mappings(
    engine: Engine, listed: Sequence[ListedMapping], *, now_us: int, by: Actor, recharges: bool = False
) -> TakenMappings:
    """Save those that are not there yet, all or none; `recharges`: what is recorded is charged by them as well, by the caller.

    UsageError: one would change who is charged for what is recorded, or ends what was never mapped; it says which.
    """
    with writing(engine) as connection:
        known = load_mappings(connection)
        added: list[MappedName] = []
        for each in listed:
            if _is_there(Mappings([*known.rows, *added]) if added else known, each):
                continue
            if each.mapping.target is None and each.mapping.key not in {row.key for row in (*known.rows, *added)}:
                raise UsageError(
                    f"nothing was taken. mapping {each.number}: target: what it would end was never mapped"
                )
            try:
                save_and_record(connection, each.mapping, now_us, by, recharges=recharges)
            except UsageError as error:
                raise UsageError(f"nothing was taken. mapping {each.number}: {error}") from error
            added.append(each.mapping)
    return TakenMappings(added, len(listed) - len(added))


def not_there_yet(engine: Engine, listed: Sequence[ListedMapping]) -> TakenMappings:
    """What `take_mappings` would add, whether or not that needs that what is recorded is charged otherwise."""
    with reading(engine) as connection:
        known = load_mappings(connection)
    added = [each.mapping for each in listed if not _is_there(known, each)]
    return TakenMappings(added, len(listed) - len(added))


def charged_already(engine: Engine, mappings: Sequence[MappedName], now_us: int) -> int:
    """How many of them would charge otherwise what is recorded, so that they are taken with `recharges` alone."""
    with reading(engine) as connection:
        return sum(
            each.kind in WITHIN_TENANT and each.valid_from_us <= now_us and is_charged_already(connection, each)
            for each in mappings
        )


def _is_there(known: Mappings, listed: ListedMapping) -> bool:
    """At the same instant, or (without one) already in force then."""
    mapping = listed.mapping
    latest = known.latest(mapping.key, mapping.valid_from_us)
    if latest is None or latest.target != mapping.target:
        return False
    return not listed.is_dated or latest.valid_from_us == mapping.valid_from_us


def _checked(line: Mapping[str, Any], open_reference: Callable[[], Reference], now_us: int) -> tuple[MappedName, bool]:
    unknown = sorted(map(str, line.keys() - set(FIELDS)))
    if unknown:
        raise UsageError(f"{', '.join(unknown)}: no field of a mapping; these are {', '.join(FIELDS)}")
    text = {name: _text(name, line.get(name)) for name in FIELDS}
    missing = [name for name in _NEEDED if name not in line]
    if missing:
        raise UsageError(f"{', '.join(missing)}: missing")
    kind = text["kind"].replace("-", "_")
    if kind not in KINDS:
        raise UsageError(f"kind: {text['kind']!r} is none; choose from {', '.join(KINDS)}")
    subject = text["subject"].replace("-", "_")
    if kind in WITHIN_TENANT and not subject:
        subject = kind if kind != "cost_centre" else TEAM
    key = checked_key(kind, text["name"], text["tenant_id"], subject)
    target = text["target"] or None
    if target is not None:
        check_target(kind, target, open_reference, now_us)
    start_us = instant_us("valid_from", text["valid_from"] or None)
    mapping = MappedName(
        key.kind, key.name, target, now_us + LEAD_US if start_us is None else start_us, key.tenant_id, key.subject
    )
    check_is_another(mapping)
    return mapping, start_us is not None


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UsageError(f"{name}: {value!r} is not text; put it into quotes")
    return value.strip()
