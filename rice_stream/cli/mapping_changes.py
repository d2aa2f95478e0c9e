"""What the commands that change a mapping do: save it, charge by it what is recorded where that is asked for, and answer."""

from collections.abc import Callable
from typing import Any

from rice_stream.cli.base import STDERR, Session, answer
from rice_stream.cli.tables import table
from rice_stream.cli.unknown_tenants import remark_unknown
from rice_stream.errors import UsageError
from rice_stream.events.charging import UNATTRIBUTED
from rice_stream.events.mappings import PROJECT, TEAM, WITHIN_TENANT, MappedName, MappingKey
from rice_stream.pipeline.mapping import checked_key, instant_us
from rice_stream.reports.mappings import mappings
from rice_stream.reports.restatements import described
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING


def spelled(name: str) -> str:
    """As it is written on the command line."""
    return name.replace("_", "-")


def key_of(kind: str, name: str, said: dict[str, Any]) -> MappingKey:
    """What a mapping is of, as it was said: what holds for every tenant has no subject."""
    subject = said.get("subject") or (kind if kind in (TEAM, PROJECT) else TEAM)
    if kind not in WITHIN_TENANT:
        subject = said.get("subject") or ""
    return checked_key(kind, name, said.get("tenant_id") or "", named(subject))


def named(text: str) -> str:
    """What is written on the command line so."""
    return text.replace("-", "_")


def show_mappings(engine: Engine, *, as_json: bool, only: MappingKey | None = None) -> None:
    """Answer with all mappings, or those of one key."""
    rows = mappings(engine, EVERYTHING, only=only)

    def human() -> None:
        columns = ["kind", "name", "stands for", "in events from", "of the tenant", "the name of a"]
        table(columns, [list(row.values()) for row in rows])

    answer({"mappings": rows}, as_json=as_json, human=human)


def save_and_answer(
    session: Session,
    engine: Engine,
    key: MappingKey,
    target: str | None,
    save: Callable[[], None],
    *,
    as_json: bool,
    from_: str | None,
    restate: bool = False,
    reason: str | None = None,
    dry_run: bool = False,
    **_: Any,
) -> None:
    """Save the mapping and answer; with `restate`, charge what is recorded by it as well."""
    if not restate:
        if reason is not None or dry_run:
            raise UsageError("--reason, --dry-run: only with --restate")
        save()
        remark_unknown(engine, key.tenant_id or None)
        show_mappings(engine, as_json=as_json, only=key)
        return
    from rice_stream.ledger.recharging import check_recharges, recharging_by
    from rice_stream.ledger.voiding import checked_reason
    from rice_stream.runtime.restating_orders import beside_workers

    if key.kind not in WITHIN_TENANT:
        raise UsageError("--restate: of teams, projects and cost centres; `rice-stream restate` estimates again")
    valid_from_us = instant_us("--from", from_)
    if valid_from_us is None:
        raise UsageError("--from: say from when on what is recorded is charged otherwise")
    mapping = MappedName(key.kind, key.name, target, valid_from_us, key.tenant_id, key.subject)
    reason = checked_reason(reason or "")
    check_recharges(engine, mapping)
    if not dry_run:
        save()
    run = recharging_by(engine, mapping, reason, session.actor, dry_run=dry_run)
    run.give_way = beside_workers(session.settings, engine)
    with STDERR.status("charging what is recorded"):
        for _records in run.steps():
            pass
    threshold = session.settings.restatement_threshold_percent
    document = {"mappings": mappings(engine, EVERYTHING, only=key), **described(run.state, threshold), **run.moves}
    answer(document, as_json=as_json, human=lambda: _show_moves(document))


def _show_moves(document: dict[str, Any]) -> None:
    rows = [
        [_charged(each["from"]), _charged(each["to"]), each["prompts"], each["carbon_gco2e"]]
        for each in document["moves"]
    ]
    what = "dry run" if document["dry_run"] else f"{document['state']}, {document['restatement_id']}"
    title = f"{what}: {document['entries']} entries"
    table(["charged to", "is charged to", "prompts", "gCO2e"], rows, title=title)


def _charged(whom: dict[str, str]) -> str:
    return ", ".join(f"{spelled(kind)} {name}" for kind, name in whom.items() if name) or UNATTRIBUTED
