"""What events share is learnt for many at once as it would be one by one, whatever is written."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rice_stream.events.together import interning, layouts
from rice_stream.events.together.interning import NEW, InternedRows
from rice_stream.events.together.layouts import run_pattern
from rice_stream.events.together.names import NumberedNames
from rice_stream.events.together.octets import Words
from rice_stream.events.together.shared_fields import RunReader
from tests.support.cases import size

CASES = settings(
    max_examples=size(200, 5_000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FEW_WORDS = st.sampled_from([0, 1, 2**63, 2**64 - 1]) | st.integers(0, 40)
BATCHES = st.lists(st.lists(st.tuples(FEW_WORDS, FEW_WORDS), min_size=1, max_size=200), max_size=6)
ONE_AT_A_TIME = rb'(?:"(?:[^"\\]|\\.)*"|[-+.0-9a-zA-Z]+)'
BYTES_OF_VALUES = st.lists(st.sampled_from([b'"', b"\\", b"a", b"7", b",", b"}", b" ", b"\n", b"\x00", b"\xff"])).map(
    b"".join
)
FIELDS = ("tenant_id", "user_id", "pue", "status")
SPELLINGS = [
    *("null", '"acme"', '""', '"ä"', '"quo\\"te"', '"x, y"', '"]"', '"}]"', '"\\u0000"', '"no end', "7", "1.2", "[1]"),
    *("{}", "nul", '"tab\there"', '"ok"', '"error"', '"\\ud83d"', '"back\\\\"', '"a""b"', "", "NaN", "1e999", '"\\x"'),
]
VALUES = st.sampled_from(SPELLINGS)
RUNS = st.lists(st.tuples(*(VALUES for _ in FIELDS), st.sampled_from(["{", ",", "["])), max_size=20)


def rows_of(pairs: list[tuple[int, int]]) -> Words:
    return np.array(pairs, dtype=np.uint64).reshape(-1, 2)


@CASES
@given(batches=BATCHES)
def test_rows_have_the_numbers_of_a_dictionary(batches: list[list[tuple[int, int]]]) -> None:
    """In the order in which they were first seen, as long as they do not all want the same slots."""
    interned, known = InternedRows(2), dict[tuple[int, int], int]()
    for pairs in batches:
        wanted = [known.setdefault(pair, len(known)) for pair in pairs]
        assert interned.add(rows_of(pairs)).tolist() == wanted
        assert interned.find(rows_of(pairs)).tolist() == wanted
    assert len(interned) == len(known)


@CASES
@given(batches=BATCHES, alike=st.sampled_from([0, 1, 2**57]))
def test_rows_that_want_the_same_slots_are_never_taken_for_each_other(
    monkeypatch: pytest.MonkeyPatch, batches: list[list[tuple[int, int]]], alike: int
) -> None:
    """Some get no number, or another one once the table has grown; one that they have is theirs alone."""
    monkeypatch.setattr(interning, "_MULTIPLIERS", np.full_like(interning._MULTIPLIERS, alike))
    interned, whose = InternedRows(2), dict[int, tuple[int, int]]()
    for pairs in batches:
        found = interned.add(rows_of(pairs)).tolist()
        for number, pair in zip(found, pairs, strict=True):
            assert number == NEW or (number < len(interned) and whose.setdefault(number, pair) == pair)
        assert len(set(zip(found, pairs, strict=True))) == len(set(pairs))
        assert interned.find(rows_of(pairs)).tolist() == found


@CASES
@given(combinations=st.lists(st.tuples(st.sampled_from("ab"), st.none() | st.sampled_from("xyz")), max_size=40))
def test_combinations_are_numbered_together_as_one_by_one(combinations: list[tuple[str, str | None]]) -> None:
    one, many = NumberedNames(2), NumberedNames(2)
    half = len(combinations) // 2
    found = many.numbers_of(combinations[:half]) + many.numbers_of(combinations[half:])
    assert found == list(map(one.number, combinations))
    assert many.fields == one.fields
    assert len(many) == len(one)


@CASES
@given(text=BYTES_OF_VALUES)
def test_a_value_is_what_it_is_one_character_at_a_time(text: bytes) -> None:
    for pattern in (layouts._VALUE, layouts._VALUE + b",?"):
        found, wanted = re.match(pattern, text), re.match(pattern.replace(layouts._VALUE, ONE_AT_A_TIME), text)
        assert (found and found.span()) == (wanted and wanted.span())
    assert bool(re.fullmatch(layouts._VALUE, text)) == bool(re.fullmatch(ONE_AT_A_TIME, text))


@CASES
@given(runs=RUNS)
def test_runs_say_together_what_each_says_alone(runs: list[tuple[str, ...]]) -> None:
    """One that cannot be read, or that would end its object or the list, takes nothing from the others."""
    texts = [
        (first + ",".join(f'"{field}":{value}' for field, value in zip(FIELDS, values, strict=True))).encode()
        for *values, first in runs
    ]
    reader = RunReader(FIELDS)
    alone = [reader.read([text])[0] for text in texts]
    assert reader.read(texts) == alone
    written = run_pattern(FIELDS)
    for text, said in zip(texts, alone, strict=True):
        assert said is None or (written.fullmatch(text) and len(said) == len(FIELDS) and said[2] is None)


def test_a_run_of_one_field_says_one_value() -> None:
    assert RunReader(("tenant_id",)).read([b'{"tenant_id":"acme"', b'{"tenant_id":7', b',"tenant_id": "b"']) == [
        ("acme",),
        None,
        ("b",),
    ]
