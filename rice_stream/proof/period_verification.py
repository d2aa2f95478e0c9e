"""`rice-stream audit verify`, of closed months: whether each still is what was signed and what the trail says; if not, where."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Connection, select, text

from rice_stream.proof.audit_verification import VerifiedTrail
from rice_stream.proof.json_objects import object_of
from rice_stream.proof.month_verification import month_differences
from rice_stream.store import schema
from rice_stream.store.engine import Engine
from rice_stream.store.event_key_columns import stored_key
from rice_stream.store.horizon import records_from_us
from rice_stream.store.period_building import BuiltMonth, built_month
from rice_stream.store.period_leaves import LeafReader, leaf_columns
from rice_stream.store.period_store import StoredPeriod, all_periods, period_tree
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.snapshot import snapshot
from rice_stream.store.stored_records import MissingFactorsError, tenant_keys
from rice_stream.transparency.kept_trees import BLOCK_LEAVES, GrowingTree
from rice_stream.transparency.merkle import HASH_BYTES, split_hashes
from rice_stream.transparency.month_trees import NO_EVENT, LeafPlace, MonthTree

_IN_ROW_AND_ASSERTION = ("tenant_key", "month", "low_us", "high_us", "marked_us", "code_version", "records", "entries")


def verify_months(engine: Engine, found: VerifiedTrail) -> None:
    """Make the tree of every closed month again and add what is wrong to what was found of the trail.

    One statement after the other sees the same commits; batches go on meanwhile. StoreUnavailableError: as from a report.
    """
    with snapshot(engine, EVERYTHING) as connection:
        names = {key: name for name, key in tenant_keys(connection).items()}
        periods = all_periods(connection)
        kept_from_us = records_from_us(connection)
        for period in periods:
            which = f"month {period.month} of {names.get(period.tenant_key, f'tenant {period.tenant_key}')}"
            for problem in _problems(connection, period, kept_from_us):
                found.problem(f"{which}: {problem}")
        for problem in _missing(connection, periods, names):
            found.problem(problem)


def _problems(connection: Connection, period: StoredPeriod, kept_from_us: int) -> Iterator[str]:
    tree = period_tree(connection, period.tenant_key, period.month)
    if period.assertion is None or tree is None:
        if period.state != "closing":
            yield "it is closed, and what was asserted of it is missing"
        return
    stated = object_of(period.assertion)
    if period.state != ("closed" if period.closed_by else "soft_closed" if period.soft_closed_by else "closing"):
        yield "its state is not that of who closed it"
    for name in _IN_ROW_AND_ASSERTION:
        if stated.get(name) != getattr(period, name):
            yield f"its row says otherwise of {name} than what was asserted"
    yield from _of_checkpoint(connection, period, tree)
    if period.low_us < kept_from_us:
        yield from _of_what_is_kept(tree)
        return
    if not _has_columns(period):
        yield "its row says otherwise of leaf_columns than any version"
        return
    try:
        built = built_month(connection, period)
    except MissingFactorsError as missing:
        yield str(missing)
        return
    if (built.tree.root_hash, built.assertion) != (tree.root_hash, period.assertion):
        yield from _of_leaves(connection, period, built, tree)
    elif built.tree != tree:
        yield "what is kept of its tree was changed; its records and entries are as they were closed"
    for difference in month_differences(connection, period.bounds).listed:
        which = ", ".join(f"{name} {value}" for name, value in difference["key"].items())
        yield f"{difference['table']} is not what its records add up to: {difference['measure']} of {which}"


def _has_columns(period: StoredPeriod) -> bool:
    """Whether its leaves are made of columns that there are."""
    of_month, known = object_of(period.leaf_columns), leaf_columns()
    return of_month.keys() == known.keys() and all(
        isinstance(names, list) and bool(names) and set(map(str, names)) <= set(known[kind])
        for kind, names in of_month.items()
    )


def _of_checkpoint(connection: Connection, period: StoredPeriod, tree: MonthTree) -> Iterator[str]:
    table = schema.checkpoint
    if period.state == "closed":
        row = connection.execute(select(table).where(table.c.id == period.checkpoint_id)).first()
        if row is None:
            yield "it is closed, and its checkpoint is missing"
        else:
            name = f"/month/{period.tenant_key}/{period.month}"
            if not row.origin.endswith(name) or (
                (row.size, bytes(row.root), row.note, row.signed_by)
                != (tree.size, tree.root_hash, period.note, period.signed_by)
            ):
                yield f"its root is not the one of checkpoint {row.id}"
    actions = {"soft_closed": "period.soft_close", "closed": "period.close"}
    trail = schema.audit_entry.c
    if period.state in actions:
        told = connection.scalars(
            select(trail.after)
            .where(trail.subject_kind == "period", trail.subject_id == period.month)
            .where(trail.action == actions[period.state])
        )
        if not any(object_of(after or "{}").get("root") == tree.root_hash.hex() for after in told):
            yield f"the audit trail has no entry that it was {period.state.replace('_', ' ')} with this root"


def _of_leaves(connection: Connection, period: StoredPeriod, built: BuiltMonth, tree: MonthTree) -> Iterator[str]:
    """The records and entries do not give the root: which of them, by what is kept."""
    now, stated = _amounts(object_of(built.assertion)), _amounts(object_of(period.assertion or ""))
    for name in sorted(now.keys() | stated.keys()):
        if now.get(name) != stated.get(name):
            yield f"{name} that was asserted is {stated.get(name)}, and is {now.get(name)} by its records and entries"
    if built.tree.size != tree.size:
        yield f"it was closed with {tree.size - 1} records and entries, and has {built.tree.size - 1}"
    before, after = tree.leaf_hashes, built.tree.leaf_hashes
    if before is not None and after is not None and _root_of(before) == tree.root_hash:
        # The last leaf of each is its assertion, of which is told above.
        pairs = zip(split_hashes(before)[:-1], split_hashes(after)[:-1], strict=False)
        changed = [number for number, (then, by_now) in enumerate(pairs) if then != by_now]
        if changed:
            where = _event_at(connection, period, built.tree, changed[0])
            yield f"leaf {changed[0]} is another one than was closed ({where}); {len(changed)} leaves differ from there on"
        return
    for number in range(len(tree.blocks) // HASH_BYTES):
        place = slice(number * HASH_BYTES, (number + 1) * HASH_BYTES)
        if tree.blocks[place] != built.tree.blocks[place]:
            first = number * BLOCK_LEAVES
            where = _event_at(connection, period, built.tree, first)
            yield f"one of the {BLOCK_LEAVES} leaves from {first} on is another one than was closed ({where} and those after it)"
            return


def _amounts(stated: dict[str, Any]) -> dict[str, Any]:
    """What is asserted, each amount by itself."""
    flat = {name: value for name, value in stated.items() if not isinstance(value, dict)}
    for what in ("reported", "restated", "factor_uses"):
        of_it = stated.get(what)
        flat |= {f"{what} {name}": value for name, value in (of_it.items() if isinstance(of_it, dict) else ())}
    return flat


def _of_what_is_kept(tree: MonthTree) -> Iterator[str]:
    """Its records have been dropped: what is kept of the tree still has to give the root."""
    try:
        root = GrowingTree.going_on(tree.size, tree.frontier).root()
    except ValueError:
        root = b""
    if root != tree.root_hash:
        yield "what is kept of its tree was changed"


def _event_at(connection: Connection, period: StoredPeriod, tree: MonthTree, leaf: int) -> str:
    """Words for whose leaf it is by now."""
    number, place = divmod(leaf, BLOCK_LEAVES)
    keys = _keys_from(connection, period, tree.block_start(number))
    found = next(islice(keys, place, None), None)
    if found is None:
        return "after the last event"
    asked = {"tenant_key": period.tenant_key, "event_key": stored_key(connection.dialect.name, found)}
    query = text("SELECT event_id FROM prompt_record WHERE tenant_key = :tenant_key AND event_key = :event_key")
    event_id = connection.scalar(query, asked)
    return f"event key {found.hex()}" if event_id is None else f"event {event_id}"


def _keys_from(connection: Connection, period: StoredPeriod, start: LeafPlace) -> Iterator[bytes]:
    if start.event_key != NO_EVENT:
        for chunk in LeafReader(connection, period.bounds, period.columns).chunks(start, BLOCK_LEAVES):
            yield from chunk.event_keys


def _root_of(hashes: bytes) -> bytes:
    tree = GrowingTree()
    tree.add(split_hashes(hashes))
    return tree.root()


def _missing(connection: Connection, periods: list[StoredPeriod], names: dict[int, str]) -> Iterator[str]:
    """Months that the trail or a checkpoint knows, and that have no row."""
    there = {(names.get(period.tenant_key), period.month) for period in periods}
    marked = text(
        "SELECT tenant_id, subject_id FROM audit_entry WHERE subject_kind = 'period' AND action = 'period.mark' ORDER BY id"
    )
    for tenant_id, month in connection.execute(marked):
        if (tenant_id, month) not in there:
            yield f"month {month} of {tenant_id}: the audit trail says that it was closed, and its row is missing"
