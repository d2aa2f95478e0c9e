"""Any stated factors, by any door and any setting: an event in, a record out, and what is not taken counts nothing."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rice_stream.estimator.method import Method
from rice_stream.estimator.registry import load_method
from rice_stream.events.records import RawRecord
from rice_stream.events.stated_factors import FACTOR_FIELDS
from rice_stream.events.trust import MARK, parse_trust
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.quantities import AMOUNT_COLUMNS
from rice_stream.store.dimensions import Dimensions
from tests.support.databases import Databases
from tests.support.fakes import NOON_US, TOKEN_DEFAULTS, fake_reference, value_of
from tests.support.reports_store import Store, at, open_store

METHODS = {name: load_method(name) for name in ("rice-paper", "rice-calibrated")}
POLICY = FactorPolicy(hardware="H100", batch_size=8.0, pue=1.3, rci_gco2e_per_kwh=300.0)
numbers = st.one_of(
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(0, 3000),
    st.integers(-(2**60), 2**60),
    st.sampled_from([0, 1, 1.5, 2, 3, 1e-9, 1e6, 5e-324]),
)
factors = st.fixed_dictionaries(
    {
        **{name: numbers for name in FACTOR_FIELDS if name != "hardware"},
        "hardware": st.sampled_from([None, "", "H100", "T4", "no such thing", "\u202e"]),
        "gateway_cache_hit": st.sampled_from([None, False, True]),
        "energy_joules": numbers,
        "energy_boundary": st.sampled_from([None, "", "gpu", "server", "facility", "rack"]),
    }
)
counts = st.fixed_dictionaries(
    {
        "input_tokens": st.none() | st.integers(0, 2**31 - 1),
        "output_tokens": st.none() | st.integers(0, 2**31 - 1),
        "source": st.sampled_from([None, "gw", "other"]),
    }
)
DOUBTS = {"event_factors_not_trusted", "cache_hit_not_trusted"}


def processed(store: Store, method: Method, trust: str, events: list[dict[str, Any]], *, marked: bool) -> None:
    """All events as one batch."""
    pipeline = Pipeline(
        dimensions=Dimensions(store.engine),
        writer=store.writer,
        estimator=Estimator(fake_reference(), POLICY, method),
        defaults=TOKEN_DEFAULTS,
        trust=parse_trust([trust]),
    )
    headers = MARK if marked else ()
    records = [RawRecord("events", 0, n, value_of(fields), headers) for n, fields in enumerate(events)]
    result = pipeline.process([Chunk("events", 0, records)], NOON_US)
    assert (result.recorded, result.quarantined, result.conflicts) == (len(events), 0, 0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stated=st.lists(st.tuples(factors, counts), min_size=1, max_size=8),
    method=st.sampled_from(sorted(METHODS)),
    trust=st.sampled_from(["operator", "all", "none", "topic:events", "topic:x", "source:gw"]),
    marked=st.booleans(),
)
def test_a_claim_never_costs_the_event_and_what_is_not_believed_counts_nothing(
    stated: list[tuple[dict[str, Any], dict[str, Any]]],
    method: str,
    trust: str,
    marked: bool,
    sqlite: Databases,
) -> None:
    """Beside each event goes one without claims: where the claims are doubted, both have the same amounts."""
    moment = "2026-11-22T11:00:00Z"
    events = []
    for number, (claims, said) in enumerate(stated):
        plain = {"input_tokens": said["input_tokens"], "output_tokens": said["output_tokens"]}
        events.append(at(moment, event_id=f"plain-{number}", **plain))
        events.append(at(moment, event_id=f"claims-{number}", **said, **claims))
    with open_store(sqlite.migrated()) as store:
        processed(store, METHODS[method], trust, events, marked=marked)
        found = store.rows(f"SELECT event_id, basis, {', '.join(AMOUNT_COLUMNS)} FROM prompt_emission")
    records = {row["event_id"]: row for row in found}
    believed = trust == "all" or (not marked and trust in ("operator", "topic:events"))
    for number, (claims, said) in enumerate(stated):
        record, plain = records[f"claims-{number}"], records[f"plain-{number}"]
        assert 0 <= record["carbon_low_ugco2e"] <= record["carbon_mid_ugco2e"] <= record["carbon_high_ugco2e"]
        assert record["it_energy_uwh"] <= record["facility_energy_uwh"]
        doubts = DOUBTS & set(record["basis"].split(","))
        if believed or (trust == "source:gw" and not marked and said["source"] == "gw"):
            assert not doubts
            assert (record["it_energy_uwh"] == 0) >= (claims["gateway_cache_hit"] is True)
        else:
            assert {name: record[name] for name in AMOUNT_COLUMNS} == {name: plain[name] for name in AMOUNT_COLUMNS}
            claimed = any(claims[name] not in (None, "") for name in (*FACTOR_FIELDS, "energy_joules"))
            assert ("event_factors_not_trusted" in doubts) == claimed
            assert ("cache_hit_not_trusted" in doubts) == (claims["gateway_cache_hit"] is True)
