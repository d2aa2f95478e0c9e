"""Quantities: every limit is the same at every door through which a number comes in."""

import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

import msgspec
import pytest
from pydantic import ValidationError

from rice_stream import quantities
from rice_stream.cli.request_options import option_name
from rice_stream.errors import ReferenceDataError, UsageError
from rice_stream.events.canonical import CanonicalEvent, WireEvent
from rice_stream.events.stated_factors import FACTOR_FIELDS
from rice_stream.meter.described import described
from rice_stream.meter.serving_overrides import parse_overrides
from rice_stream.quantities import (
    BATCH_SIZE_LIMITS,
    DEFAULT_TOKENS_LIMITS,
    DEVICES_LIMITS,
    KV_BYTES_PER_TOKEN_LIMITS,
    PARAMS_B_LIMITS,
    PRECISIONS,
    PUE_LIMITS,
    RCI_GCO2E_PER_KWH_LIMITS,
    TDP_W_LIMITS,
    TOKENS_LIMITS,
    TOKENS_MAX,
    UTILISATION_LIMITS,
    Limits,
)
from rice_stream.reference.columns import Column, ReferenceTable
from rice_stream.reference.reading import read_table
from rice_stream.reference.tables import TABLES
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.runtime.settings.settings import Settings

LIMITS = {
    "pue": PUE_LIMITS,
    "rci_gco2e_per_kwh": RCI_GCO2E_PER_KWH_LIMITS,
    "devices": DEVICES_LIMITS,
    "batch_size": BATCH_SIZE_LIMITS,
    "utilisation": UTILISATION_LIMITS,
    "tdp_w": TDP_W_LIMITS,
    "input_tokens": TOKENS_LIMITS,
    "output_tokens": TOKENS_LIMITS,
    "cache_read_input_tokens": TOKENS_LIMITS,
    "cache_write_input_tokens": TOKENS_LIMITS,
    "reasoning_output_tokens": TOKENS_LIMITS,
    "default_input_tokens": DEFAULT_TOKENS_LIMITS,
    "default_output_tokens": DEFAULT_TOKENS_LIMITS,
    "params_total_b": PARAMS_B_LIMITS,
    "params_total_b_low": PARAMS_B_LIMITS,
    "params_total_b_high": PARAMS_B_LIMITS,
    "params_active_b": PARAMS_B_LIMITS,
    "params_active_b_low": PARAMS_B_LIMITS,
    "params_active_b_high": PARAMS_B_LIMITS,
    "kv_bytes_per_token": KV_BYTES_PER_TOKEN_LIMITS,
}
EVENT = {
    "event_id": "e",
    "tenant_id": "t",
    "ended_at": "2026-11-22T19:00:03Z",
    "request_model": "m",
    "input_tokens": TOKENS_MAX,
    "output_tokens": TOKENS_MAX,
}
EVENT_FIELDS = [name for name in CanonicalEvent.model_fields if name in LIMITS and name.endswith("_tokens")]
EVENT_FACTORS = [name for name in FACTOR_FIELDS if name != "hardware"]
SETTINGS = [name for name in Settings.model_fields if name in LIMITS]
COMMAND_LINE = [
    "pue",
    "rci_gco2e_per_kwh",
    "devices",
    "batch_size",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "params_total_b",
    "params_active_b",
    "kv_bytes_per_token",
]
COLUMNS = [column for table in TABLES for column in table.columns if column.name in LIMITS]


def _edges(name: str) -> Iterator[tuple[float, bool]]:
    """Numbers at the limits and just beyond them, with whether they are allowed."""
    limits = LIMITS[name]
    step = 1 if limits.whole else 1e-6
    if limits.above is not None:
        yield from ((limits.above - step, False), (limits.above, False), (limits.above + step, True))
    if limits.at_least is not None:
        yield from ((limits.at_least - step, False), (limits.at_least, True))
    if limits.up_to is not None:
        yield from ((limits.up_to, True), (limits.up_to + max(step, limits.up_to * 1e-9), False))


def _refusal(error: type[Exception], call: Callable[[], object]) -> str | None:
    """What the door says to the number; None where it lets it in."""
    try:
        call()
    except error as refusal:
        return str(refusal)
    return None


@pytest.mark.parametrize("name", EVENT_FIELDS)
def test_an_event_has_the_limits_and_so_has_its_fast_form(name: str) -> None:
    """What the definition accepts is what the fast path accepts."""
    wire = msgspec.json.Decoder(WireEvent)
    for number, allowed in _edges(name):
        content = msgspec.json.encode(EVENT | {name: int(number) if LIMITS[name].whole else number})
        assert (_refusal(ValidationError, partial(CanonicalEvent.model_validate_json, content)) is None) == allowed
        assert (_refusal(msgspec.ValidationError, partial(wire.decode, content)) is None) == allowed


@pytest.mark.parametrize("name", EVENT_FACTORS)
def test_a_factor_of_an_event_may_be_any_number(name: str) -> None:
    """One that cannot be true is not taken later on: it never costs the event."""
    wire = msgspec.json.Decoder(WireEvent)
    for number in (0, -1, 0.0, -0.5, 10**18, 1e308, -1e308, 5e-324):
        content = msgspec.json.encode(EVENT | {name: number})
        assert getattr(CanonicalEvent.model_validate_json(content), name) == number
        assert getattr(wire.decode(content), name) == number


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_has_the_limits(name: str) -> None:
    """`RICE_BATCH_SIZE` takes what `--batch-size` takes."""
    for number, allowed in _edges(name):
        environment = {f"RICE_{name.upper()}": repr(number)}
        assert (_refusal(UsageError, partial(load_settings, environment=environment)) is None) == allowed, number


@pytest.mark.parametrize("name", COMMAND_LINE)
def test_the_command_line_has_the_limits(name: str) -> None:
    """So have the cells of a table of requests, which the same function reads; the message says what is allowed."""
    for number, allowed in _edges(name):
        cells = {"model": "m", "input_tokens": str(TOKENS_MAX), "output_tokens": "1", name: repr(number)}
        message = f"{option_name(name)}: {cells[name]!r} is not {LIMITS[name]}"
        assert _refusal(UsageError, partial(described, cells, option_name)) == (None if allowed else message)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_a_reference_table_has_the_limits(column: Column) -> None:
    """A column of the tables takes what the field of that name takes everywhere else."""
    table = ReferenceTable("one", (column,), (column.name,))
    for number, allowed in _edges(column.name):
        text = f"{column.name}\n{number!r}\n"
        refusal = _refusal(ReferenceDataError, partial(read_table, table, text, "one.csv"))
        assert refusal is None if allowed else f"it holds {LIMITS[column.name]}" in str(refusal), number


@pytest.mark.parametrize("name", ["devices", "batch_size"])
def test_a_serving_override_has_the_limits(name: str) -> None:
    """What the settings say of one model takes what they may say of all."""
    for number, allowed in _edges(name):
        rows = [{"model": "m", name: number}]
        assert (_refusal(ValueError, partial(parse_overrides, rows)) is None) == allowed, number


def test_all_limits_are_checked_here() -> None:
    """New limits cannot be left out of the tests above."""
    defined = [value for value in vars(quantities).values() if isinstance(value, Limits)]
    assert {id(limits) for limits in defined} == {id(limits) for limits in LIMITS.values()}
    assert {*EVENT_FIELDS, *SETTINGS, *COMMAND_LINE, *(column.name for column in COLUMNS)} == set(LIMITS)


def test_limits_in_words() -> None:
    """Every door says the limits in the same words, without exponents."""
    assert str(PUE_LIMITS) == "a number from 1 up to 3"
    assert str(DEVICES_LIMITS) == "a number above 0 up to 10000"
    assert str(BATCH_SIZE_LIMITS) == "a number from 1 up to 1000000"
    assert str(TOKENS_LIMITS) == "a whole number from 0 up to 2147483647"
    assert str(Limits(at_least=0.5)) == "a number from 0.5"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("limits", [Limits(), Limits(at_least=0), Limits(up_to=1), Limits(whole=True)])
def test_what_is_not_finite_is_never_allowed(limits: Limits, number: float) -> None:
    """An open end is no way in for infinity."""
    assert not limits.allow(number)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_settings_take_every_precision(precision: str) -> None:
    """One list for settings, tables and command line."""
    assert load_settings(environment={"RICE_PRECISION": precision}).precision == precision


def test_the_module_is_light() -> None:
    """Whoever reads a total waits for no numpy, pydantic or msgspec."""
    heavy = "{'numpy', 'pydantic', 'msgspec', 'annotated_types'}"
    code = f"import sys, rice_stream.quantities; print(*{heavy} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
