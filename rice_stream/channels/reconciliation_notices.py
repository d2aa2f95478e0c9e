"""What is told of a month that differs from what its provider states by more than its threshold, and when it does no more. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rice_stream.channels.letters import NOTICE_TYPE, Letter
from rice_stream.instants import epoch_us, rfc3339

_FIELDS = ("tenant_id", "month", "provider", "measure", "unexplained", "unexplained_percent", "threshold_percent", "ok")


def reconciliation_notice(told: Mapping[str, Any], now: datetime) -> Letter:
    """Of a reconciliation as it is answered: bad news, or the word that it is over. Amounts only: nothing of a file."""
    tenant, month, provider, measure = (told[name] for name in _FIELDS[:4])
    ok = told["ok"]
    percent = told["unexplained_percent"]
    found = "what the provider states is nothing" if percent is None else f"{percent:.3g} % is unexplained"
    title = (
        f"{month} of {tenant} agrees with {provider} again ({measure})"
        if ok
        else f"{month} of {tenant} differs from what {provider} states ({measure}): {found}"
    )
    sides = told["tokens"] or told["carbon"]
    unit = "tokens" if told["tokens"] else "gCO2e"
    facts = {
        "Ours": _amount(sides["ours" if told["tokens"] else "ours_gco2e"], unit),
        "Theirs": _amount(sides["theirs" if told["tokens"] else "theirs_gco2e"], unit),
        "Unexplained": _amount(told["unexplained"], unit),
        "Bad from": f"{told['threshold_percent']:g} % of theirs",
    }
    return Letter(
        event_type=NOTICE_TYPE,
        title=title,
        time=rfc3339(epoch_us(now)),
        lines=("The page Periods says which causes explain the rest.",),
        facts=tuple(facts.items()),
        path="/periods",
        subject=tenant,
        severity="info" if ok else "warning",
        key=f"reconciliation:{tenant}:{month}:{provider}:{measure}",
        is_over=ok,
        data={name: told[name] for name in _FIELDS} | {"reconciliation_id": told["reconciliation_id"]},
    )


def _amount(value: float, unit: str) -> str:
    return f"{value:,} {unit}" if isinstance(value, int) else f"{value:,.6g} {unit}"
