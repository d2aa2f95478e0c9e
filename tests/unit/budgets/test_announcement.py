"""Alerts and status rows as others read them."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rice_stream.budgets.announcement import alert_event, alert_id, budget_status
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.periods import Period, period_at
from rice_stream.budgets.rules import judge
from rice_stream.budgets.states import BudgetState, Consumed, Transition
from rice_stream.instants import epoch_us, rfc3339

NOW = datetime(2026, 11, 22, 19, 0, 0, 250_000, tzinfo=UTC)
BUDGET = Budget(
    budget_id=7,
    name="team-a-monthly",
    tenant_id="acme",
    team_id="search",
    limit=50_000_000_000,
    unit="gco2e",
    period="month",
    time_zone="Europe/Berlin",
)
CONSUMED = Consumed(31_000_000_000, 50_120_400_000, 81_000_000_000, 143_200_000_000)
NOVEMBER = Period(datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC), calendar=True)
EXCEEDED = Transition(3, 1.0, "exceeded", NOVEMBER, CONSUMED, 1.002408, open_thresholds=(0.5, 0.8, 1.0))

GOLDEN = """
{"specversion":"1.0",
 "id":"ab9afabde9cf00430c40ceb7ede08ee6c8650a321797b2f822f2ea8d914c959b",
 "source":"/rice/worker","type":"dev.rice.carbon.budget.v1","subject":"acme","time":"2026-11-22T19:00:00.250Z",
 "datacontenttype":"application/json","partitionkey":"acme",
 "data":{"tenant_id":"acme","budget":"team-a-monthly",
  "scope":{"team_id":"search","project_id":null,"cost_centre":null,"user_id":null,"model":null},
  "period":"month","time_zone":"Europe/Berlin",
  "period_start":"2026-10-31T23:00:00Z","period_end":"2026-11-30T23:00:00Z",
  "limit_gco2e":50000.0,"estimate":"mid",
  "consumed_gco2e":{"low":31000.0,"mid":50120.4,"high":81000.0},"consumed_kwh":143.2,
  "ratio":1.002408,"threshold":1.0,"state":"exceeded","severity":"critical","basis":"actual","open_thresholds":[0.5,0.8,1.0],
  "event_time_watermark":"2026-11-22T18:59:58Z","sequence":3}}
"""


def event(budget: Budget = BUDGET, transition: Transition = EXCEEDED) -> dict[str, object]:
    watermark = datetime(2026, 11, 22, 18, 59, 58, tzinfo=UTC)
    return alert_event(budget, transition, source="/rice/worker", event_time_watermark=watermark, time=NOW)


def test_an_alert_is_this_cloudevent() -> None:
    assert json.dumps(event()) == json.dumps(json.loads(GOLDEN))


def test_judging_leads_to_that_alert() -> None:
    _, transitions = judge(BUDGET, BudgetState(), CONSUMED, period_at(BUDGET, NOW), NOW)
    assert [transition.threshold for transition in transitions] == [0.5, 0.8, 1.0]
    assert transitions[-1] == EXCEEDED


def test_the_id_is_sha256_of_its_parts_each_after_its_length() -> None:
    parts = [b"acme", b"7", b"team-a-monthly", b"2026-10-31T23:00:00Z", b"1.0", b"exceeded", b"3"]
    lengths = [4, 1, 14, 20, 3, 8, 1]
    framed = b"".join(bytes(7) + bytes([length]) + part for length, part in zip(lengths, parts, strict=True))
    assert alert_id(BUDGET, EXCEEDED) == hashlib.sha256(framed).hexdigest()


def test_every_part_of_a_change_tells_its_id_apart_and_nothing_else_does() -> None:
    december = Period(NOVEMBER.end, NOVEMBER.end + timedelta(days=31), calendar=True)
    others = [
        (replace(BUDGET, tenant_id="globex"), EXCEEDED),
        (replace(BUDGET, name="other"), EXCEEDED),
        (replace(BUDGET, budget_id=8), EXCEEDED),
        (replace(BUDGET, budget_id=None), EXCEEDED),
        (BUDGET, replace(EXCEEDED, period=december)),
        (BUDGET, replace(EXCEEDED, threshold=0.8)),
        (BUDGET, replace(EXCEEDED, state="resolved")),
        (BUDGET, replace(EXCEEDED, sequence=4)),
        # What a bare separator would mix up.
        (replace(BUDGET, tenant_id="acme7", budget_id=None), EXCEEDED),
    ]
    assert len({alert_id(BUDGET, EXCEEDED), *(alert_id(*other) for other in others)}) == 10
    later = replace(EXCEEDED, consumed=Consumed(1, 2, 3, 4), ratio=0.1)
    assert alert_id(replace(BUDGET, limit=1, thresholds=(0.1,)), later) == alert_id(BUDGET, EXCEEDED)


def test_two_workers_a_minute_apart_give_a_rolling_budget_the_same_id() -> None:
    rolling = replace(BUDGET, period="rolling-24h")
    ids = set()
    for now in (NOW, NOW + timedelta(minutes=1)):
        _, transitions = judge(rolling, BudgetState(), CONSUMED, period_at(rolling, now), now)
        ids.add(alert_id(rolling, transitions[-1]))
    assert len(ids) == 1


def test_an_energy_budget_has_its_limit_in_kwh_and_the_carbon_beside_it() -> None:
    budget = replace(BUDGET, unit="kwh", limit=100 * 10**9)
    data = event(budget, replace(EXCEEDED, ratio=1.432))["data"]
    assert isinstance(data, dict)
    assert "limit_gco2e" not in data
    assert (data["limit_kwh"], data["consumed_kwh"], data["ratio"]) == (100.0, 143.2, 1.432)
    assert data["consumed_gco2e"] == {"low": 31000.0, "mid": 50120.4, "high": 81000.0}


def test_an_unknown_watermark_is_null() -> None:
    told = alert_event(BUDGET, EXCEEDED, source="/x", event_time_watermark=None, time=NOW)
    assert told["data"]["event_time_watermark"] is None


def test_a_status_row_shows_the_budget_in_its_own_unit() -> None:
    state, _ = judge(BUDGET, BudgetState(), CONSUMED, NOVEMBER, NOW)
    assert json.loads(json.dumps(budget_status(BUDGET, state, CONSUMED))) == {
        "name": "team-a-monthly",
        "tenant_id": "acme",
        "team_id": "search",
        "project_id": None,
        "cost_centre": None,
        "user_id": None,
        "model": None,
        "limit": 50_000.0,
        "unit": "gco2e",
        "period": "month",
        "time_zone": "Europe/Berlin",
        "thresholds": [0.5, 0.8, 1.0],
        "estimate": "mid",
        "hysteresis": 0.05,
        "early_warning": False,
        "state": "exceeded",
        "consumed": 50_120.4,
        "ratio": 1.002408,
        "consumed_gco2e": {"low": 31_000.0, "mid": 50_120.4, "high": 81_000.0},
        "consumed_kwh": 143.2,
    }


def test_times_are_in_utc_with_a_fraction_only_where_there_is_one() -> None:
    assert rfc3339(epoch_us(datetime(2026, 11, 1, tzinfo=UTC))) == "2026-11-01T00:00:00Z"
    assert rfc3339(epoch_us(datetime.fromisoformat("2026-11-01T00:00:00.5+01:00"))) == "2026-10-31T23:00:00.500Z"
    with pytest.raises(ValueError, match="needs a time zone"):
        rfc3339(epoch_us(datetime(2026, 11, 1)))  # noqa: DTZ001  # what is refused
