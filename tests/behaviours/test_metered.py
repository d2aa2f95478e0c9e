"""Energy that was metered: recorded in the place of the estimate, where it is believed and can be true, and exactly told."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from rice_stream.estimator.method import Context, Estimates, KindFigures, Requests
from rice_stream.events.records import RawRecord
from rice_stream.meter.metered import METER_LOG_SD
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.quarantine_replay import replay
from rice_stream.proof.rebuild import rebuild
from rice_stream.proof.verification import verify
from rice_stream.quantities import AMOUNT_COLUMNS, Floats
from rice_stream.reports.coverage import coverage
from rice_stream.reports.explanation import explain
from rice_stream.store.quarantine import Choice
from rice_stream.store.scope import EVERYTHING
from tests.behaviours.test_trust import PLAIN_UG, believing, noon, outcomes, over_http
from tests.support.fakes import NOON_US, OPERATOR, TOKEN_DEFAULTS, FakeMethod, value_of
from tests.support.reports_store import NOON, Store
from tests.support.untimed import Log

JOULES = 9_000.0
"""2.5 Wh: half of the 5 Wh that the fake method says of a plain event."""
GPU_UG = 1_250_000
"""2.5 Wh x PUE 1.25 x 400 g/kWh."""


class Installed(FakeMethod):
    """The fake method under a name that `explain` finds."""

    version = "rice-paper-8+fake"


class FakeSurroundings(FakeMethod):
    """The fake method with servers and idle machines around the accelerators: 0.5 J and, of all that, 0.2 J a joule."""

    version = "rice-paper-9+fake"

    def estimate(self, coefficients: Floats, requests: Requests) -> Estimates:
        found = super().estimate(coefficients, requests)
        it = {name: getattr(found, name) * 1.8 for name in ("it_energy_wh_low", "it_energy_wh", "it_energy_wh_high")}
        return replace(found, **it)

    def kinds(self, contexts: Sequence[Context]) -> list[KindFigures]:
        return [replace(kind, idle_share=0.2) for kind in super().kinds(contexts)]


def row_of(store: Store, event_id: str) -> dict[str, Any]:
    [row] = store.rows("SELECT * FROM prompt_emission WHERE event_id = :id", id=event_id)
    return row


def explained(store: Store, event_id: str, method: type[FakeMethod] = Installed) -> dict[str, Any]:
    return explain(store.engine, EVERYTHING, event_id, defaults=TOKEN_DEFAULTS, open_method=lambda _: method())


def ends(middle: int, log_sd: float = METER_LOG_SD) -> list[int]:
    factor = math.exp(1.2815515655446004 * log_sd)
    return [round(middle / factor), middle, round(middle * factor)]


class TestRecords:
    """On every database."""

    @pytest.mark.parametrize(
        ("boundary", "it_uwh", "facility_uwh", "carbon_ug"),
        [
            (None, 2_500_000, 3_125_000, GPU_UG),
            ("gpu", 2_500_000, 3_125_000, GPU_UG),
            ("server", 2_500_000, 3_125_000, GPU_UG),
            ("facility", 2_000_000, 2_500_000, 1_000_000),
        ],
    )
    def test_the_meter_stands_in_the_place_of_the_estimate(
        self, store: Store, boundary: str | None, it_uwh: int, facility_uwh: int, carbon_ug: int
    ) -> None:
        """By hand: 9,000 J are 2.5 Wh; PUE 1.25, 400 g/kWh; the fake method has nothing around its accelerators."""
        store.add(noon("m", energy_joules=JOULES, energy_boundary=boundary), noon("plain"))
        row = row_of(store, "m")
        assert (row["it_energy_uwh"], row["facility_energy_uwh"]) == (it_uwh, facility_uwh)
        assert [row[f"carbon_{end}_ugco2e"] for end in ("low", "mid", "high")] == ends(carbon_ug)
        assert (row["metered_energy_uj"], row["energy_boundary"]) == (9_000_000_000, boundary or "gpu")
        assert row["basis"] == "measured"
        plain = row_of(store, "plain")
        assert (plain["metered_energy_uj"], plain["energy_boundary"], plain["basis"]) == (None, None, "")
        assert plain["carbon_mid_ugco2e"] == PLAIN_UG
        assert verify(store.engine)["ok"]
        assert rebuild(store.engine, by=OPERATOR)["differences_before"] == 0

    @pytest.mark.parametrize(
        ("boundary", "it_uwh"), [("gpu", 4_500_000), ("server", 3_000_000), ("facility", 2_000_000)]
    )
    def test_what_the_meter_does_not_see_is_added(self, store: Store, boundary: str, it_uwh: int) -> None:
        """2.5 Wh x 1.5 x 1.2, 2.5 Wh x 1.2, and 2.5 Wh / 1.25."""
        store.use(FakeSurroundings())
        store.add(noon("m", energy_joules=JOULES, energy_boundary=boundary))
        assert row_of(store, "m")["it_energy_uwh"] == it_uwh
        answer = explained(store, "m", FakeSurroundings)
        assert answer["agrees"] is True
        values = {step["name"]: step["value"] for step in answer["steps"]}
        assert values["metered_energy_j"] == JOULES
        assert values["it_energy_wh"] == pytest.approx(it_uwh / 1e6)
        assert values["estimated_it_energy_wh"] == pytest.approx(9.0)
        shares = {"gpu": {"host_share", "idle_share"}, "server": {"idle_share"}, "facility": set()}[boundary]
        assert {name for name in values if name.endswith("_share")} == shares

    def test_metered_and_estimated_requests_add_up_to_the_same_totals(self, store: Store) -> None:
        """In one batch and in several; the log says the same."""
        log = Log(1)
        payloads = [
            noon("a", energy_joules=JOULES),
            noon("b"),
            noon("c", energy_joules=1e-9),
            noon("d", energy_joules=2_000),
        ]
        for payload in [*payloads, payloads[0]]:
            log.add(value_of(payload), NOON_US)
        store.pipeline.process([log.chunk()], NOON_US)
        assert outcomes(store) == {
            "a": (GPU_UG, ["measured"]),
            "b": (PLAIN_UG, []),
            "c": (PLAIN_UG, ["event_factor_implausible"]),
            "d": (round(2_000 / 9_000 * GPU_UG), ["measured"]),
        }
        answer = log.verify(store.engine)
        assert (answer["differences"], answer["differences_total"]) == ([], 0)
        assert answer["against_topic"]["amounts_checked"] == 5
        assert verify(store.engine)["ok"]

    def test_a_record_that_was_tampered_with_is_found(self, store: Store) -> None:
        """The amount of a metered record is worked out again from its joules."""
        store.use(Installed())
        store.add(noon("told", energy_joules=JOULES))
        store.execute("UPDATE prompt_record SET metered_energy_uj = metered_energy_uj * 2")
        assert explained(store, "told")["agrees"] is False
        store.use(FakeMethod())
        log = Log(1)
        log.add(value_of(noon("m", energy_joules=JOULES)), NOON_US)
        store.pipeline.process([log.chunk()], NOON_US)
        store.execute("UPDATE prompt_record SET metered_energy_uj = metered_energy_uj * 2")
        found = {row["measure"] for row in log.verify(store.engine)["differences"]}
        assert found >= set(AMOUNT_COLUMNS)

    def test_a_resend_with_other_joules_is_a_duplicate(self, store: Store) -> None:
        """Energy is no part of what an event is known by, nor of its content: the first stands."""
        first = noon("m", energy_joules=JOULES)
        others = [
            first,
            noon("m", energy_joules=1_000.0),
            noon("m", energy_boundary="facility", energy_joules=JOULES),
            noon("m"),
        ]
        assert store.add(first, *others).recorded == 1
        again = store.add(*others)
        assert (again.recorded, again.duplicates, again.conflicts) == (0, 4, 0)
        assert outcomes(store) == {"m": (GPU_UG, ["measured"])}

    def test_unknown_tokens_widen_nothing_that_was_metered(self, store: Store) -> None:
        """The counts are missing in the totals; the energy is not."""
        store.add(noon("m", energy_joules=JOULES, input_tokens=None, output_tokens=None))
        row = row_of(store, "m")
        assert [row[f"carbon_{end}_ugco2e"] for end in ("low", "mid", "high")] == ends(GPU_UG)
        assert row["basis"] == "input_tokens_missing,output_tokens_missing,measured"

    def test_a_cache_hit_costs_nothing_whatever_was_metered(self, store: Store) -> None:
        """It ran no inference."""
        store.add(noon("hit", energy_joules=JOULES, gateway_cache_hit=True))
        assert outcomes(store) == {"hit": (0, ["gateway_cache_hit"])}
        assert row_of(store, "hit")["metered_energy_uj"] is None

    def test_joules_make_no_kinds(self, store: Store) -> None:
        """A thousand amounts at two boundaries, and as many plain requests: three rows of factors."""
        boundaries = ("gpu", "facility")
        store.add(
            *(noon(f"m{n}", energy_joules=5_000 + n, energy_boundary=boundaries[n % 2]) for n in range(1_000)),
            *(noon(f"p{n}") for n in range(1_000)),
        )
        [row] = store.rows("SELECT COUNT(*) AS n FROM factor_use")
        assert row["n"] == 3


class TestTrust:
    """Whoever may state energy can make prompts cost nothing."""

    def test_it_is_believed_by_door_and_source_like_every_factor(self, store: Store) -> None:
        """Over HTTP under `all` only; elsewhere flagged and estimated."""
        over_http(store, noon("http", energy_joules=JOULES))
        believing(store, "source:meter").add(
            noon("listed", energy_joules=JOULES, source="meter"), noon("unlisted", energy_joules=JOULES)
        )
        over_http(believing(store, "all"), noon("all", energy_joules=JOULES))
        doubted = (PLAIN_UG, ["event_factors_not_trusted"])
        believed = (GPU_UG, ["measured"])
        assert outcomes(store) == {"http": doubted, "unlisted": doubted, "listed": believed, "all": believed}

    @pytest.mark.parametrize("joules", [0, -1, 1e-7, 3.7e9, 1e300, 89.9, 3_600_100.0])
    def test_what_cannot_be_true_never_costs_the_event(self, store: Store, joules: float) -> None:
        """The estimate is 5 Wh (2.5 to 10): below 0.025 Wh = 90 J or above 1,000 Wh = 3.6 MJ something is wrong."""
        store.use(Installed())
        result = store.add(noon("m", energy_joules=joules))
        assert (result.recorded, result.quarantined) == (1, 0)
        assert outcomes(store) == {"m": (PLAIN_UG, ["event_factor_implausible"])}
        assert explained(store, "m")["agrees"] is True

    @pytest.mark.parametrize("joules", [90.1, 3_599_900.0])
    def test_what_can_be_true_is_taken(self, store: Store, joules: float) -> None:
        """Up to a hundredth of the low end and a hundred times the high end."""
        store.add(noon("m", energy_joules=joules))
        assert outcomes(store)["m"][1] == ["measured"]

    def test_an_unknown_boundary_is_not_taken(self, store: Store) -> None:
        """Nobody knows what to add; case and blanks do not matter."""
        store.add(
            noon("rack", energy_joules=JOULES, energy_boundary="rack"),
            noon("GPU", energy_joules=JOULES, energy_boundary=" GPU "),
        )
        assert outcomes(store) == {"rack": (PLAIN_UG, ["event_factor_implausible"]), "GPU": (GPU_UG, ["measured"])}

    def test_nothing_is_taken_beside_an_estimate_of_nothing(self, store: Store) -> None:
        """A failed call without tokens."""
        store.add(noon("f", energy_joules=JOULES, status="error", input_tokens=0, output_tokens=0))
        assert outcomes(store) == {"f": (0, ["request_failed", "event_factor_implausible"])}

    def test_it_survives_the_quarantine_with_its_door(self, store: Store) -> None:
        """Replayed, the joules are as they were, and believed as little."""
        store.add(noon("kafka", energy_joules=JOULES, energy_boundary="facility", input_tokens=-1))
        over_http(store, noon("http", energy_joules=JOULES, input_tokens=-1))

        def gone(_topic: str, _partition: int, _offset: int) -> None:
            """Kafka has deleted everything."""

        answer = replay(
            store.engine,
            store.pipeline,
            Choice(),
            patches={"input_tokens": 10},
            fetch=gone,
            now_us=NOON_US,
            by=OPERATOR,
        )
        assert (answer["recorded"], answer["held"]) == (2, 0)
        assert outcomes(store) == {
            "kafka": (1_000_000, ["measured"]),
            "http": (PLAIN_UG, ["event_factors_not_trusted"]),
        }


class TestCoverage:
    """What rests on meters."""

    def test_the_share_of_carbon_that_rests_on_metered_energy(self, store: Store) -> None:
        """By source; it is among what rests on senders' word, too."""
        store.add(noon("1", energy_joules=JOULES, source="gw"), noon("2", batch_size=4, source="gw"), noon("3"))
        answer = coverage(store.engine, EVERYTHING, now=NOON)
        carbon = (GPU_UG + 2 * PLAIN_UG) / 1e6
        assert answer["carbon_gco2e"] == carbon
        metered = answer["metered_energy"]
        assert (metered["prompts"], metered["carbon_gco2e"]) == (1, GPU_UG / 1e6)
        assert metered["share_of_carbon"] == pytest.approx(GPU_UG / 1e6 / carbon)
        assert [row["source"] for row in metered["rows"]] == ["gw"]
        assert answer["event_factors"]["prompts"] == 2
        assert len(answer["event_factors"]["rows"]) == 1

    @pytest.mark.parametrize("events", [[], [noon("1")]])
    def test_nothing_metered_is_nothing_listed(self, store: Store, events: Sequence[dict[str, Any]]) -> None:
        """Also where something was said and not believed."""
        if events:
            store.add(*events, noon("0", energy_joules=1e-9))
        assert coverage(store.engine, EVERYTHING, now=NOON)["metered_energy"]["rows"] == []


def test_records_of_files_and_topics_are_the_same(store: Store) -> None:
    """A second topic's records carry their energy, too."""
    record = RawRecord("other", 0, 0, value_of(noon("o", energy_joules=JOULES)))
    store.pipeline.process([Chunk("other", 0, [record])], NOON_US)
    assert outcomes(store) == {"o": (GPU_UG, ["measured"])}
