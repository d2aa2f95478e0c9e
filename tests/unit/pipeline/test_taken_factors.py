"""What is taken of stated factors, block by block: believed, possible, and in a bounded number of kinds."""

from collections import Counter
from random import Random
from typing import Any

import numpy as np

from rice_stream.basis import basis_names
from rice_stream.events.columns import SERVICE_FIELDS, EventColumns, concatenate
from rice_stream.events.decoding import decode_batch
from rice_stream.events.records import Decoded, RawRecord
from rice_stream.events.stated_factors import FACTOR_FIELDS
from rice_stream.events.trust import MARK, TrustPolicy, parse_trust
from rice_stream.pipeline.taken_factors import COARSE_KINDS_MAX, KINDS_MAX, StatedFactors
from tests.support.fakes import event, value_of

HEADERS = {"topic": (), "http": MARK}


def decoded(*events: dict[str, Any], door: str = "topic") -> tuple[EventColumns, Decoded]:
    """The events as they come out of the decoder, each in a record of its own."""
    records = [
        RawRecord("events", 0, n, value_of(event(event_id=f"e{n}", **fields)), HEADERS[door])
        for n, fields in enumerate(events)
    ]
    columns, of_records = decode_batch(records)
    assert not of_records.refused
    return columns, of_records


def taken(
    *events: dict[str, Any], door: str = "topic", trust: TrustPolicy | None = None
) -> list[tuple[dict[str, Any], bool, tuple[str, ...]]]:
    """(factors by field, whether it ran an inference, basis) of each event."""
    columns, of_records = decoded(*events, door=door)
    result = StatedFactors(trust or TrustPolicy()).taken(columns, of_records.records, "events")
    return [
        (factors_of(result, row), bool(result.inference[row]), basis_names(int(result.flags[row])))
        for row in range(len(result))
    ]


def factors_of(columns: EventColumns, row: int) -> dict[str, Any]:
    """Those of one event, by field."""
    names = (*SERVICE_FIELDS, *FACTOR_FIELDS)
    values = {name: column[row] for name, column in zip(names, columns.served, strict=False)}
    return {name: values[name] for name in FACTOR_FIELDS if values.get(name) is not None}


STATED = {"hardware": "H100", "devices": 4, "batch_size": 12.3467, "pue": 1.1, "rci_gco2e_per_kwh": 33.54}
ROUNDED = {"hardware": "H100", "devices": 4.0, "batch_size": 12.0, "pue": 1.1, "rci_gco2e_per_kwh": 33.5}


def test_a_believed_sender_is_taken_at_its_word() -> None:
    """Rounded; its cache hit runs no inference; its neighbours are left alone."""
    assert taken({}, STATED, {"gateway_cache_hit": True}, {"gateway_cache_hit": False}) == [
        ({}, True, ()),
        (ROUNDED, True, ()),
        ({}, False, ()),
        ({}, True, ()),
    ]


def test_what_came_over_http_is_not_taken() -> None:
    """Flagged, and estimated with the operator's values; a plain event is flagged nowhere."""
    events: tuple[dict[str, Any], ...] = (
        {},
        STATED,
        {"gateway_cache_hit": True},
        {**STATED, "gateway_cache_hit": True},
    )
    assert taken(*events, door="http") == [
        ({}, True, ()),
        ({}, True, ("event_factors_not_trusted",)),
        ({}, True, ("cache_hit_not_trusted",)),
        ({}, True, ("event_factors_not_trusted", "cache_hit_not_trusted")),
    ]
    assert taken(STATED, door="http", trust=parse_trust(["all"])) == [(ROUNDED, True, ())]
    assert taken(STATED, trust=parse_trust(["none"])) == [({}, True, ("event_factors_not_trusted",))]


def test_a_source_counts_where_it_is_listed() -> None:
    """Event by event within a block."""
    listed = parse_trust(["source:gw"])
    events = ({**STATED, "source": "gw"}, {**STATED, "source": "other"}, STATED)
    assert [factors for factors, _, _ in taken(*events, trust=listed)] == [ROUNDED, {}, {}]


def test_one_impossible_factor_leaves_the_others() -> None:
    """Zero carbon and thousands of devices are nobody's to state."""
    assert taken({**STATED, "rci_gco2e_per_kwh": 0}, {"devices": 10_000}) == [
        ({k: v for k, v in ROUNDED.items() if k != "rci_gco2e_per_kwh"}, True, ("event_factor_implausible",)),
        ({}, True, ("event_factor_implausible",)),
    ]


def test_a_block_without_claims_is_handed_on_as_it_is() -> None:
    """Nearly all are: they cost nothing."""
    columns, of_records = decoded({}, {"gateway_cache_hit": False}, door="http")
    assert StatedFactors().taken(columns, of_records.records, "events") is columns
    nothing = concatenate([])
    assert StatedFactors().taken(nothing, [], "events") is nothing


def test_kinds_are_bounded_by_tenant_and_hour() -> None:
    """What comes past a bound is rounded further, and at last goes without its factors, flagged; what is known goes on."""
    random = Random(7)
    stated = StatedFactors()

    def add(*events: dict[str, Any]) -> list[tuple[str, ...]]:
        columns, of_records = decoded(*events)
        result = stated.taken(columns, of_records.records, "events")
        return [basis_names(flags) for flags in result.flags.tolist()]

    def measured() -> dict[str, float]:
        served = {
            "batch_size": random.uniform(1, 512),
            "devices": random.uniform(1, 64),
            "utilisation": random.random(),
        }
        return {**served, "pue": random.uniform(1, 3), "rci_gco2e_per_kwh": random.uniform(1, 900)}

    many = [measured() for _ in range(3_000)]
    basis = add(*many)
    kinds = Counter(tuple(word for word in words if word != "event_factor_implausible") for words in basis)
    assert kinds[()] == KINDS_MAX
    assert COARSE_KINDS_MAX <= kinds["event_factors_coarse",] < 1.2 * COARSE_KINDS_MAX
    assert set(kinds) == {(), ("event_factors_coarse",), ("event_factors_too_many",)}
    assert add(*many) == basis, "the same events, the same answer"
    assert add({**many[0], "tenant_id": "globex"}) == [()]
    assert add({**many[-1], "ended_at": "2026-11-22T13:00:00Z"}) == [()]


def test_flags_of_the_decoder_stay() -> None:
    """What is added is added."""
    columns, of_records = decoded({**STATED, "usage_quality": "estimated"}, door="http")
    before = columns.flags.copy()
    [flags] = StatedFactors().taken(columns, of_records.records, "events").flags.tolist()
    assert basis_names(flags) == ("usage_estimated", "event_factors_not_trusted")
    assert np.array_equal(columns.flags, before), "the decoder's own columns are left alone"
