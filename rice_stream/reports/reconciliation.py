"""Our tokens of a tenant's month against what a provider says was used: the difference by cause, and what nothing explains."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rice_stream.errors import UsageError
from rice_stream.instants import DAY_US, datetime_of, rfc3339
from rice_stream.reports.month_stretch import month_stretch
from rice_stream.reports.name_filter import NameFilter
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import AmountsAs, TotalsQuery
from rice_stream.reports.usage_exports.model_names import base_name
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

    def ours(between: tuple[int, int], *by: str, amounts: AmountsAs = "restated") -> list[dict[str, Any]]:
        return _ours(engine, scope, order.tenant, where, between, by, amounts)

    compared = _Compared(
        in_month=_sum(_by_name(ours((stretch.low_us, stretch.high_us), "model"))),
        models=_by_name(ours(of_file, "model")),
        reported=_by_name(ours(of_file, "model", amounts="reported")),
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
    reported: _Models
    cached: tuple[_Models, str | None]
    theirs: _Models


def _told(compared: _Compared, threshold_percent: float) -> dict[str, Any]:
    """Both sides, the difference by cause, and what is left. Pure."""
    models, theirs, ours, stated = compared.models, compared.theirs, compared.in_month, _sum(compared.theirs)
    cached, cached_why = compared.cached
    here = {**models, **compared.reported}
    matched = _matched(here, theirs)
    ours_by_base = set(map(base_name, here))
    # Of models that the file does not have, nothing else is a cause: they are told once.
    causes = {
        "calendar": _sum(models).all - ours.all,
        "corrections": sum(_of(compared.reported, name) - _of(models, name) for name in matched),
        "gateway_cache": -sum(_of(cached, name) for name in matched),
        "not_through_here": sum(
            tokens.all for name, tokens in theirs.items() if name and base_name(name) not in ours_by_base
        ),
        "not_in_file": -sum(tokens.all for name, tokens in models.items() if name not in matched),
    }
    whys = {**CAUSES, **({} if cached_why is None else {"gateway_cache": cached_why})}
    difference = stated.all - ours.all
    unexplained = difference - sum(causes.values())
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
        **judged(unexplained, stated.all, threshold_percent),
        "models": _by_model(models, theirs, matched),
    }


def judged(unexplained: int, stated: int, threshold_percent: float) -> dict[str, Any]:
    """Which share of what the provider states is unexplained (None: it states nothing), and whether that is less than it takes to
    be bad news. Where nothing is unexplained all is in order, also at a threshold of 0.
    """
    percent = 100 * abs(unexplained) / stated if stated else None
    ok = percent is not None and (percent < threshold_percent or unexplained == 0)
    return {"unexplained_percent": percent, "threshold_percent": threshold_percent, "ok": ok}


def _ours(
    engine: Engine,
    scope: Scope,
    tenant: str,
    where: NameFilter,
    between: tuple[int, int],
    by: tuple[str, ...],
    amounts: AmountsAs,
) -> list[dict[str, Any]]:
    start, end = map(datetime_of, between)
    query = TotalsQuery(
        tenant=tenant, by=by, start=start, end=end, where=where, amounts=amounts, ranges=False, only=("tokens",)
    )
    found: list[dict[str, Any]] = totals(engine, scope, query, end)["rows"]
    return found


def _by_name(rows: Sequence[Mapping[str, Any]]) -> _Models:
    found: _Models = {}
    for row in rows:
        name = row["model"] or ""
        before = found.get(name, _Tokens())
        found[name] = _Tokens(before.input + row["input_tokens"], before.output + row["output_tokens"])
    return found


def _of(models: _Models, name: str) -> int:
    return models.get(name, _Tokens()).all


def _cached(ours: Any, between: tuple[int, int]) -> tuple[_Models, str | None]:
    """Tokens of prompts that a gateway answered itself; it is known from the records only: where those are gone, why it is none."""
    try:
        rows = ours(between, "basis", "model", amounts="reported")
    except UsageError as error:
        return {}, f"not known: {error}"
    return _by_name([row for row in rows if "gateway_cache_hit" in row["basis"].split(",")]), None


def _reach(usage: UsageFile) -> tuple[int, int]:
    """From the first row to the last, stretches without any use included; whole days of UTC where rows have no end of their own."""
    spans = [(row.start_us, row.end_us) for row in usage.rows] + [(each.start_us, each.end_us) for each in usage.unused]
    first_us = min(start_us for start_us, _ in spans)
    last_us = max((start_us // DAY_US + 1) * DAY_US if end_us is None else end_us for start_us, end_us in spans)
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
    """Our names of models -> theirs: the very name, else the first of the same base name. A file that names no models is of all of
    them.
    """
    if set(theirs) == {""}:
        return dict.fromkeys(ours, "")
    by_base = {base_name(name): name for name in sorted(theirs, reverse=True) if name}
    return {
        name: name if name in theirs else by_base[base_name(name)]
        for name in ours
        if name in theirs or base_name(name) in by_base
    }


def _by_model(ours: _Models, theirs: _Models, matched: Mapping[str, str]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for name, tokens in theirs.items():
        rows[name] = {"model": name or None, "ours": 0, "theirs": tokens.all}
    for name, tokens in ours.items():
        row = rows.setdefault(matched.get(name, name), {"model": name or None, "ours": 0, "theirs": 0})
        row["ours"] += tokens.all
    told: Sequence[dict[str, Any]] = [{**row, "difference": row["theirs"] - row["ours"]} for row in rows.values()]
    return sorted(told, key=lambda row: (-abs(row["difference"]), row["model"] or ""))
