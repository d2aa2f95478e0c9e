"""`rice-stream calibrate --from-ledger`: recorded durations of open models on known hardware become serving profiles."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rice_stream.cli.base import STDERR
from rice_stream.cli.tables import table
from rice_stream.errors import UsageError
from rice_stream.estimator.loading import load_calibrated
from rice_stream.meter.duration_calibration import Narrowed, serving_settings, with_batch
from rice_stream.reports.comparison import traffic_of
from rice_stream.reports.durations import KindTimes, narrowed_kinds
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.scope import EVERYTHING


def from_durations(settings: Settings, *, name: str, out: Path, tenant: str | None, window: str) -> dict[str, Any]:
    """Write what the times say to `out` where they say anything; the answer lists every kind of request, with why not."""
    method = load_calibrated()
    now = datetime.now(UTC)
    traffic = traffic_of(now, tenant=tenant, model=None, window=window, start=None, end=None)
    kinds = narrowed_kinds(open_store(settings), EVERYTHING, traffic, method)
    if not kinds:
        raise UsageError(
            "no recorded request of this window has a duration: events need started_at, or the window more"
        )
    found = []
    for one in kinds:
        if isinstance(one.found, Narrowed):
            source = f"{one.found.events:,} recorded durations until {now:%Y-%m-%d}"
            said = {"provider": one.kind.provider, "model": one.kind.model, "source": source}
            found.append((said, with_batch(one.context, one.found.batch_size, method)))
    if found:
        try:
            out.write_text(serving_settings(name, found), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--out: cannot write {out}: {error.strerror}") from error
    return {
        "name": name,
        "out": str(out) if found else None,
        "method": method.version,
        "narrowed": len(found),
        "kinds": [_row(one) for one in kinds],
    }


def _row(one: KindTimes) -> dict[str, Any]:
    row: dict[str, Any] = {
        "provider": one.kind.provider or None,
        "model": one.kind.model,
        "hardware": one.kind.hardware or None,
        "devices": one.kind.devices,
        "events": one.events,
        "batch_size": None,
        "seconds_per_token": None,
        "waiting_s": None,
        "speed_log_sd": None,
        "factor_before": None,
        "factor_after": None,
        "why_not": None,
    }
    if not isinstance(one.found, Narrowed):
        return {**row, "why_not": one.found.why}
    found = one.found
    batch = found.batch_size
    return {
        **row,
        **{
            name: getattr(found, name)
            for name in row
            if name in Narrowed._fields and name not in ("batch_size", "events")
        },
        "batch_size": {"low": batch.low, "mid": batch.mid, "high": batch.high},
    }


def show_durations(document: dict[str, Any]) -> None:
    """For people: what was found, and a sentence for every kind of which nothing was."""
    columns = ["model", "provider", "hardware", "events", "batch", "ms/token", "range before", "after"]
    rows = [
        [
            row["model"],
            row["provider"],
            row["hardware"],
            row["events"],
            "{low:g} to {high:g}, {mid:g}".format(**row["batch_size"]),
            row["seconds_per_token"] * 1000,
            row["factor_before"],
            row["factor_after"],
        ]
        for row in document["kinds"]
        if row["why_not"] is None
    ]
    if rows:
        table(columns, rows, title=f"serving profiles {document['name']}")
    for row in document["kinds"]:
        if row["why_not"] is not None:
            where = f" on {row['hardware']}" if row["hardware"] else ""
            STDERR.print(f"{row['model']}{where}, {row['events']:,} requests: {row['why_not']}")
    if document["out"]:
        STDERR.print(
            f"Wrote {document['out']}: add it to the settings file, before other serving_overrides. Ranges are high end over low"
            " end of the IT energy (80 %)."
        )
    else:
        STDERR.print("Nothing was written: no kind of request is narrowed by its times.")
