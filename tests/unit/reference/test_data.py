"""The shipped tables themselves: sources, licences, no contradictions, and what is left out stays out."""

import itertools
from functools import cache
from importlib import resources

import pytest

from rice_stream.reference.loader import read_layer
from rice_stream.reference.merging import merge_layers
from rice_stream.reference.models.names import tokens
from rice_stream.reference.reading import Row
from rice_stream.reference.tables import TABLES
from rice_stream.reference.types import REGION_RUNGS, SCOPES

MAX_FILE_BYTES = 1024 * 1024


@cache
def tables() -> dict[str, list[Row]]:
    shipped = resources.files("rice_stream.reference") / "data"
    return merge_layers([read_layer(shipped / "derived"), read_layer(shipped)])


@pytest.mark.parametrize("table", [table.name for table in TABLES if table.name not in ("sources", "market")])
def test_every_row_names_a_source_with_version_licence_and_address(table: str) -> None:
    known = {row.text("source_id") for row in tables()["sources"]}
    assert tables()[table]
    assert {row.text("source") for row in tables()[table]} <= known


def test_every_source_is_used_and_has_a_licence() -> None:
    used = {row.text("source") for name, rows in tables().items() if name != "sources" for row in rows}
    used |= {row.text("embodied_source") for row in tables()["hardware"]}
    facts = ("hardware_source", "pue_source", "regions_source")
    used |= {row.text(column) for row in tables()["hosts"] for column in facts}
    assert {row.text("source_id") for row in tables()["sources"]} <= used
    assert all(row.text("licence") and row.text("url") for row in tables()["sources"])


def test_share_alike_and_unlicensed_data_is_not_shipped() -> None:
    text = " ".join(str(cell) for rows in tables().values() for row in rows for cell in row.cells.values()).lower()
    for word in ("odbl", "agpl", "electricity maps", "electricitymaps", "watttime", "boavizta"):
        assert word not in text


WIDE_AND_SHALLOW = {"boomer-1b", "stablelm-base-alpha-3b", "stablelm-base-alpha-7b", "qwen2-57b-a14b"}
"""Published with 4, 16, 16 and 28 layers: their own configuration files say so."""


def test_architectures_fit_the_parameters() -> None:
    """A layer of a transformer has about 12 width^2 parameters: layers and parameters give the width, which all known
    models keep between 15 and 220 times the layers, and which the key-value heads do not exceed by more than a third."""
    checked = 0
    for row in tables()["models"]:
        layers, total = row.optional_number("layers"), row.optional_number("params_total_b")
        if layers is None or total is None:
            continue
        width = ((row.optional_number("params_active_b") or total) * 1e9 / (12 * layers)) ** 0.5
        heads, size = row.optional_number("kv_heads"), row.optional_number("head_dim")
        if row.text("model_id") not in WIDE_AND_SHALLOW:
            assert 15 <= width / layers <= 220, row.where
        assert (heads or 0) * (size or 0) <= 1.34 * width, row.where
        checked += 1
    assert checked > 280


def test_no_intensity_is_zero() -> None:
    assert all(row.number("rci_gco2e_per_kwh") > 0 for row in tables()["rci"])


def test_both_scopes_are_there_and_regions_of_five_clouds() -> None:
    assert {row.text("scope") for row in tables()["rci"]} == set(SCOPES)
    clouds = [row.text("provider") for row in tables()["regions"] if row.text("kind") == "cloud_region"]
    assert {cloud: clouds.count(cloud) for cloud in set(clouds)} == {
        "aws": 37,
        "azure": 61,
        "gcp": 47,
        "oci": 47,
        "ovh": 15,
    }


def test_every_place_can_be_climbed_to_a_country_or_the_world() -> None:
    for row in tables()["regions"]:
        if row.text("kind") in ("cloud_region", "grid_zone", "subregion", "state"):
            ladder = row.text("ladder").split()
            assert any(step.startswith("country:") for step in (*ladder, row.text("region_id"))), row.where


def test_no_spelling_names_two_places() -> None:
    seen: dict[str, str] = {}
    for row in tables()["regions"]:
        for spelling in filter(None, row.text("spellings").split("|")):
            assert seen.setdefault(spelling, row.text("region_id")) == row.text("region_id"), spelling


def test_no_name_means_two_models_at_once() -> None:
    """An alias that shadows a model, or two models whose names have the same tokens, would decide by accident."""
    models = {row.text("model_id").lower() for row in tables()["models"]}
    general = {row.text("alias").lower() for row in tables()["aliases"] if not row.text("provider")}
    assert not models & general
    by_tokens: dict[tuple[str, ...], str] = {}
    for model in sorted(models):
        assert by_tokens.setdefault(tokens(model), model) == model


def test_rungs_get_wider_down_the_ladder() -> None:
    """High over low of each rung is at least that of the rung above, in both scopes."""
    ratio = {
        (row.text("scope"), row.text("rung")): row.number("factor_high") / row.number("factor_low")
        for row in tables()["spreads"]
        if row.text("quantity") == "rci"
    }
    lifecycle = [ratio["lifecycle", rung] for rung in REGION_RUNGS]
    direct = [ratio["direct", rung] for rung in REGION_RUNGS[:5]]
    direct += [ratio["direct", f"{rung}_converted"] for rung in ("country", "area", "world")]
    for wide in (lifecycle, direct):
        assert wide == sorted(wide)
    assert ratio["lifecycle", "country_split"] >= ratio["lifecycle", "country"]


def test_every_level_of_both_scopes_has_a_spread() -> None:
    have = {(row.text("scope"), row.text("rung")) for row in tables()["spreads"] if row.text("quantity") == "rci"}
    levels = [*REGION_RUNGS, "country_split"]
    need = {("lifecycle", level) for level in levels}
    need |= {("direct", level) for level in levels if level not in ("area", "world")}
    need |= {("direct", f"{level}_converted") for level in REGION_RUNGS}
    assert need <= have


def test_cloud_names_of_the_contract_are_hardware() -> None:
    names = {row.text("hardware") for row in tables()["hardware"]}
    assert names >= {
        *("A100-40GB", "A100-80GB", "H100", "H200", "B200", "L40S", "L4", "A10G", "MI300X", "TPU-v5e", "TPU-v6e"),
        *("V100-32GB", "A40"),
    }


def test_hardware_aliases_belong_to_one_row() -> None:
    aliases = [alias for row in tables()["hardware"] for alias in row.text("aliases").split("|") if alias]
    assert len(aliases) == len(set(aliases))


def test_files_are_small() -> None:
    shipped = resources.files("rice_stream.reference") / "data"
    files = [*shipped.iterdir(), *(shipped / "derived").iterdir()]
    assert all(len(file.read_bytes()) < MAX_FILE_BYTES for file in files if file.is_file())


def test_fallbacks_are_wide_enough_for_what_they_do_not_know() -> None:
    least = {"family": 2.0, "size_class": 4.0, "provider": 6.0, "default": 10.0}
    for row, what in itertools.product(tables()["fallbacks"], ("total", "active")):
        low, high = row.number(f"params_{what}_b_low"), row.number(f"params_{what}_b_high")
        assert high / low >= 0.999 * least[row.text("rung")], row.where


EXPERTS = {
    "mixtral-8x7b": (8, 2),
    "dbrx": (16, 4),
    "phi-3.5-moe": (16, 2),
    "deepseek-v3": (256, 8),
    "kimi-k2": (384, 8),
    "llama-4-scout": (16, 1),
    "llama-4-maverick": (128, 1),
    "kimi-k3": (896, 16),
}
"""Experts of a layer and those that a token passes through, by the published configurations."""


def model_row(model_id: str) -> Row:
    [row] = [row for row in tables()["models"] if row.text("model_id") == model_id]
    return row


@pytest.mark.parametrize("model_id", EXPERTS)
def test_experts_are_those_of_the_published_configuration(model_id: str) -> None:
    row = model_row(model_id)
    assert (row.number("experts"), row.number("experts_per_token")) == EXPERTS[model_id]


@pytest.mark.parametrize(("model_id", "every"), [("gemma-3-4b", 6), ("gemma-3-27b", 6), ("command-r7b", 4)])
def test_a_window_is_kept_by_all_layers_but_one_in_so_many(model_id: str, every: int) -> None:
    """The others' cache grows; a window's state is 1,024 tokens of 16-bit keys and values at most."""
    row = model_row(model_id)
    layers, growing = row.number("layers"), row.number("kv_layers")
    assert growing == layers // every
    per_layer = 2 * row.number("kv_heads") * row.number("head_dim") * 2
    assert row.number("state_bytes") == (layers - growing) * per_layer * 1024
