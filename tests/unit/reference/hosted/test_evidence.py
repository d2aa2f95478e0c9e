"""Evidence: ids, dates and sources of what is known of models; nothing rests on itself."""

from collections.abc import Iterator
from functools import cache

import pytest

from rice_stream.instants import us_from_iso
from rice_stream.reference.hosted.checks import hosted_problems
from rice_stream.reference.hosted.tables import EVIDENCE
from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference
from rice_stream.reference.reading import Row, read_table

NOW_US = us_from_iso("2026-11-29")


@cache
def reference() -> Reference:
    return load_reference()


def model_ids() -> Iterator[str]:
    return (factor.model_id for factor, _ in reference().models.rows(NOW_US))


def test_every_model_has_evidence_with_a_date_and_a_source() -> None:
    """Of its own row at least; a closed model's row that rests on evidence.csv is the same there."""
    lacking = []
    for model_id in model_ids():
        pieces = reference().evidence(f"arch:{model_id}")
        if not pieces or any(not piece.date or not piece.source for piece in pieces):
            lacking.append(model_id)
    assert lacking == []


def test_the_rows_of_evidence_have_dates_and_known_sources() -> None:
    named = {source.name for source in reference().sources()}
    for piece in reference().evidence_table:
        assert piece.date[:2] == "20", piece.evidence_id
        assert any(piece.source.startswith(name) for name in named), piece.evidence_id
        assert piece.use, piece.evidence_id


def test_what_a_closed_model_is_taken_to_be_is_what_its_evidence_says() -> None:
    """models.csv has the figures, evidence.csv why: `arch:...` in the note."""
    checked = 0
    for factor, _ in reference().models.rows(NOW_US):
        if not factor.note.startswith("arch:"):
            continue
        active, total = (reference().evidence(f"{factor.note}{end}")[0] for end in ("", "/total"))
        assert factor.model_id in active.models
        assert factor.model_id in total.models
        assert (active.low, active.value, active.high) == (
            factor.params_active_b.low,
            factor.params_active_b.mid,
            factor.params_active_b.high,
        )
        assert (total.low, total.value, total.high) == (
            factor.params_total_b.low,
            factor.params_total_b.mid,
            factor.params_total_b.high,
        )
        assert active.based_on
        checked += 1
    assert checked == 30


def test_two_rows_that_rest_on_each_other_are_refused() -> None:
    header = "evidence_id,kind,quantity,value,unit,date,use,based_on,source\n"
    text = header + "a,estimate,x,1,B,2025,fit,b,me\nb,estimate,x,1,B,2025,fit,c,me\nc,estimate,x,1,B,2025,fit,a,me\n"
    text += "d,estimate,x,1,B,2025,fit,a,me\n"
    rows = read_table(EVIDENCE, text, "evidence.csv")
    tables: dict[str, list[Row]] = {name: [] for name in ("regions", "hardware", "hosts", "capacity", "rci", "models")}
    problems = [text for text in hosted_problems({**tables, "evidence": rows}) if "rests on itself" in text]
    assert len(problems) == 3
    assert problems[0].startswith("evidence.csv row 2, column based_on: it rests on itself by way of b")


def test_the_evidence_of_a_model_is_followed_to_what_it_rests_on() -> None:
    found = [piece.evidence_id for piece in reference().evidence_table.of_model("gpt-4o")]
    assert found[0] == "arch:gpt-4o"
    assert {"arch:gpt-4o/medec", "arch:gpt-4o/epoch-2024", "arch:gpt-4o/ecologits-active"} <= set(found)
    assert len(found) == len(set(found))


def test_no_shipped_disclosure_moves_an_estimate() -> None:
    """They are what the estimates are held against."""
    assert all(not reference().disclosures(model_id, None) for model_id in model_ids())


def test_a_host_is_evidence_too() -> None:
    pue, *hardware = reference().evidence("host:openai")
    assert (pue.quantity, pue.low, pue.value, pue.high) == ("pue", 1.12, 1.17, 1.25)
    assert {piece.quantity: piece.value for piece in hardware}["H100"] == 0.4
    assert all(piece.date and piece.source for piece in (pue, *hardware))


@pytest.mark.parametrize("evidence_id", ["host:nobody", "price:openai/gpt-9@2030-01-01", "arch:nobody", "gpt-4o", ""])
def test_an_id_of_nothing_stands_for_nothing(evidence_id: str) -> None:
    assert reference().evidence(evidence_id) == []
