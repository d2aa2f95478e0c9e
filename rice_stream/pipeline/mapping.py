"""Saying what a name of a tenant, model or region stands for, or whom within a tenant one is charged to, in events from an
instant on."""

import re
from collections.abc import Callable

from rice_stream.errors import UsageError
from rice_stream.events.mappings import MODEL, REGION, SUBJECTS, TENANT, WITHIN_TENANT, MappedName, MappingKey
from rice_stream.instants import epoch_us, parse_time, rfc3339
from rice_stream.quantities import NAME_LENGTH_MAX
from rice_stream.reference.lookup import Reference
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.engine import Connection, Engine, reading, writing
from rice_stream.store.mapping_store import LEAD_US, load_mappings, save_mapping

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def map_name(
    engine: Engine,
    kind: str,
    name: str,
    target: str,
    *,
    open_reference: Callable[[], Reference],
    valid_from_us: int | None,
    now_us: int,
    by: Actor,
    tenant_id: str = "",
    subject: str = "",
    recharges: bool = False,
) -> None:
    """Let `name` stand for `target` in events that ended at or after `valid_from_us` (epoch microseconds).

    `kind` is one of `events.mappings.KINDS`. None takes the earliest instant at which every worker knows of it, a few
    seconds from now. `open_reference` is called for models and regions, whose targets must be in the tables. A team, project or
    cost centre needs the tenant and the subject (of SUBJECTS) that the name is of; `recharges`: records are charged to it as well,
    by entries that the caller posts (`ledger.recharging`), so it may begin in the past.

    Raises:
        UsageError: an empty name, a target that is the name itself, too long or in no table; or records of the tenant
            that ended after the mapping would begin.
    """
    key = checked_key(kind, name, tenant_id, subject)
    check_target(kind, target, open_reference, now_us)
    _save(engine, _of(key, target, _start_us(valid_from_us, now_us)), now_us, by, recharges=recharges)


def checked_key(kind: str, name: str, tenant_id: str, subject: str) -> MappingKey:
    """What a mapping is of. UsageError: there is no name, or no tenant or subject where there has to be one, or one where not."""
    if not name:
        raise UsageError("NAME: must not be empty")
    if kind in WITHIN_TENANT:
        if not tenant_id:
            raise UsageError(f"--tenant: a {kind.replace('_', ' ')} is a tenant's: say whose")
        if subject not in SUBJECTS:
            raise UsageError(f"--of {subject}: choose from {', '.join(SUBJECTS)}")
    elif tenant_id or subject:
        raise UsageError(f"--tenant: what a {kind} stands for holds for every tenant; leave it out")
    return MappingKey(kind, name, tenant_id, subject)


def _of(key: MappingKey, target: str | None, valid_from_us: int) -> MappedName:
    return MappedName(key.kind, key.name, target, valid_from_us, key.tenant_id, key.subject)


def instant_us(named: str, value: str | None) -> int | None:
    """From when a mapping is to hold, given as text: an instant that an event may end at, in epoch microseconds, or a date, which
    is its beginning in UTC; None stays None.

    `named` is what the sender calls it. UsageError: it is neither.
    """
    if value is None:
        return None
    try:
        return epoch_us(parse_time(f"{value}T00:00:00Z" if _DATE.fullmatch(value) else value))
    except ValueError as error:
        raise UsageError(f"{named} {value}: {error}; a date such as 2026-11-22 is allowed as well") from error


def end_mapping(
    engine: Engine,
    kind: str,
    name: str,
    *,
    valid_from_us: int | None,
    now_us: int,
    by: Actor,
    tenant_id: str = "",
    subject: str = "",
    recharges: bool = False,
) -> None:
    """Let `name` stand for itself again in events from `valid_from_us` on; None, and the rest, as in `map_name`.

    Raises:
        UsageError: the name was never mapped; or records of the tenant as for `map_name`.
    """
    key = checked_key(kind, name, tenant_id, subject)
    with reading(engine) as connection:
        known = {row.key for row in load_mappings(connection).rows}
    if key not in known:
        raise UsageError(f"NAME: no {kind} {name!r} is mapped; see `rice-stream map list`")
    _save(engine, _of(key, None, _start_us(valid_from_us, now_us)), now_us, by, recharges=recharges)


def check_target(kind: str, target: str, open_reference: Callable[[], Reference], now_us: int) -> None:
    """UsageError: it is empty, too long, or a model or region that is in no table."""
    if kind in (TENANT, *WITHIN_TENANT) and not 0 < len(target) <= NAME_LENGTH_MAX:
        raise UsageError(f"TARGET: must have 1 to {NAME_LENGTH_MAX} characters")
    if kind == MODEL and not open_reference().resolve_model(None, target, None, now_us).known:
        raise UsageError(f"TARGET: {target!r} is no model of the tables; see `rice-stream models {target}`")
    if kind == REGION and open_reference().identify_region(target) is None:
        raise UsageError(f"TARGET: {target!r} is no place of the tables; see `rice-stream regions {target}`")


def _start_us(valid_from_us: int | None, now_us: int) -> int:
    return now_us + LEAD_US if valid_from_us is None else valid_from_us


def _save(engine: Engine, mapping: MappedName, now_us: int, by: Actor, *, recharges: bool) -> None:
    check_is_another(mapping)
    with writing(engine) as connection:
        save_and_record(connection, mapping, now_us, by, recharges=recharges)


def check_is_another(mapping: MappedName) -> None:
    """UsageError: it says that a name stands for itself. A team's cost centre may have the team's name."""
    if mapping.name == mapping.target and mapping.subject in ("", mapping.kind):
        whose = f" --tenant {mapping.tenant_id} --of {mapping.subject}" if mapping.tenant_id else ""
        raise UsageError(
            f"TARGET: is NAME itself; to end a mapping use `rice-stream map end {mapping.kind} {mapping.name}{whose}`"
        )


def save_and_record(
    connection: Connection, mapping: MappedName, now_us: int, by: Actor, *, recharges: bool = False
) -> None:
    """Save a mapping that was checked, with its entry in the audit trail. UsageError: as from `save_mapping`."""
    before = load_mappings(connection).latest(mapping.key, mapping.valid_from_us)
    save_mapping(connection, mapping, now_us, recharges=recharges)
    valid_from = rfc3339(mapping.valid_from_us)
    change = AuditedChange(
        "mapping.end" if mapping.target is None else "mapping.set",
        "mapping",
        "/".join(filter(None, (mapping.kind, mapping.subject, mapping.name))),
        mapping.tenant_id or None,
        before={"target": None if before is None else before.target, "valid_from": valid_from},
        after={"target": mapping.target, "valid_from": valid_from},
    )
    record(connection, by, [change])
