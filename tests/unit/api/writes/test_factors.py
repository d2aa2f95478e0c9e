"""Factor sets over HTTP: who adds one, what is told of a mistake, and that what the API estimates takes it up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rice_stream.api.product import Product
from rice_stream.store.engine import StoreUnavailableError
from tests.support.api_running import Api
from tests.support.cli_running import Shell
from tests.support.factor_files import SWEDEN, contract_row, file_of, market_row, rci_row

ASKED = {"model": "gpt-4o", "input_tokens": 500, "output_tokens": 250, "region": SWEDEN}


def body(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A set for all events of some year that nothing is recorded of."""
    return file_of(*rows, **{"effective_from": "2030-01-01", **changes})


def test_a_set_is_added_listed_shown_and_compared_as_by_the_command_line(api: Api, ledger: Shell) -> None:
    made = api.send("POST", "/v1/factors", body(rci_row(), name="grid-2029"), role="admin")
    assert (made.status, made.document["added"], made.document["state"]) == (201, True, "coming")
    again = api.send("POST", "/v1/factors", body(rci_row(), name="grid-2029"), role="admin")
    assert (again.status, again.document["added"], again.document["digest"]) == (201, False, made.document["digest"])
    api.send("POST", "/v1/factors", body(rci_row(value=25), name="grid-2030"), role="admin")
    assert api.get("/v1/factors").document["rows"] == ledger.json("factors", "list")["factor_sets"]
    shown = api.get("/v1/factors/grid-2029").document
    assert shown == ledger.json("factors", "show", made.document["digest"])["factor_set"]
    assert [row["value"] for row in shown["rows"]] == [12.5]
    compared = api.get("/v1/factors/diff?a=grid-2029&b=grid-2030").document
    assert compared == ledger.json("factors", "diff", "grid-2029", "grid-2030")
    assert [(row["change"], row["change_percent"]) for row in compared["rows"]] == [("changed", 100.0)]


def test_a_request_that_is_sent_again_with_its_key_is_answered_as_the_first_time(api: Api, ledger: Shell) -> None:
    first, second = (
        api.send("POST", "/v1/factors", body(rci_row()), role="admin", headers={"Idempotency-Key": "k"})
        for _ in range(2)
    )
    assert (first.status, first.document) == (second.status, second.document)
    assert first.document["added"]
    assert len(ledger.json("factors", "list")["factor_sets"]) == 1


def test_only_admins_of_every_tenant_add_sets(api: Api, ledger: Shell) -> None:
    """Who sees every tenant reads them; to everybody else there are none."""
    for role in ("editor", "reader", "auditor", "ingest"):
        assert api.send("POST", "/v1/factors", body(rci_row()), role=role).status == 403
    assert api.send("POST", "/v1/factors", body(rci_row()), role="admin", tenants={"acme"}).status == 403
    assert ledger.json("factors", "list")["factor_sets"] == []
    made = api.send("POST", "/v1/factors", body(rci_row()), role="admin").document
    assert api.get("/v1/factors", "reader").document["rows"] == [without(made, "added", "url", "note")]
    assert api.send("GET", "/v1/factors", tenants={"acme"}).document["rows"] == []
    assert api.send("GET", f"/v1/factors/{made['digest']}", tenants={"acme"}).status == 404


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    """The other fields."""
    return {name: value for name, value in document.items() if name not in names}


def test_what_is_wrong_with_a_set_is_told(api: Api, ledger: Shell) -> None:
    """With row and column; nothing is stored."""
    wrong = api.send("POST", "/v1/factors", body(rci_row("atlantis")), role="admin")
    assert (wrong.status, wrong.document["detail"]) == (
        400,
        "body row 1, column region: 'atlantis' is no place of the tables",
    )
    past = api.send("POST", "/v1/factors", body(rci_row(), effective_from="2020-01-01"), role="admin")
    assert past.status == 400
    assert "are recorded, and keep their estimates" in past.document["detail"]
    assert api.send("POST", "/v1/factors", body(kind="gas"), role="admin").status == 422
    assert api.get("/v1/factors/no-such").status == 404
    assert ledger.json("factors", "list")["factor_sets"] == []


def test_sets_of_every_kind_are_taken_and_one_of_another_basis_is_not(api: Api, ledger: Shell) -> None:
    """A supplier's factors and contracts too; what would be mixed is told with row and column."""
    sets = [("market", market_row("residual_mix", 600, region=SWEDEN)), ("contract", contract_row("wind", 5, "hourly"))]
    for kind, row in sets:
        assert api.send("POST", "/v1/factors", body(row, kind=kind), role="admin").status == 201
    kept = ledger.json("factors", "list")["factor_sets"]
    assert sorted(row["kind"] for row in kept) == ["contract", "market"]
    for changes, column in (({"scope": "direct"}, "scope: direct, but"), ({"signal": "marginal"}, "signal: marginal")):
        for kind, row in [*sets, ("rci", rci_row())]:
            refused = api.send("POST", "/v1/factors", body({**row, **changes}, kind=kind, name="other"), role="admin")
            assert (refused.status, f"body row 1, column {column}" in refused.document["detail"]) == (400, True)
    assert ledger.json("factors", "list")["factor_sets"] == kept


def test_estimates_take_a_set_from_its_instant_on(api: Api, ledger: Shell) -> None:
    """A server that knows of it answers as workers do; without an instant that is in ten seconds, so not yet."""
    before = api.send("POST", "/v1/estimate", ASKED).document
    made = api.send("POST", "/v1/factors", file_of(rci_row()), role="admin").document
    assert api.send("POST", "/v1/estimate", ASKED).document == before
    later = datetime.now(UTC) + timedelta(minutes=1)
    api.door.product.now = lambda: later
    after = api.send("POST", "/v1/estimate", ASKED).document
    assert after["rci_gco2e_per_kwh"] == 12.5
    assert after["versions"]["factors"] == f"{before['versions']['factors']}+{made['digest'][:12]}"
    assert (
        ledger.json("estimate", "--model=gpt-4o", "--input-tokens=500", "--output-tokens=250")["versions"]
        == before["versions"]
    )


def test_while_the_database_is_away_estimates_rest_on_the_sets_that_were_known_last(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that never heard of any says that it does not know: an answer by the tables alone might be wrong."""
    made = api.send("POST", "/v1/factors", file_of(rci_row()), role="admin").document
    product, later = api.door.product, datetime.now(UTC) + timedelta(minutes=1)
    product.now = lambda: later
    product.estimator()

    def away(_: object) -> None:
        raise StoreUnavailableError("the database does not answer")

    monkeypatch.setattr("rice_stream.store.factor_set_store.reading", away)
    product.now = lambda: later + timedelta(minutes=1)
    assert product.estimator().versions["factors"].endswith(f"+{made['digest'][:12]}")
    with pytest.raises(StoreUnavailableError):
        Product(product.settings).estimator()
