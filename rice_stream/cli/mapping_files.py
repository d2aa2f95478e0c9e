"""What `rice-stream map import` does: it takes the mappings of a file, and charges by them what is recorded where that is asked."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rice_stream.cli.base import STDERR, Session, answer
from rice_stream.cli.tables import table
from rice_stream.errors import UsageError
from rice_stream.events.mappings import WITHIN_TENANT, MappedName
from rice_stream.pipeline.mapping_lists import charged_already, checked_lines, not_there_yet, take_mappings
from rice_stream.reports.mappings import described
from rice_stream.reports.restatements import described as restatement_described
from rice_stream.runtime.mapping_files import read_mapping_file
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.opening_reference import open_reference
from rice_stream.store.engine import Engine


def import_file(
    session: Session, file: Path, *, restate: bool, reason: str | None, dry_run: bool, as_json: bool
) -> None:
    """Take them and answer `{"added", "unchanged", "restatements"}`. UsageError: as from `checked_lines`, `take_mappings`."""
    if reason is not None and not restate:
        raise UsageError("--reason: only with --restate")
    if restate and dry_run:
        raise UsageError(
            "--dry-run: without --restate; `map team ... --restate --dry-run` says what one mapping would move"
        )
    settings = session.settings
    now_us = time.time_ns() // 1000
    lines = read_mapping_file(file)
    listed = checked_lines(lines, open_reference=lambda: open_reference(settings), now_us=now_us)
    engine = open_store(settings)
    if restate:
        from rice_stream.ledger.recharging import check_recharges
        from rice_stream.ledger.voiding import checked_reason

        reason = checked_reason(reason or "")
        for each in listed:
            if each.mapping.kind in WITHIN_TENANT:
                check_recharges(engine, each.mapping)
    if dry_run:
        taken = not_there_yet(engine, listed)
    else:
        taken = take_mappings(engine, listed, now_us=now_us, by=session.actor, recharges=restate)
    mappings = [each.mapping for each in listed]
    restatements = _recharged(session, engine, mappings, reason or "") if restate else []
    document: dict[str, Any] = {
        "added": [described(each) for each in taken.added],
        "unchanged": taken.unchanged,
        "restatements": restatements,
    }
    if dry_run:
        document["needs_restate"] = charged_already(engine, taken.added, now_us)
    answer(document, as_json=as_json, human=lambda: _show(document, dry_run=dry_run))


def _recharged(session: Session, engine: Engine, mappings: Sequence[MappedName], reason: str) -> list[dict[str, Any]]:
    """A run of each tenant, from the earliest of its mappings on; one that was done before posts nothing."""
    from rice_stream.ledger.recharging import recharging_by
    from rice_stream.runtime.restating_orders import beside_workers

    first: dict[str, MappedName] = {}
    for mapping in sorted(mappings, key=lambda each: each.valid_from_us):
        if mapping.kind in WITHIN_TENANT:
            first.setdefault(mapping.tenant_id, mapping)
    runs = []
    for tenant_id, mapping in sorted(first.items()):
        run = recharging_by(engine, mapping, reason, session.actor)
        run.give_way = beside_workers(session.settings, engine)
        with STDERR.status(f"charging what is recorded of {tenant_id}"):
            for _records in run.steps():
                pass
        runs.append(restatement_described(run.state, session.settings.restatement_threshold_percent))
    return runs


def _show(document: dict[str, Any], *, dry_run: bool) -> None:
    columns = ["kind", "name", "stands for", "in events from", "of the tenant", "the name of a"]
    what = "would be added" if dry_run else "added"
    title = f"{len(document['added']):,} {what}, {document['unchanged']:,} there already"
    table(columns, [list(row.values()) for row in document["added"]], title=title)
    if document.get("needs_restate"):
        STDERR.print(
            f"{document['needs_restate']:,} of them begin before events that are recorded: say --restate and --reason to charge"
            " these otherwise"
        )
    for run in document["restatements"]:
        table([run["state"], run["restatement_id"]], [["tenant", run["tenant"]], ["entries", run["entries"]]])
