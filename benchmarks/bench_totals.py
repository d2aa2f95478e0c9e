"""What the range of a total adds to a report over a year with 500 groups, beside the limit for it.

A year of days of one tenant, every group on each of them: 182,500 rows, and 6,000 of their months. A report is asked for with its
ranges and for nothing but the sums that it is made of; what is measured is the difference. The closed form alone is measured as
well. Medians.
"""

import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

from sqlalchemy import Engine, insert

from benchmarks.harness import Row, stack
from rice_stream.instants import DAY_S
from rice_stream.meter.shared_ranges import SharedRange, shared_range
from rice_stream.quantities import MEASURES
from rice_stream.reports import totals as reporting
from rice_stream.reports import totals_sums
from rice_stream.reports.carbon_ranges import CarbonRanges
from rice_stream.reports.sums import RECORDS, SHOWN, Summand
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.reports.totals_sums import Asked, Found
from rice_stream.reports.what_is_summed import whole_buckets
from rice_stream.store import schema
from rice_stream.store.dimensions import AttributionIdentity, Dimensions
from rice_stream.store.engine import open_engine, writing
from rice_stream.store.migrate import migrate
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.totals_tables import DAYS, FACTOR_DAYS, MONTHS, TENANT_DAYS, TotalsTable

_MODELS, _PROVIDERS, _REGIONS = 25, 4, 5
_GROUPS = _MODELS * _PROVIDERS * _REGIONS
_DAYS = 365
_FIRST_DAY_S = 1_767_225_600  # 2026-01-01
_TURNS = 11
_LIMIT_MS = 20.0
_NOW = datetime(2027, 1, 1, tzinfo=UTC)
_REPORTS = {"by model, provider, region": ("model,provider,region",), "of the tenant": ()}


def run() -> list[dict[str, object]]:
    """Milliseconds that ranges add, on both databases, and those of the closed form."""
    groups = [(10**9 + number, tuple(sorted(_shared(number).items()))) for number in range(_GROUPS)]
    alone_ms = _median_ms(lambda: shared_range(groups))
    rows = [Row.against(f"range of a total of {_GROUPS} groups", alone_ms, "ms", "limit", _LIMIT_MS)]
    for store in ("sqlite", "postgres"):
        with _database(store) as engine:
            _fill(engine)
            for name, by in _REPORTS.items():
                with_ms, without_ms = _report_ms(engine, by)
                what = f"ranges add to a report {name}, {_GROUPS} groups over a year ({store})"
                rows.append(Row.against(what, with_ms - without_ms, "ms", "limit", _LIMIT_MS))
                rows.append(Row.against(f"that report ({store})", with_ms, "ms", "without ranges", without_ms))
    return [row.as_dict() for row in rows]


def _report_ms(engine: Engine, by: tuple[str, ...]) -> tuple[float, float]:
    """With ranges, and with the sums alone."""
    query = TotalsQuery(tenant="acme", by=by)

    def sums_only(asked: Asked) -> Found:
        whole, edges = whole_buckets(asked.what)
        summands = [each._replace(purpose=SHOWN, by_factor=False) for each in whole]
        found = totals_sums._found(totals_sums._sums(asked, [*summands, Summand(RECORDS, edges)]))
        return found._replace(parts={group: {} for group in found.groups})

    def ask() -> object:
        return reporting.totals(engine, EVERYTHING, query, _NOW)

    with_ms = _median_ms(ask)
    none = SharedRange(0, 0, 0, 0)
    with (
        mock.patch.object(reporting, "groups_and_parts_once", sums_only),
        mock.patch.object(CarbonRanges, "of", return_value=none),
    ):
        return with_ms, _median_ms(ask)


def _median_ms(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(_TURNS):
        begun = time.perf_counter()
        call()
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


@contextmanager
def _database(store: str) -> Iterator[Engine]:
    if store == "postgres":
        with stack() as (_, engine):
            yield engine
        return
    with tempfile.TemporaryDirectory(prefix="rice-bench-") as directory:
        engine = open_engine(f"sqlite:///{Path(directory) / 'rice.db'}")
        migrate(engine)
        yield engine
        engine.dispose()


def _shared(number: int) -> dict[str, float]:
    model, provider = number % _MODELS, number // _MODELS % _PROVIDERS
    region = f"{provider}-{number // _MODELS // _PROVIDERS}"
    return {
        "global:hosted": 0.2,
        f"provider:{provider}": 0.3,
        f"family:{model // 3}": 0.35,
        f"model:{model}": 0.2 + model / 100,
        f"region:{region}": 0.25,
        f"pue:{provider}": 0.05,
    }


def factor_keys(engine: Engine, count: int) -> list[int]:
    """Keys of so many uses of factors, one after the other, that share their uncertainties as those of hosted models do."""
    names = {column.name: "x" for column in schema.factor_use.c if column.type.python_type is str}
    numbers = {column.name: 1.0 for column in schema.factor_use.c if column.type.python_type is float}
    uses = []
    for number in range(count):
        shared = _shared(number)
        detail = {"spread": {"causes": shared, "shared": shared}, "sources": "s" * 1000}
        model, provider, region = (f"{kind}-{number // size % many}" for kind, size, many in _SIZES)
        row = {"digest": number.to_bytes(16, "big"), "model": model, "provider": provider, "region": region}
        uses.append({**names, **numbers, **row, "detail": json.dumps(detail)})
    return sorted(Dimensions(engine).factors(uses).values())


def _fill(engine: Engine) -> None:
    """As a worker would have left it."""
    dimensions = Dimensions(engine)
    tenant = dimensions.tenants(["acme"])["acme"]
    attribution = next(iter(dimensions.attributions([AttributionIdentity(tenant, "team", "", "")]).values()))
    keys = factor_keys(engine, _GROUPS)
    sums = dict.fromkeys(MEASURES, 10**9) | {
        "prompts": 1000,
        "carbon_low_ugco2e": 5 * 10**8,
        "carbon_high_ugco2e": 2 * 10**9,
    }
    with writing(engine) as connection:
        for totals, several in ((DAYS, 1), (FACTOR_DAYS, 1), (TENANT_DAYS, _GROUPS), (MONTHS, 1)):
            for start_s, days in _buckets(totals):
                at = {"tenant_key": tenant, totals.start: start_s}
                added = {name: amount * several * days for name, amount in sums.items()}
                keyed = [
                    {"attribution_key": attribution, "factor_key": key}
                    for key in (keys if totals.dimensions else keys[:1])
                ]
                known = ("tenant_key", *totals.columns)
                rows = [
                    {name: value for name, value in {**at, **each, **added}.items() if name in known} for each in keyed
                ]
                connection.execute(insert(schema.metadata.tables[totals.name]), rows)


def _buckets(totals: TotalsTable) -> list[tuple[int, int]]:
    """Start of each bucket of the year, and its days."""
    starts = Counter(totals.floor_s(_FIRST_DAY_S + day * DAY_S) for day in range(_DAYS))
    return sorted(starts.items())


_SIZES = (("model", 1, _MODELS), ("provider", _MODELS, _PROVIDERS), ("region", _MODELS * _PROVIDERS, _REGIONS))
