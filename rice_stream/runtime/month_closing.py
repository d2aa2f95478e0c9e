"""Closing months with the settings of this installation: what the checklist looks at, and what signs."""

from collections.abc import Sequence
from functools import partial

from rice_stream import __version__
from rice_stream.channels.months import ARRIVES_WITHIN, Month
from rice_stream.errors import NotFoundError
from rice_stream.instants import SECOND_US, datetime_of, rfc3339, zone
from rice_stream.ledger.checklist import (
    CONTRACTS,
    COVERAGE,
    QUARANTINE,
    RECONCILIATION,
    TOTALS,
    UNATTRIBUTED,
    WATERMARK,
    ChecklistLine,
)
from rice_stream.ledger.closing import Closing
from rice_stream.ledger.contracts import contracts_standing
from rice_stream.proof.month_verification import month_differences
from rice_stream.reports.meta import watermark_s
from rice_stream.reports.month_shares import MonthShares, month_shares
from rice_stream.reports.tenants import named_tenant
from rice_stream.runtime.opening_reference import open_reference
from rice_stream.runtime.opening_secrets import open_secret_box
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.audit import Actor
from rice_stream.store.closing_store import prompts_of
from rice_stream.store.contract_store import TenantMonth
from rice_stream.store.engine import Engine, reading
from rice_stream.store.period_leaves import MonthBounds
from rice_stream.store.quarantine import held_between
from rice_stream.store.reconciliation_store import StoredReconciliation, latest_reconciliations
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.snapshot import snapshot
from rice_stream.store.stored_records import tenant_keys

_ARRIVES_WITHIN_US = int(ARRIVES_WITHIN.total_seconds()) * SECOND_US
_QUICK_PROMPTS_MAX = 20_000
"""Of a month whose records are added up while somebody waits for the answer: less than a second, corrected twice as well."""
_APPLIED = {True: "applied", False: "not applied", None: "looked at when it is closed"}


def open_closing(settings: Settings, engine: Engine, by: Actor, *, quick: bool = False) -> Closing:
    """How months of this ledger are closed; `quick`: without what takes long of a large month, to look at before it is ordered.

    UsageError: RICE_SECRETS_KEY has an entry that is no key.
    """
    checks = partial(month_checklist, engine, settings, quick=quick)
    return Closing(engine, open_secret_box(settings), checks, by, __version__)


def month_of_tenant(engine: Engine, tenant_id: str, month: str) -> Month:
    """The month in the tenant's time zone. UsageError: it is none; NotFoundError: there is no such tenant."""
    return Month.of(month, named_tenant(engine, EVERYTHING, tenant_id)["time_zone"])


def month_in(engine: Engine, bounds: MonthBounds, tenant_id: str) -> TenantMonth:
    """The month of these bounds, with its name."""
    zone_ = zone(named_tenant(engine, EVERYTHING, tenant_id)["time_zone"])
    name = datetime_of((bounds.low_us + bounds.high_us) // 2).astimezone(zone_).strftime("%Y-%m")
    return TenantMonth(bounds.tenant_key, name, bounds.low_us, bounds.high_us)


def month_checklist(
    engine: Engine, settings: Settings, bounds: MonthBounds, *, quick: bool = False
) -> Sequence[ChecklistLine]:
    """What is found of a month that is over; `quick`: records of a large one are not added up. StoreUnavailableError: the database
    does not answer."""
    with snapshot(engine, EVERYTHING) as connection:
        names = {key: name for name, key in tenant_keys(connection).items()}
        tenant_id = names.get(bounds.tenant_key)
        if tenant_id is None:
            raise NotFoundError("there is no such tenant; `rice-stream tenant list` shows all")
        reached_us = (watermark_s(connection, EVERYTHING) or 0) * SECOND_US
        held = held_between(connection, bounds.low_us, bounds.high_us + _ARRIVES_WITHIN_US)
        shares = month_shares(connection, EVERYTHING.within(tenant_id), bounds.low_us, bounds.high_us)
        prompts = prompts_of(connection, tenant_id, bounds.low_us, bounds.high_us)
        quick = quick and prompts > _QUICK_PROMPTS_MAX
        differences = None if quick else month_differences(connection, bounds).total
    which = month_in(engine, bounds, tenant_id)
    with reading(engine) as connection:
        compared = latest_reconciliations(connection, tenant_id, which.month)
    contracts, applied = contracts_standing(engine, open_reference(settings), which, tenant_id, quick=quick)
    return [
        ChecklistLine(
            WATERMARK,
            reached_us >= bounds.high_us,
            f"events have come up to {rfc3339(reached_us)}; the month ends at {rfc3339(bounds.high_us)}",
            "wait for events from after its end",
        ),
        ChecklistLine(
            QUARANTINE,
            held == 0,
            f"{held:,} items that were refused from its beginning until two days after its end are undecided",
            "replay or drop them (`rice-stream quarantine list`)",
        ),
        *_shares(shares, settings),
        ChecklistLine(
            CONTRACTS,
            applied,
            f"contracts for electricity in force: {contracts:,}; what they cover of the month by now is"
            f" {_APPLIED[applied]}",
            "apply them (`rice-stream market apply`)",
        ),
        ChecklistLine(
            TOTALS,
            None if differences is None else differences == 0,
            f"{prompts:,} prompts are too many to add up while somebody waits: they are when it is closed"
            if differences is None
            else f"{differences:,} totals differ from their records",
            "find out why (`rice-stream verify`), then `rice-stream rebuild`",
        ),
        _reconciliation(compared),
    ]


def _shares(shares: MonthShares, settings: Settings) -> list[ChecklistLine]:
    """How much of the carbon is charged to somebody, and rests on what is known."""
    nobodys, covered = shares.unattributed or 0.0, 1.0 if shares.covered is None else shares.covered
    return [
        ChecklistLine(
            UNATTRIBUTED,
            nobodys <= settings.close_unattributed_max,
            f"{nobodys:.1%} of its carbon is charged to no team; RICE_CLOSE_UNATTRIBUTED_MAX is"
            f" {settings.close_unattributed_max:.1%}",
            "map what is unattributed (`rice-stream coverage`)",
        ),
        ChecklistLine(
            COVERAGE,
            covered >= settings.close_coverage_min,
            f"{covered:.1%} of its carbon rests on known models and regions; RICE_CLOSE_COVERAGE_MIN is"
            f" {settings.close_coverage_min:.1%}",
            "map unknown names (`rice-stream coverage`) and restate",
        ),
    ]


def _reconciliation(compared: Sequence[StoredReconciliation]) -> ChecklistLine:
    """The latest comparison with each provider, of tokens and of carbon. Not every provider gives out usage, so where none was made
    nothing is in the way, and the month's checklist says so for good."""
    return ChecklistLine(
        RECONCILIATION,
        all(each.ok for each in compared) if compared else None,
        "; ".join(map(_compared, compared)) or "the month was compared with no usage export of a provider",
        "find out what is not explained, and compare again (`rice-stream reconcile`)",
    )


def _compared(each: StoredReconciliation) -> str:
    share = f"{100 * abs(each.unexplained) / each.theirs:.3g} % unexplained" if each.theirs else "nothing is stated"
    return f"{each.provider}, {each.measure}: {share} ({each.threshold_percent:g} % is bad news)"
