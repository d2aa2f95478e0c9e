"""The script that derives the tables, on small made-up data sets."""

import csv
from importlib import resources
from pathlib import Path

import pytest

from rice_stream.reference.loader import read_layer
from rice_stream.reference.reading import Row, read_table
from rice_stream.reference.tables import FALLBACKS, MODELS, REGIONS
from training.reference_fallbacks import fallback_rows
from training.reference_hosted import capacity_rows, price_rows
from training.reference_lifecycle import lifecycle_rows
from training.reference_models import ModelRows, model_rows
from training.reference_tables import BOOTSTRAP, GRID_OF, pue_rows, rci_rows, sheet_text

COLUMNS = """
    region_id provider rci_gco2e_per_kwh rci_year rci_scope rci_signal rci_method notes pue pue_year pue_basis pue_source
"""


def region(region_id: str, rci: str, scope: str, **more: str) -> dict[str, str]:
    cells = dict.fromkeys(COLUMNS.split(), "")
    provider = region_id.split(":")[0]
    cells |= {
        "region_id": region_id,
        "provider": provider,
        "rci_gco2e_per_kwh": rci,
        "rci_year": "2025",
        "rci_scope": scope,
    }
    return cells | {"rci_signal": "average", "rci_method": "location-based"} | more


@pytest.fixture
def google() -> list[dict[str, str]]:
    """Every Google region that stands for a grid."""
    return [region(f"gcp:{name}", "100", "direct") for name in set(GRID_OF.values())]


def test_each_place_gets_a_row_in_its_scope_and_grids_that_of_google(google: list[dict[str, str]]) -> None:
    rows = rci_rows([*google, region("country:SE", "35.26", "lifecycle"), region("country:WORLD", "458", "lifecycle")])
    by_key = {(row["region_id"], row["scope"]): row for row in rows}
    assert by_key["country:SE", "lifecycle"]["rci_gco2e_per_kwh"] == "35.26"
    assert by_key["world", "lifecycle"]["source"] == "owid-ember-2026-04"
    assert by_key["grid:us-pjm", "direct"]["note"] == "value that Google publishes for us-east4 on the same grid"


def test_a_published_zero_is_left_out(google: list[dict[str, str]]) -> None:
    rows = rci_rows([*google, region("country:CF", "0.0", "lifecycle")])
    assert all(row["region_id"] != "country:CF" for row in rows)


def test_a_row_in_the_wrong_scope_stops_the_derivation(google: list[dict[str, str]]) -> None:
    with pytest.raises(ValueError, match="country:SE: the source row is direct"):
        rci_rows([*google, region("country:SE", "20", "direct")])


def test_a_lifecycle_value_of_a_grid_is_its_direct_one_and_a_surcharge() -> None:
    """A country with both values adds their difference, another one 25 + 0.17 times the direct value; a grid in a country
    with a single one, and one that is as clean as all of its country, get no row."""
    places = read_layer(resources.files("rice_stream.reference") / "data")["regions"]
    direct = {
        "country:US": 300,
        "grid:us-pjm": 320,
        "us-egrid:NWPP": 400,
        "us-state:OR": 225,
        "us-egrid:SRVC": 100,
        "grid:jp-tokyo": 500,
        "grid:de": 300,
        "grid:se-3": 20,
        "gcp:us-west1": 100,
        "gcp:us-west3": 600,
        "gcp:us-west4": 360,
        "gcp:us-east1": 400,
    }
    lifecycle = {"country:US": 350, "country:JP": 480, "country:DE": 340, "country:SE": 35}
    rows = [
        {"region_id": place, "scope": scope, "rci_gco2e_per_kwh": str(value), "year": "2025"}
        for scope, values in (("direct", direct), ("lifecycle", lifecycle))
        for place, value in values.items()
    ]
    found = {row["region_id"]: row["rci_gco2e_per_kwh"] for row in lifecycle_rows(rows, places)}
    assert found == {
        "grid:us-pjm": "370.00",
        "us-egrid:NWPP": "450.00",
        "us-state:OR": "275.00",
        "us-egrid:SRVC": "150.00",
        "grid:jp-tokyo": "610.00",
        "grid:us-pace": "650.00",
        "grid:us-nevada": "410.00",
        "grid:us-columbia": "200.00",
        "grid:us-carolina": "250.00",
    }


def test_only_disclosed_pue_is_taken_and_its_basis_kept() -> None:
    rows = pue_rows(
        [
            region(
                "aws:a", "1", "direct", pue="1.15", pue_year="2024", pue_basis="region", pue_source="AWS disclosure"
            ),
            region(
                "aws:b", "1", "direct", pue="1.14", pue_year="2025", pue_basis="fleet-average", pue_source="AWS global"
            ),
            region(
                "azure:c",
                "1",
                "direct",
                pue="1.12",
                pue_year="2022",
                pue_basis="region-factsheet",
                pue_source="Microsoft x",
            ),
        ]
    )
    assert [(row["subject"], row["basis"], row["source"]) for row in rows] == [
        ("aws:a", "region", "aws-disclosure"),
        ("azure:c", "factsheet", "microsoft-factsheets"),
    ]


def write(path: Path, header: str, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join((header, *rows)) + "\n", "utf-8")


@pytest.fixture
def derived(tmp_path: Path) -> ModelRows:
    """Model rows of a few made-up lines in the data sets' formats."""
    write(
        tmp_path / "models" / "ecologits_params.csv",
        "provider,name,arch,total_min_B,total_max_B,active_min_B,active_max_B,estimated,tps,ttft,warnings,sources",
        "openai,acme-1,moe,100,100,10,40,True,,,,",
        "openai,acme-1-2026-01-01,moe,100,100,10,40,True,,,,",
        "openai,acme-latest,moe,100,100,10,40,True,,,,",
        "huggingface_hub,meta-llama/Llama-3.1-8B-Instruct,dense,8.03,8.03,8.03,8.03,False,,,,",
    )
    write(tmp_path / "ml_energy" / "mlenergy_v3.csv", "model_id,total_params_billions", "acme/Nova-9B,9")
    write(tmp_path / "ml_energy" / "mlenergy_v2.csv", "Model", "mistralai/Mixtral-8x7B-Instruct-v0.1")
    write(tmp_path / "ml_energy" / "mlenergy_legacy_2023.csv", "model,params_B", "lmsys/vicuna-7B,7")
    write(tmp_path / "llm_perf" / "llmperf_2024-02_bf16_none_none.csv", "Model,Params (B)", "acme/unsized,0.0")
    write(tmp_path / "llm_perf" / "llmperf_dataset_2026-01.csv", "model,params_B", "EleutherAI/pythia-1.4b,1.41")
    write(tmp_path / "helm" / "helm_per_token.csv", "model,params_B", "openai/davinci,175")
    write(tmp_path / "helm" / "ten_models.csv", "model,N", "AI21/J1-Jumbo v1,178")
    write(tmp_path / "gpu" / "measured_h100_h200.csv", "model,params_b", "llama-3.2-1b,1.4985")
    hand = read_layer(resources.files("rice_stream.reference") / "data")
    return model_rows(tmp_path, hand, read_table(FALLBACKS, sheet_text(FALLBACKS, [BOOTSTRAP]), "bootstrap"))


def test_a_single_guess_at_a_closed_model_is_widened_both_ways(derived: ModelRows) -> None:
    row = derived.models["acme-1"]
    assert (row["params_total_b_low"], row["params_total_b"], row["params_total_b_high"]) == (50, 100, 200)
    assert (row["params_active_b_low"], row["params_active_b"], row["params_active_b_high"]) == (10, 20, 40)


def test_dated_names_become_aliases_and_latest_names_are_left_to_the_hand_kept_table(derived: ModelRows) -> None:
    assert derived.aliases["acme-1-2026-01-01"]["model_id"] == "acme-1"
    assert derived.aliases["acme-1-2026-01-01"]["rung"] == "dated"
    assert "acme-latest" not in derived.models


def test_names_of_known_open_models_become_exact_aliases_and_others_rows(derived: ModelRows) -> None:
    alias = derived.aliases["meta-llama/llama-3.1-8b-instruct"]
    assert (alias["model_id"], alias["rung"]) == ("llama-3.1-8b", "exact")
    assert derived.aliases["mistralai/mixtral-8x7b-instruct-v0.1"]["model_id"] == "mixtral-8x7b"
    assert derived.models["nova-9b"]["params_total_b"] == 9
    assert "unsized" not in derived.models, "a figure of 0.0 means that the data set has none"


def test_fallbacks_span_their_members_around_the_median() -> None:
    text = "model_id,owner,params_total_b_low,params_total_b,params_total_b_high,estimated,source\n"
    text += "gpt-90,openai,50,100,200,true,x\ngpt-91,openai,100,300,900,true,x\nother-70b,me,,70,,false,x\n"
    rows: list[Row] = read_table(MODELS, text, "models.csv")
    by_id = {row["fallback_id"]: row for row in fallback_rows(rows)}
    family = by_id["family:gpt"]
    assert [float(family[f"params_total_b{end}"]) for end in ("_low", "", "_high")] == [50, 200, 900]
    assert by_id["default"]["note"] == "from 3 models"


def test_the_derived_files_have_the_columns_of_their_tables() -> None:
    folder = resources.files("rice_stream.reference") / "data" / "derived"
    for table in (MODELS, FALLBACKS):
        header = next(csv.reader((folder / table.file_name).read_text("utf-8").splitlines()))
        assert header == [column.name for column in table.columns]


def test_prices_are_carried_with_their_newest_date(tmp_path: Path) -> None:
    """A month is its first day; binary fractions are rounded; a row without dates has none."""
    header = "provider,model,price_in_usd_per_mtok,price_cache_read,price_cache_write,price_out_usd_per_mtok"
    header += ",release_date,last_updated,open_weights,context,source\n"
    text = (
        header
        + "a,x,0.049999999999999996,,,0.1,2025-01,2025-03,True,1,m\na,y,1,0.5,,2,2025-02-03,,False,1,m\na,z,1,,,2,,,,,m\n"
    )
    (tmp_path / "hosted").mkdir()
    (tmp_path / "hosted" / "prices.csv").write_text(text, "utf-8")
    rows = price_rows(tmp_path)
    assert [row["valid_from"] for row in rows] == ["2025-03-01", "2025-02-03", ""]
    assert [row["usd_per_mtok_input"] for row in rows] == ["0.05", "1", "1"]
    assert [row["usd_per_mtok_cache_read"] for row in rows] == ["", "0.5", ""]


def test_an_areas_electricity_is_divided_by_its_cloud_regions() -> None:
    """Sweden and Norway share Europe's 68 TWh two to one; the United States have their own."""
    header = "region_id,kind,name,country,source\n"
    places = [
        "a:1,cloud_region,x,SE,s",
        "a:2,cloud_region,x,SE,s",
        "a:3,cloud_region,x,NO,s",
        "a:4,cloud_region,x,US,s",
    ]
    rows = read_table(REGIONS, header + "\n".join([*places, "country:FR,country,France,FR,s"]) + "\n", "regions.csv")
    found = {row["region_id"]: float(row["twh_per_year"]) for row in capacity_rows(rows)}
    assert found == pytest.approx({"country:SE": 45.33, "country:NO": 22.67, "country:US": 183}, abs=0.01)
