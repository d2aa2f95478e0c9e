"""`/prompts/{event_id}`: the steps of the API's explanation, to the digit; one 404 for what is not there and what is another's."""

import json
import re
from typing import Any

import pytest

from rice_stream.api.console.basis_words import KNOWN, SENTENCES, sentences
from rice_stream.api.console.causes import CAUSES, NARROWING
from rice_stream.api.console.pages.record_figures import causes_of, energy_bars, rests_on
from rice_stream.basis import Basis, basis_names
from rice_stream.wording.amounts import amount
from tests.support.api_running import Api
from tests.support.asgi import Answer
from tests.unit.api.console.reading import read

_HTML = {"accept": "text/html"}


def _ask(api: Api, path: str, **scope: Any) -> Answer:
    return api.send("GET", path, role="reader", headers=_HTML, **scope)


def _explained(api: Api, event_id: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(api.get(f"/v1/prompts/{event_id}/explain").body)
    return document


@pytest.mark.parametrize("event_id", ["e-1", "e-3"])
def test_every_step_is_on_the_page_with_its_value_and_its_source(api: Api, event_id: str) -> None:
    page, explained = read(_ask(api, f"/prompts/{event_id}")), _explained(api, event_id)
    [steps] = [table for table in page.tables if table[0] == ["Step", "Value", "How", "Source"]]
    assert [row[0] for row in steps[1:]] == [step["name"] for step in explained["steps"]]
    for row, step in zip(steps[1:], explained["steps"], strict=True):
        assert row[2] == " ".join(step["formula"].split())
        assert row[3].startswith(" ".join(step["source"].split()))
        if isinstance(step["value"], float):
            digits = float(row[1].split("\u202f")[0].split()[0].replace("\u202f", "")) if step["value"] < 1000 else None
            assert digits is None or digits == pytest.approx(step["value"], rel=1e-5)
    middle = explained["record"]["carbon_mid_ugco2e"] / 1e6
    assert " ".join(amount(middle, "carbon").split()) in " ".join(page.text.split())


def test_parts_of_the_energy_follow_each_other_up_to_the_whole(api: Api) -> None:
    explained = _explained(api, "e-1")
    bars = energy_bars(explained["steps"])
    assert [bar.start_wh for bar in bars] == [0.0, *(bar.end_wh for bar in bars[:-1])]
    assert bars[-1].end_wh * 1e6 == pytest.approx(explained["record"]["facility_energy_uwh"], abs=1)
    assert all(bar.end_wh > bar.start_wh for bar in bars)


def test_causes_are_all_of_the_range_largest_first_and_each_has_words(api: Api) -> None:
    causes = causes_of(_explained(api, "e-1")["steps"])
    assert sum(cause.share for cause in causes) == pytest.approx(1.0, abs=1e-3)
    assert [cause.share for cause in causes] == sorted((cause.share for cause in causes), reverse=True)
    assert {cause.title for cause in causes} <= set(CAUSES.values())
    assert set(NARROWING) == set(CAUSES)


def test_what_is_not_there_and_what_is_anothers_look_the_same(api: Api) -> None:
    acme = frozenset({"acme"})
    answers = [
        _ask(api, "/prompts/e-3", tenants=acme),
        _ask(api, "/prompts/e-9", tenants=acme),
        _ask(api, "/prompts/e-1", tenants=acme, teams=frozenset({"other"})),
    ]
    assert {answer.status for answer in answers} == {404}
    own = re.compile(rb"e-\d|data-as-of[^>]*|Signed in as [^\"]*")
    assert len({own.sub(b"", answer.body) for answer in answers}) == 1, "but for what was asked for, and when"


def test_two_records_do_not_share_figures_that_are_kept(api: Api) -> None:
    """Pages with the same parameters, of different prompts."""
    assert read(_ask(api, "/prompts/e-1?tenant=acme")).text != read(_ask(api, "/prompts/e-2?tenant=acme")).text
    api.door.product.engine().dispose()
    assert "e-2" in read(_ask(api, "/prompts/e-2?tenant=acme")).text


def test_how_well_each_thing_is_known_is_one_of_five_words() -> None:
    record: dict[str, Any] = {
        "basis": "output_tokens_missing",
        "model": "m",
        "model_resolved": "x",
        "model_rung": "default",
        "metered_energy_uj": None,
        "energy_boundary": None,
        "method_version": "r",
        "region_rung": "country",
        "region_resolved": "DE",
    }
    assert [(each.title, each.known) for each in rests_on(record)] == [
        ("Tokens", "defaulted"),
        ("Model", "defaulted"),
        ("Energy", "estimated"),
        ("Place", "reported"),
    ]
    metered = {**record, "metered_energy_uj": 5, "energy_boundary": "gpu", "basis": "measured", "model_rung": "exact"}
    assert [each.known for each in rests_on(metered)] == ["reported", "reported", "measured", "reported"]
    assert len(KNOWN) == 5


def test_every_word_of_a_basis_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Basis)
    every = sentences(",".join(basis_names(sum(Basis))))
    assert all(sentence.endswith(".") for _, sentence in every)
    assert sentences("of_another_version") == [("of_another_version", "")]
