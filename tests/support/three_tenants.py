"""Three tenants with prompts of two teams and of none, all that comes with them, and the scopes that callers may have."""

from typing import Any

from rice_stream.alerting.budgets import set_budgets
from rice_stream.alerting.judge import Judge
from rice_stream.budgets.parsing import parse_budget
from rice_stream.events.mappings import MappedName
from rice_stream.ledger.voiding import void_record
from rice_stream.reports.record_keys import find_key
from rice_stream.store.archive.kept import ArchivedFile, ArchivedMonth, save_month
from rice_stream.store.contract_store import CoveredHour, TenantMonth, save_covered
from rice_stream.store.engine import writing
from rice_stream.store.http_tokens import HttpToken, create_token
from rice_stream.store.mapping_store import save_mapping
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.channels_store import add_channel, add_delivery
from tests.support.closing import close
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import NOON, Store, at

ODD = "Müller, \"Söhne\" & 'Co'; {a,b} \\ %s *"
"""A tenant whose name has in it what could be taken for an end of something."""
TENANTS = ("acme", ODD, "*")
TEAMS = ("search", "ads, and 'more'", None)
WHOLE = "(whole tenant)"
"""In the place of a team, where what is meant is all of them."""

SCOPES = {
    "nothing": Scope(frozenset()),
    "a tenant that is not there": Scope(frozenset({"globex"})),
    "one tenant": Scope(frozenset({"acme"})),
    "a name with signs": Scope(frozenset({ODD})),
    "a tenant whose name is a star": Scope(frozenset({"*"})),
    "two tenants": Scope(frozenset({"acme", ODD})),
    "a team of a tenant": Scope(frozenset({"acme"}), frozenset({"search"})),
    "a team with signs, of two tenants": Scope(frozenset({"acme", "*"}), frozenset({"ads, and 'more'"})),
    "a team that is not there": Scope(frozenset({"acme"}), frozenset({"*"})),
    "a team of every tenant": Scope(None, frozenset({"search"})),
    "everything": EVERYTHING,
}


def fill(store: Store) -> None:
    """Into an empty database."""
    set_budgets(
        store.engine,
        [
            parse_budget({"name": name, "tenant_id": tenant, "limit_gco2e": 1, "period": "day", **narrowed})
            for tenant in TENANTS
            for name, narrowed in {
                "all": {},
                "user": {"user_id": "u-1"},
                "team": {"team_id": "search"},
                "other": {"team_id": "ads, and 'more'"},
            }.items()
        ],
        NOON_US,
        OPERATOR,
    )
    for day in ("2026-10-20", "2026-11-22"):
        for number, tenant in enumerate(TENANTS):
            store.add(
                *(
                    at(f"{day}T11:{minute:02d}:00Z", tenant_id=tenant, team_id=team, user_id=f"u-{minute % 2}")
                    for minute, team in enumerate(TEAMS * (number + 1))
                )
            )
            store.add(at(f"{day}T11:00:00Z", tenant_id=tenant, team_id=TEAMS[0], user_id="u-0", output_tokens=77))
    for tenant in TENANTS:
        found = find_key(store.engine, EVERYTHING, "2026-11-22T11:01:00Z", tenant)
        void_record(store.engine, found.key, tenant, found.event_id, reason="wrong", by=OPERATOR)
        close(store.engine, "2025-01", tenant, soft=True)
        hour = CoveredHour("ppa", NOON_US // 1_000_000, "location", "annual", "ppa", "annual", 1)
        month = ArchivedMonth(found.key.tenant_key, "2024-12", 0, 1, 1, 0, bytes(32), "file:///gone", 1, b"", 0, "test")
        file = ArchivedFile(0, "/gone", False, 1, 1, bytes(32), bytes(16), bytes(16))
        with writing(store.engine) as connection:
            save_month(connection, month, [file])
            save_covered(connection, TenantMonth(found.key.tenant_key, "2026-11", 0, 1), [hour])
    store.add({"no": "event"})
    Judge(store.engine).judge_all(NOON)
    with writing(store.engine) as connection:
        save_mapping(connection, MappedName("model", "gpt", "small", NOON_US), NOON_US)
    for number, (tenants, teams) in enumerate(
        [(None, ()), (["acme"], ()), (["acme", ODD], ()), (["acme"], ["search"]), (["*"], ()), (None, ["search"])]
    ):
        create_token(store.engine, _token(number, tenants, teams), EVERYTHING, OPERATOR)
    _fill_channels(store)


def _fill_channels(store: Store) -> None:
    """One that takes alerts of every tenant, one of each, and one of two; each with deliveries, also one that is gone."""
    alert = store.rows("SELECT id, tenant_id FROM alert ORDER BY id")[0]
    for number, tenants in enumerate([None, *([tenant] for tenant in TENANTS), ["acme", ODD]]):
        channel_id = add_channel(store.engine, f"c-{number}", tenants, target=f"https://{tenants}.example")
        for state in ("due", "held", "done"):
            tenant = alert["tenant_id"] if tenants is None else tenants[0]
            values = {"channel": f"c-{number}", "tenant_id": tenant, "state": state}
            add_delivery(store.engine, channel_id, state, **values, alert_id=alert["id"] if state == "due" else None)
    add_delivery(store.engine, 99, "gone", tenant_id="acme")


def _token(number: int, tenants: list[str] | None, teams: Any) -> HttpToken:
    return HttpToken(
        id=0,
        name=f"t-{number}",
        role="reader",
        prefix="rice_x",
        digest=bytes([number]) * 32,
        tenants=None if tenants is None else frozenset(tenants),
        teams=frozenset(teams),
        requests_per_s=None,
        concurrency=None,
        created_at_us=NOON_US,
        expires_at_us=None,
    )
