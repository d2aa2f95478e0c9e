"""Scope pack and SCI for AI: figures by hand, and a PDF that is tagged, carries its JSON and has the same bytes again."""

import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rice_stream.canonical_json import canonical_json
from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us, parse_instant
from rice_stream.reports.exports.orders import ExportOptions
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from tests.behaviours.test_cost_centres import charged
from tests.behaviours.test_exports import filled, made
from tests.behaviours.test_focus import corrected
from tests.support.reports_store import Store, at

__all__ = ["charged"]


def pack(engine: Engine, path: Path, **changes: Any) -> dict[str, Any]:
    """A pack as JSON."""
    data, _ = made(engine, path, **{"kind": "scope-pack", "form": "json", **changes})
    document: dict[str, Any] = json.loads(data)
    assert canonical_json(document) == data
    return document


def streams(pdf: bytes) -> Iterator[bytes]:
    """What its streams hold, unpacked."""
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            yield zlib.decompress(found[1])
        except zlib.error:  # one that is not packed
            yield found[1]


class TestScopePack:
    """On every database."""

    def test_by_hand_parts_bridge_and_exclusions(self, charged: Store, tmp_path: Path) -> None:
        """October was closed with two prompts of 2.5 g; then one came late, and one was voided: 2.5 of 7.5 g are excluded."""
        engine = corrected(charged)
        document = pack(engine, tmp_path / "pack", month="2026-10")
        assert document["total"]["carbon_location_gco2e"]["mid"] == "5.000000"
        assert [(part["part"], part["prompts"], part["carbon_location_gco2e"]) for part in document["parts"]] == [
            ("scope_3_category_1", 2, "5.000000"),
            ("scope_2", 0, "0.000000"),
        ]
        bridge = document["bridge"]
        steps = {step["cause"]: step["carbon_gco2e"] for step in bridge["steps"] if step["carbon_ugco2e"] != "0"}
        assert (bridge["reported"]["carbon_gco2e"], bridge["restated"]["carbon_gco2e"]) == ("5.000000", "5.000000")
        assert steps == {"late": "2.500000", "void": "-2.500000"}
        assert (bridge["threshold_percent"], bridge["material"]) == (5.0, False)
        own = pack(engine, tmp_path / "pack", month="2026-10", options=ExportOptions(threshold_percent=0.5))
        assert own["bridge"]["threshold_percent"] == 0.5
        assert document["exclusions"]["voided"] == {"prompts": 1, "carbon_gco2e": "2.500000"}
        assert document["exclusions"]["share_of_carbon"] == pytest.approx(1 / 3)
        assert (document["period"]["state"], document["coverage"]["reached"]) == ("closed", False)
        assert [one["share_of_carbon"] for one in document["data_types"]] == [0, 1, 0]
        [factors] = document["factors"]
        assert (factors["prompts"], factors["carbon_gco2e"], factors["pue"]) == (2, "5.000000", 1.25)

    def test_providers_of_ones_own_are_scope_2_and_no_prompt_is_both(self, charged: Store, tmp_path: Path) -> None:
        """The parts add up to the whole."""
        engine = filled(charged)
        charged.add(at("2026-11-05T08:00:00Z", event_id="own", provider="vllm"))
        document = pack(engine, tmp_path / "pack", options=ExportOptions(own_providers=("vllm",)))
        purchased, own = document["parts"]
        assert (purchased["prompts"], own["prompts"], document["total"]["prompts"]) == (4, 1, 5)
        assert own["providers"] == document["boundary"]["own_providers"] == ["vllm"]
        assert own["carbon_location_gco2e"] == "2.500000"

    def test_the_pdf_is_tagged_and_has_the_json_inside(self, charged: Store, tmp_path: Path) -> None:
        """The digest of what is said is that of the JSON inside; a second time the bytes are the same."""
        engine, path = corrected(charged), tmp_path / "pack.pdf"
        data, manifest = made(engine, path, kind="scope-pack", month="2026-10", form="pdf")
        as_of_us = epoch_us(parse_instant(manifest["as_of"]))
        inside = canonical_json(pack(engine, tmp_path / "pack", month="2026-10", as_of_us=as_of_us))
        unpacked = list(streams(data))
        assert inside in unpacked
        whole = data + b"".join(unpacked)
        assert all(part in whole for part in (b"/StructTreeRoot", b"/EmbeddedFile", b"/AFRelationship", b"/Lang"))
        assert b"<pdfaid:part>3</pdfaid:part>" in whole
        assert b"<pdfaid:conformance>A</pdfaid:conformance>" in whole
        assert b"/Alt" in whole  # the figure, in words
        again, other = made(engine, path, kind="scope-pack", month="2026-10", form="pdf", as_of_us=as_of_us)
        assert again == data
        assert manifest["content_sha256"] == other["content_sha256"]

    def test_names_are_no_markup_and_an_empty_month_is_a_page_too(self, charged: Store, tmp_path: Path) -> None:
        """Whatever a model is called: it is text on the page."""
        engine = filled(charged)
        charged.add(
            at("2026-12-01T08:00:00Z", event_id="m", provider='#panic("x") $ * _ ` <a> \\'), received_at_us=LATE_US
        )
        for month in ("2026-12", "2026-01"):
            assert made(engine, tmp_path / "p", kind="scope-pack", month=month, form="pdf")[0].startswith(b"%PDF-")

    def test_who_sees_some_teams_only_gets_none(self, charged: Store, tmp_path: Path) -> None:
        """What it says of corrections is the whole tenant's."""
        with pytest.raises(UsageError, match="whole tenants"):
            pack(filled(charged), tmp_path / "pack", scope=Scope(frozenset({"acme"}), frozenset({"ads"})))


class TestSci:
    """On every database."""

    def test_by_hand_per_token_and_per_prompt(self, charged: Store, tmp_path: Path) -> None:
        """Four prompts of 15 tokens and 2.5 g: 10 g for 60 tokens."""
        engine = filled(charged)
        for unit, r, score in (
            ("token", "60.000000000000", "0.166666666667"),
            ("1000-tokens", "0.060000000000", "166.666666666667"),
            ("prompt", "4.000000000000", "2.500000000000"),
        ):
            options = ExportOptions(functional_unit=unit)
            document = pack(engine, tmp_path / "sci", kind="sci", options=options)
            total = document["total"]
            assert (document["persona"], document["functional_unit"]) == ("consumer", unit)
            assert (total["r"], total["sci_gco2e_per_r"], total["o_gco2e"]) == (r, score, "10.000000")
            assert (total["e_kwh"], total["i_gco2e_per_kwh"]) == ("0.025000000", "400.000000000000")
            assert [row["prompts"] for row in document["by_model"]] == [4]

    def test_a_month_without_prompts_has_no_score(self, charged: Store, tmp_path: Path) -> None:
        """And is no error."""
        document = pack(filled(charged), tmp_path / "sci", kind="sci", month="2026-01")
        assert (document["total"]["sci_gco2e_per_r"], document["by_model"]) == (None, [])


LATE_US = epoch_us(parse_instant("2026-12-01T09:00:00Z"))
