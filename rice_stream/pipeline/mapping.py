"""Saying what a name of a tenant, model or region stands for, in events from an instant on."""

from collections.abc import Callable

from rice_stream.errors import UsageError
from rice_stream.events.mappings import MODEL, REGION, TENANT, MappedName
from rice_stream.instants import epoch_us, parse_time, rfc3339
from rice_stream.quantities import NAME_LENGTH_MAX
from rice_stream.reference.lookup import Reference
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.engine import Engine, reading, writing
from rice_stream.store.mapping_store import LEAD_US, load_mappings, save_mapping


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
) -> None:
    """Let `name` stand for `target` in events that ended at or after `valid_from_us` (epoch microseconds).

    `kind` is one of `events.mappings.KINDS`. None takes the earliest instant at which every worker knows of it, a few
    seconds from now. `open_reference` is called for models and regions, whose targets must be in the tables.

    Raises:
        UsageError: an empty name, a target that is the name itself, too long or in no table; or records of the tenant
            that ended after the mapping would begin.
    """
    _check_target(kind, target, open_reference, now_us)
    _save(engine, MappedName(kind, name, target, _start_us(valid_from_us, now_us)), now_us, by)


def instant_us(named: str, value: str | None) -> int | None:
    """From when a mapping is to hold, given as text: an instant that an event may end at, in epoch microseconds; None stays None.

    `named` is what the sender calls it. UsageError: it is none.
    """
    if value is None:
        return None
    try:
        return epoch_us(parse_time(value))
    except ValueError as error:
        raise UsageError(f"{named}: {error}") from error


def end_mapping(engine: Engine, kind: str, name: str, *, valid_from_us: int | None, now_us: int, by: Actor) -> None:
    """Let `name` stand for itself again in events from `valid_from_us` on; None as in `map_name`.

    Raises:
        UsageError: the name was never mapped; or records of the tenant as for `map_name`.
    """
    with reading(engine) as connection:
        known = {(row.kind, row.name) for row in load_mappings(connection).rows}
    if (kind, name) not in known:
        raise UsageError(f"NAME: no {kind} {name!r} is mapped; see `rice-stream map list`")
    _save(engine, MappedName(kind, name, None, _start_us(valid_from_us, now_us)), now_us, by)


def _check_target(kind: str, target: str, open_reference: Callable[[], Reference], now_us: int) -> None:
    if kind == TENANT and not 0 < len(target) <= NAME_LENGTH_MAX:
        raise UsageError(f"TARGET: must have 1 to {NAME_LENGTH_MAX} characters")
    if kind == MODEL and not open_reference().resolve_model(None, target, None, now_us).known:
        raise UsageError(f"TARGET: {target!r} is no model of the tables; see `rice-stream models {target}`")
    if kind == REGION and open_reference().identify_region(target) is None:
        raise UsageError(f"TARGET: {target!r} is no place of the tables; see `rice-stream regions {target}`")


def _start_us(valid_from_us: int | None, now_us: int) -> int:
    return now_us + LEAD_US if valid_from_us is None else valid_from_us


def _save(engine: Engine, mapping: MappedName, now_us: int, by: Actor) -> None:
    if not mapping.name:
        raise UsageError("NAME: must not be empty")
    if mapping.name == mapping.target:
        raise UsageError(
            f"TARGET: is NAME itself; to end a mapping use `rice-stream map end {mapping.kind} {mapping.name}`"
        )
    with writing(engine) as connection:
        before = load_mappings(connection).target(mapping.kind, mapping.name, mapping.valid_from_us)
        save_mapping(connection, mapping, now_us)
        valid_from = rfc3339(mapping.valid_from_us)
        change = AuditedChange(
            "mapping.end" if mapping.target is None else "mapping.set",
            "mapping",
            f"{mapping.kind}/{mapping.name}",
            before={"target": before, "valid_from": valid_from},
            after={"target": mapping.target, "valid_from": valid_from},
        )
        record(connection, by, [change])
