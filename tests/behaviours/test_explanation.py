"""`explain`: the steps lead from what is stored with a record to the integers that are stored in it."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, text

from rice_stream.errors import UsageError
from rice_stream.estimator.registry import load_method
from rice_stream.meter.factors import FactorPolicy
from rice_stream.meter.requests import TokenDefaults
from rice_stream.quantities import AMOUNT_COLUMNS
from rice_stream.reports.explanation import explain
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.snapshot import without_scans
from tests.support.fakes import TOKEN_DEFAULTS
from tests.support.reports_store import Store, at

METHODS = ("rice-paper", "rice-calibrated")


def values(answer: dict[str, Any]) -> dict[str, Any]:
    """Step -> value."""
    return {step["name"]: step["value"] for step in answer["steps"]}


def stored(store: Store, event_id: str) -> dict[str, int]:
    """The record's integers, from its own table."""
    [row] = store.rows(f"SELECT {', '.join(AMOUNT_COLUMNS)} FROM prompt_record WHERE event_id = :id", id=event_id)
    return row


class TestExplanation:
    """On every database."""

    @pytest.mark.parametrize("name", METHODS)
    def test_the_last_steps_are_the_stored_integers(self, store: Store, name: str) -> None:
        """Whatever the event brings or lacks: cached or missing tokens, a failed call, a gateway's own answer."""
        store.use(load_method(name))
        shapes: dict[str, dict[str, Any]] = {
            "plain": {},
            "cached": {"input_tokens": 9000, "cache_read_input_tokens": 8000, "output_tokens": 700},
            "no-input": {"input_tokens": None},
            "no-output": {"output_tokens": None, "cache_read_input_tokens": 5},
            "failed": {"input_tokens": None, "output_tokens": None, "status": "error"},
            "gateway": {"gateway_cache_hit": True},
            "own-factors": {"pue": 1.07, "rci_gco2e_per_kwh": 31.4, "hardware": "H100", "devices": 2, "batch_size": 8},
            "big": {"request_model": "big", "output_tokens": 0},
        }
        store.add(*(at("2026-11-22T11:00:00Z", event_id=shape, **fields) for shape, fields in shapes.items()))
        for shape in shapes:
            answer = explain(store.engine, EVERYTHING, shape, defaults=TOKEN_DEFAULTS)
            last = {step["name"]: step["value"] for step in answer["steps"][-len(AMOUNT_COLUMNS) :]}
            assert last == stored(store, shape)
            assert (answer["agrees"], answer["remarks"]) == (True, [])
        assert set(last) == set(AMOUNT_COLUMNS)

    def test_the_arithmetic_can_be_followed_by_hand(self, store: Store) -> None:
        """One A100 x 400 W x 0.26 x latency, x PUE 1.25, x 400 g/kWh; low and high from their own ends; rounded once."""
        store.use(load_method("rice-paper"))
        store.add(at("2026-11-22T11:00:00Z", event_id="e", output_tokens=101))
        step = values(explain(store.engine, EVERYTHING, "e", defaults=TOKEN_DEFAULTS))
        assert (step["params_active_b"], step["devices"], step["output_tokens"]) == (1.0, 1.0, 101)
        assert math.isclose(step["latency_s"], step["prefill_s"] + 100 * step["beta_s_per_token"])
        assert math.isclose(step["gpu_energy_j"], 1 * 400 * 0.26 * step["latency_s"])
        assert math.isclose(step["it_energy_wh"], step["gpu_energy_j"] / 3600)
        assert math.isclose(step["facility_energy_wh"], step["it_energy_wh"] * 1.25)
        assert step["rci_mid_gco2e_per_kwh"] == 400
        for end in ("low", "mid", "high"):
            energy_wh = step["it_energy_wh" if end == "mid" else f"it_energy_wh_{end}"]
            assert math.isclose(step[f"carbon_{end}_gco2e"], energy_wh * 1.25 / 1000 * 400)
            assert step[f"carbon_{end}_ugco2e"] == round(step[f"carbon_{end}_gco2e"] * 1e6)
        assert step["it_energy_uwh"] == round(step["it_energy_wh"] * 1e6) > 0
        assert step["facility_energy_uwh"] == round(step["facility_energy_wh"] * 1e6)

    def test_every_step_names_its_formula_unit_and_source(self, store: Store) -> None:
        """The fields of the interface; no step twice; the source of the carbon intensity is in it."""
        store.use(load_method("rice-calibrated"))
        store.add(at("2026-11-22T11:00:00Z", event_id="e", hardware="H100"))
        answer = explain(store.engine, EVERYTHING, "e", defaults=TOKEN_DEFAULTS)
        names = [step["name"] for step in answer["steps"]]
        assert len(set(names)) == len(names)
        for step in answer["steps"]:
            assert set(step) == {"name", "formula", "value", "unit", "source"}
            assert step["formula"]
            assert step["source"]
        rci = next(step for step in answer["steps"] if step["name"] == "rci_mid_gco2e_per_kwh")
        assert "world" in rci["source"]
        assert "2025" in rci["source"]

    def test_the_record_is_the_row_of_the_view(self, store: Store) -> None:
        """All its columns with all their values, times as RFC 3339."""
        store.use(load_method("rice-paper"))
        store.add(
            at(
                "2026-11-22T11:00:00.123456Z",
                started_at="2026-11-22T10:59:58Z",
                event_id="e",
                user_id="u",
                api_key_id="k",
                source="/gateway",
                input_tokens=None,
            )
        )
        record = explain(store.engine, EVERYTHING, "e", defaults=TOKEN_DEFAULTS)["record"]
        [row] = store.rows("SELECT * FROM prompt_emission")
        times = {"started_at": "2026-11-22T10:59:58Z", "ended_at": "2026-11-22T11:00:00.123456Z"}
        assert record == {**row, **times}
        assert {"tenant_id", "user_id", "source", "basis", "pue", "method_version", "factor_version"} <= set(record)

    def test_settings_of_today_have_no_say(self, store: Store) -> None:
        """Made with a PUE of 1.9 and 10 g/kWh: explained with them, whatever the pipeline uses now."""
        store.use(load_method("rice-paper"), FactorPolicy(pue=1.9, rci_gco2e_per_kwh=10.0))
        store.add(at("2026-11-22T11:00:00Z", event_id="e"))
        store.use(load_method("rice-paper"))
        answer = explain(store.engine, EVERYTHING, "e", defaults=TOKEN_DEFAULTS)
        assert (values(answer)["pue"], values(answer)["rci_mid_gco2e_per_kwh"], answer["agrees"]) == (1.9, 10.0, True)

    def test_another_default_for_unknown_tokens_is_told_not_hidden(self, store: Store) -> None:
        """That setting is not stored, so the arithmetic may differ: a remark, and no verdict."""
        store.use(load_method("rice-paper"))
        store.add(at("2026-11-22T11:00:00Z", event_id="e", output_tokens=None))
        answer = explain(store.engine, EVERYTHING, "e", defaults=TokenDefaults(1, 2000))
        assert answer["agrees"] is None
        assert "default" in answer["remarks"][0]
        assert values(answer)["output_tokens"] == 2000

    def test_a_method_that_is_not_installed_is_told_and_its_amounts_are_shown(self, store: Store) -> None:
        """Nothing is computed with another version of a method."""
        store.add(at("2026-11-22T11:00:00Z", event_id="e"))
        answer = explain(store.engine, EVERYTHING, "e", defaults=TOKEN_DEFAULTS)
        assert answer["agrees"] is None
        assert "fake-1, which is not installed" in answer["remarks"][0]
        assert {step["name"]: step["value"] for step in answer["steps"][-len(AMOUNT_COLUMNS) :]} == stored(store, "e")

    def test_a_record_that_was_changed_does_not_agree(self, store: Store) -> None:
        """Its own factors and tokens give another number."""
        store.use(load_method("rice-paper"))
        store.add(at("2026-11-22T11:00:00Z", event_id="e"))
        store.execute("UPDATE prompt_record SET carbon_mid_ugco2e = carbon_mid_ugco2e + 1")
        answer = explain(store.engine, EVERYTHING, "e", defaults=TOKEN_DEFAULTS)
        assert answer["agrees"] is False
        assert "carbon_mid_ugco2e" in answer["remarks"][0]

    def test_an_event_id_of_several_tenants_or_times_asks_which(self, store: Store) -> None:
        """`tenant` and `ended_at` choose; the error lists what there is."""
        store.add(
            at("2026-11-22T11:00:00Z", event_id="e"),
            at("2026-11-22T11:00:01Z", event_id="e"),
            at("2026-11-22T11:00:00Z", event_id="e", tenant_id="globex"),
        )
        with pytest.raises(UsageError, match=r"3 records have the event id 'e': .*--tenant or --ended-at"):
            explain(store.engine, EVERYTHING, "e", defaults=TOKEN_DEFAULTS)
        with pytest.raises(UsageError, match="acme at 2026-11-22T11:00:01Z"):
            explain(store.engine, EVERYTHING, "e", "acme", defaults=TOKEN_DEFAULTS)
        ended_at = datetime(2026, 11, 22, 11, 0, 1, tzinfo=UTC)
        chosen = explain(store.engine, EVERYTHING, "e", "acme", defaults=TOKEN_DEFAULTS, ended_at=ended_at)
        assert chosen["record"]["ended_at"] == "2026-11-22T11:00:01Z"
        assert (
            explain(store.engine, EVERYTHING, "e", "globex", defaults=TOKEN_DEFAULTS)["record"]["tenant_id"] == "globex"
        )

    @pytest.mark.parametrize("tenant", [None, "acme"])
    @pytest.mark.parametrize(
        ("lists", "records", "index"),
        [
            ("whole", "prompt_record r", "Index Scan using prompt_record_p202611_pkey"),
            ("lost", "(SELECT * FROM prompt_record", "Bitmap Index Scan on prompt_record_p202611_event_id_idx"),
        ],
    )
    def test_an_event_id_alone_is_looked_up_by_an_index(
        self, store: Store, tenant: str | None, lists: str, records: str, index: str
    ) -> None:
        """On PostgreSQL: never by reading all records, nor all of a tenant's. Where no list has the id, by filters."""
        store.add(at("2026-11-22T11:00:00Z", event_id="e"))
        if lists == "lost":
            with store.engine.begin() as connection:
                connection.execute(text("DELETE FROM event_id_list"))
        asked: list[tuple[str, Any]] = []

        def heard(_c: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
            asked.append((statement, parameters))

        event.listen(store.engine, "before_cursor_execute", heard)
        assert explain(store.engine, EVERYTHING, "e", tenant, defaults=TOKEN_DEFAULTS)["record"]["event_id"] == "e"
        event.remove(store.engine, "before_cursor_execute", heard)
        if store.engine.dialect.name == "postgresql":
            [(statement, parameters)] = [one for one in asked if f"FROM {records}" in one[0]]
            with store.engine.connect() as connection, without_scans(connection):
                plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
            assert index in plan

    def test_an_event_that_is_not_there_says_where_it_is(self, store: Store) -> None:
        """In quarantine under its id (whatever signs that has), with another tenant, or nowhere."""
        store.add(
            at("2026-11-22T11:00:00Z", event_id='100%_"x"', input_tokens=-1),
            at("2026-11-22T11:00:00Z", event_id="theirs", tenant_id="globex"),
        )
        with pytest.raises(
            UsageError, match=r"in quarantine \(held: invalid_field\), see `rice-stream quarantine show"
        ):
            explain(store.engine, EVERYTHING, '100%_"x"', defaults=TOKEN_DEFAULTS)
        with pytest.raises(UsageError, match=r"no record has the event id '100'.*has not arrived"):
            explain(store.engine, EVERYTHING, "100", defaults=TOKEN_DEFAULTS)
        with pytest.raises(UsageError, match="of tenant 'acme'; without --tenant"):
            explain(store.engine, EVERYTHING, "theirs", "acme", defaults=TOKEN_DEFAULTS)

    def test_a_record_under_a_foreign_key_is_told(self, store: Store) -> None:
        """The key is made of tenant, source, id and time: a record whose time was changed gives itself away."""
        store.add(at("2026-11-22T11:00:00Z", event_id="e"))
        store.execute("UPDATE prompt_record SET ended_at_us = ended_at_us + 5000")
        with pytest.raises(UsageError, match="does not carry the key"):
            explain(store.engine, EVERYTHING, "e", defaults=TOKEN_DEFAULTS)
