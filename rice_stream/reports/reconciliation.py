"""Our tokens of a tenant's month against what a provider says was used: the difference by cause, and what nothing explains."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from rice_stream.errors import UsageError
from rice_stream.instants import DAY_US, datetime_of, rfc3339
from rice_stream.reports.month_stretch import month_stretch
from rice_stream.reports.name_filter import NameFilter
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import AmountsAs, TotalsQuery
from rice_stream.reports.usage_exports.reading import UsageFile
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot

SPAN_MAX_US = 92 * DAY_US
"""From the first row of a file to the last: a month, with what exports give out around it."""
THRESHOLD_PERCENT = 1.0
"""From which share of what the provider states on what is unexplained is bad news, where nothing else is said."""
PROVIDER_NAMES: Mapping[str, tuple[str, ...]] = {
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "bedrock": ("aws.bedrock", "bedrock", "aws_bedrock", "bedrock_converse", "amazon"),
    "azure": (
        "azure",
        "azure.ai.openai",
        "azure.ai.inference",
        "az.ai.openai",
        "az.ai.inference",
        "azure_openai",
        "azure_ai",
    ),
    "vertex": ("gcp.vertex_ai", "vertex_ai", "google-vertex", "google_vertex", "gcp", "gcp.gemini", "gemini", "google"),
}
"""What events call each provider."""
CAUSES = {
    "calendar": "the file is of another stretch of time than the tenant's month: days of UTC, or not all of them",
    "corrections": "prompts that were voided or corrected here; the provider counted them",
    "gateway_cache": "prompts that a gateway answered from its cache; the provider never saw them",
    "not_through_here": "models that no prompt here was of: keys outside the gateway, or names that differ",
    "not_in_file": "models of which the file has nothing: another account, or names that differ",
}
"""In the order in which an answer tells them; amounts are what each adds to ours on the way to theirs."""


class ReconciliationOrder(NamedTuple):
    """Whose month, and what events call the provider."""

    tenant: str
    month: str
    provider: str
    names: tuple[str, ...] = ()
    """Instead of those of PROVIDER_NAMES."""
    threshold_percent: float = THRESHOLD_PERCENT


class _Tokens(NamedTuple):
    input: int = 0
    output: int = 0

    @property
    def all(self) -> int:
        return self.input + self.output


_Models = dict[str, _Tokens]


def reconcile(engine: Engine, scope: Scope, order: ReconciliationOrder, usage: UsageFile) -> dict[str, Any]:
    """The comparison.

    Returns:
        `{"tenant_id", "month", "provider", "measure", "window", "file", "tokens": {"ours", "theirs", "difference", "input",
        "output"}, "carbon": None, "causes": [{"cause", "tokens", "why"}], "unexplained", "unexplained_percent",
        "threshold_percent", "ok", "models"}`. `difference` is theirs less ours; the causes and `unexplained` add up to it. `models`
        has both sides by name, the largest difference first.

    Raises:
        UsageError: names of a provider that there is not, a file of more than SPAN_MAX_US, or as from `totals`. NotFoundError: no
        such tenant in the scope.
    """
    where = NameFilter.of({"provider": names_of(order)})
    with snapshot(engine, scope) as connection:
        stretch = month_stretch(connection, scope, order.tenant, order.month)
    of_file = _reach(usage)

    def ours(between: tuple[int, int], by: str = "model", amounts: AmountsAs = "restated") -> _Models:
        return _ours(engine, scope, order.tenant, where, between, by, amounts)

    compared = _Compared(
        in_month=_sum(ours((stretch.low_us, stretch.high_us))),
        models=ours(of_file),
        reported=_sum(ours(of_file, amounts="reported")),
        cached=_cached(ours, of_file),
        theirs=_theirs(usage),
    )
    file = {
        "from": rfc3339(of_file[0]),
        "to": rfc3339(of_file[1]),
        "rows": len(usage.rows),
        "skipped": usage.skipped,
        "skipped_why": list(usage.skipped_why),
    }
    asked = {"tenant_id": order.tenant, "month": order.month, "provider": order.provider, "measure": "tokens"}
    return {**asked, "window": stretch.window, "file": file, "carbon": None, **_told(compared, order.threshold_percent)}


def names_of(order: ReconciliationOrder) -> tuple[str, ...]:
    """What events call the provider of an order. UsageError: there is no such provider."""
    names = order.names or PROVIDER_NAMES.get(order.provider)
    if not names:
        raise UsageError(f"--provider {order.provider}: choose from {', '.join(PROVIDER_NAMES)}")
    return names


class _Compared(NamedTuple):
    """Ours of the month, and of the file's stretch by model, as reported and from caches; and what the file says."""

    in_month: _Tokens
    models: _Models
    reported: _Tokens
    cached: tuple[int, str | None]
    theirs: _Models


def _told(compared: _Compared, threshold_percent: float) -> dict[str, Any]:
    """Both sides, the difference by cause, and what is left. Pure."""
    models, theirs, ours, stated = compared.models, compared.theirs, compared.in_month, _sum(compared.theirs)
    matched = _matched(models, theirs)
    cached, cached_why = compared.cached
    causes = {
        "calendar": _sum(models).all - ours.all,
        "corrections": compared.reported.all - _sum(models).all,
        "gateway_cache": -cached,
        "not_through_here": sum(tokens.all for name, tokens in theirs.items() if name not in matched.values()),
        "not_in_file": -sum(tokens.all for name, tokens in models.items() if name not in matched),
    }
    whys = {**CAUSES, **({} if cached_why is None else {"gateway_cache": cached_why})}
    difference = stated.all - ours.all
    unexplained = difference - sum(causes.values())
    percent = 100 * abs(unexplained) / stated.all if stated.all else None
    return {
        "tokens": {
            "ours": ours.all,
            "theirs": stated.all,
            "difference": difference,
            "input": {"ours": ours.input, "theirs": stated.input},
            "output": {"ours": ours.output, "theirs": stated.output},
        },
        "causes": [{"cause": cause, "tokens": tokens, "why": whys[cause]} for cause, tokens in causes.items()],
        "unexplained": unexplained,
        "unexplained_percent": percent,
        "threshold_percent": threshold_percent,
        "ok": percent is not None and percent < threshold_percent,
        "models": _by_model(models, theirs, matched),
    }


def _ours(
    engine: Engine,
    scope: Scope,
    tenant: str,
    where: NameFilter,
    between: tuple[int, int],
    by: str,
    amounts: AmountsAs,
) -> _Models:
    start, end = map(datetime_of, between)
    query = TotalsQuery(
        tenant=tenant, by=(by,), start=start, end=end, where=where, amounts=amounts, ranges=False, only=("tokens",)
    )
    now: datetime = end
    rows = totals(engine, scope, query, now)["rows"]
    return {row[by] or "": _Tokens(row["input_tokens"], row["output_tokens"]) for row in rows}


def _cached(ours: Any, between: tuple[int, int]) -> tuple[int, str | None]:
    """Tokens of prompts that a gateway answered itself; it is known from the records only: where those are gone, why it is 0."""
    try:
        by_basis = ours(between, "basis", "reported")
    except UsageError as error:
        return 0, f"not known: {error}"
    return sum(tokens.all for basis, tokens in by_basis.items() if "gateway_cache_hit" in basis.split(",")), None


def _reach(usage: UsageFile) -> tuple[int, int]:
    """From the first row to the last, whole days of UTC where rows have no end of their own."""
    first_us = min(row.start_us for row in usage.rows)
    last_us = max(row.end_us if row.end_us is not None else (row.start_us // DAY_US + 1) * DAY_US for row in usage.rows)
    if last_us - first_us > SPAN_MAX_US:
        span = f"{rfc3339(first_us)} to {rfc3339(last_us)}"
        raise UsageError(f"the file is of {span}, more than {SPAN_MAX_US // DAY_US} days; export the month alone")
    return first_us, max(last_us, first_us + 1)


def _theirs(usage: UsageFile) -> _Models:
    found: _Models = {}
    for row in usage.rows:
        before = found.get(row.model, _Tokens())
        found[row.model] = _Tokens(before.input + row.input_tokens, before.output + row.output_tokens)
    return found


def _sum(models: _Models) -> _Tokens:
    return _Tokens(sum(each.input for each in models.values()), sum(each.output for each in models.values()))


def _matched(ours: _Models, theirs: _Models) -> dict[str, str]:
    """Our names of models -> theirs: the same but for case, or one that goes on with a date or a version. A file that names no
    models is of all of them.
    """
    if set(theirs) == {""}:
        return dict.fromkeys(ours, "")
    found = {}
    for name in ours:
        plain = _plain(name)
        same = [each for each in theirs if _plain(each) == plain]
        longer = sorted(each for each in theirs if each and plain and _is_dated(plain, _plain(each)))
        if same or longer:
            found[name] = (same or longer)[0]
    return found


def _plain(name: str) -> str:
    return name.rpartition("/")[2].lower()


def _is_dated(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and long[len(short) :].lstrip("-@:.v").replace("-", "").replace(":", "").isdigit()


def _by_model(ours: _Models, theirs: _Models, matched: Mapping[str, str]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for name, tokens in theirs.items():
        rows[name] = {"model": name or None, "ours": 0, "theirs": tokens.all}
    for name, tokens in ours.items():
        row = rows.setdefault(matched.get(name, name), {"model": name or None, "ours": 0, "theirs": 0})
        row["ours"] += tokens.all
    told: Sequence[dict[str, Any]] = [{**row, "difference": row["theirs"] - row["ours"]} for row in rows.values()]
    return sorted(told, key=lambda row: (-abs(row["difference"]), row["model"] or ""))
