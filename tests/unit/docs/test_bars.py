"""What `make bench` is asked for: a row beyond its bar is told, with the bar."""

import ast
from typing import Any

import pytest

from benchmarks.__main__ import BENCHMARKS, LARGE, LOOKED_AT
from benchmarks.bars import ALL_OF_THEM_S, missed, too_long
from tests.support.places import ROOT


def row(name: str, beside: str, ratio: float) -> dict[str, Any]:
    return {"name": name, "ceiling_name": beside, "ratio": ratio}


@pytest.mark.parametrize(
    ("name", "beside", "reached", "beyond"),
    [
        ("kafka to postgresql", "Faust agent doing nothing, per event", 14.0, 13.9),
        ("live at 5,000/s: worker, PostgreSQL and broker", "catching up, and feeding the backlog", 2.0, 2.1),
        ("live at 500/s: processors used", "a processor", 0.15, 0.16),
        ("alert after its crossing, p99", "limit", 0.9, 1.1),
        ("restating by other settings", "taking them in", 0.5, 0.45),
        ("growth of that worker's lag", "fed", -0.1, 0.03),
        ("totals of a tenant with entries, as restated, p99", "without entries", 1.3, 1.4),
        ("decode litellm", "json.loads alone", 0.8, 0.7),
        ("decode otlp protobuf, openinference", "protobuf parse alone", 0.4, 0.1),
    ],
)
def test_a_ratio_beyond_its_bar_is_told_and_one_at_it_is_not(
    name: str, beside: str, reached: float, beyond: float
) -> None:
    assert missed([row(name, beside, reached)]) == []
    [told] = missed([row(name, beside, beyond)])
    assert told.startswith(f"{name}: {beyond:g} of {beside}, asked for at ")


def test_a_row_without_a_bar_may_be_anything() -> None:
    others = [
        row("kafka to postgresql", "chunk transport, doing nothing", 0.01),
        row("decode litellm spend logs", "json.loads alone", 0.01),
    ]
    assert missed(others) == []


def test_that_all_of_them_take_too_long_is_told_with_those_that_take_longest() -> None:
    short = {f"short-{number}": 100 for number in range(9)}
    assert too_long({**short, "long": ALL_OF_THEM_S - 900}) == []
    [told] = too_long({**short, "long": ALL_OF_THEM_S - 840})
    assert told.startswith("all of it took 26.0 min, asked for at most 25: long 660 s, short-0 100 s")


def test_every_benchmark_that_can_be_asked_for_is_there() -> None:
    for place in (BENCHMARKS | LOOKED_AT | LARGE).values():
        module, _, function = place.partition(":")
        tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
        assert function in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}, place
