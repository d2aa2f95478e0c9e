"""Carbon files as clouds give them out, made from their public descriptions: what each states of a month, by hand."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.errors import UsageError
from rice_stream.reports.carbon_exports.reading import ALL_SERVICES, CARBON_READERS, FileCarbon, read_carbon

MONTH = "2026-10"


def aws(location: Any = 0.5, market: Any = 0.125, **changes: Any) -> dict[str, Any]:
    """A row of AWS: 0.5 tonnes by location, 0.125 by the market."""
    return {
        "last_refresh_timestamp": "2026-11-15 00:00:00Z",
        "location": "US East (N. Virginia)",
        "model_version": "v2.0.0",
        "payer_account_id": "111122223333",
        "product_code": "AmazonBedrock",
        "region_code": "us-east-1",
        "total_lbm_emissions_unit": "MTCO2e",
        "total_lbm_emissions_value": location,
        "total_mbm_emissions_unit": "MTCO2e",
        "total_mbm_emissions_value": market,
        "usage_account_id": "111122223333",
        "usage_period_start": "2026-10-01 00:00:00Z",
        "usage_period_end": "2026-11-01 00:00:00Z",
        **changes,
    }


def google(location: Any = 500.0, market: Any = 125.0, **changes: Any) -> dict[str, Any]:
    """A row of Google Cloud: kilograms."""
    return {
        "usage_month": "2026-10-01",
        "billing_account_id": "007GD7-15C0E6-BDE6B3",
        "project": {"id": "my-project", "number": "802583874831"},
        "service": {"id": "C7E2-9256-1C43", "description": "Vertex AI"},
        "location": {"location": "us-central1", "region": "us-central1"},
        "carbon_model_version": 12,
        "carbon_footprint_kgCO2e": {"scope1": 1.0, "scope2": {"location_based": 400, "market_based": 25}, "scope3": 99},
        "carbon_footprint_total_kgCO2e": {"location_based": location, "market_based": market},
        **changes,
    }


def azure(kilograms: Any = 500.0, **changes: Any) -> dict[str, Any]:
    """A row of a report by resource."""
    return {
        "dataType": "ResourceItemDetailsData",
        "latestMonthEmissions": kilograms,
        "previousMonthEmissions": 450.0,
        "itemName": "my-openai",
        "categoryType": "Resource",
        "subscriptionId": "00000000-0000-0000-0000-000000000000",
        "resourceGroup": "rg",
        "resourceId": "/subscriptions/.../my-openai",
        "location": "sweden central",
        "resourceType": "Microsoft.CognitiveServices/accounts",
        **changes,
    }


def as_csv(*rows: dict[str, Any]) -> str:
    """The same as a table."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def flattened(row: dict[str, Any], sign: str) -> dict[str, Any]:
    """Nested fields by their path."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= {f"{name}{sign}{inner}": each for inner, each in flattened(value, sign).items()}
        else:
            found[name] = value
    return found


FILES = {
    ("bedrock", "csv"): as_csv(aws(), aws()),
    ("bedrock", "json"): json.dumps([aws(), aws()]),
    ("vertex", "json lines"): "\n".join(map(json.dumps, (google(), google()))),
    ("vertex", "csv with dots"): as_csv(*(flattened(google(), ".") for _ in range(2))),
    ("vertex", "csv with underscores"): as_csv(*(flattened(google(), "_") for _ in range(2))),
    ("azure", "answer"): json.dumps({"value": [azure(), azure()]}),
    ("azure", "csv"): as_csv(azure(), azure()),
}


@pytest.mark.parametrize(("provider", "form"), FILES)
def test_each_file_states_a_tonne_by_location(provider: str, form: str) -> None:
    """0.5 t and 0.5 t, exactly; whether the hardware's carbon is in it is the file's to say, and Azure's does not."""
    read = read_carbon(FILES[provider, form], provider, MONTH)
    embodied = {"bedrock": False, "vertex": True, "azure": None}[provider]
    assert read == FileCarbon(MONTH, 10**12, embodied, 2, 0, [])


@pytest.mark.parametrize("provider", ["bedrock", "vertex"])
def test_the_market_is_read_from_its_own_column(provider: str) -> None:
    read = read_carbon(FILES[provider, "json" if provider == "bedrock" else "json lines"], provider, MONTH, market=True)
    assert read.ugco2e == 250 * 10**9


def test_other_months_services_and_older_versions_are_left_out_and_told() -> None:
    """Of a month that was worked out again only what the latest model says, by its numbers: v10 is later than v9."""
    rows = [
        aws(model_version="v9.1.0"),
        aws(0.25, model_version="v10.0.0"),
        aws(7, usage_period_start="2026-09-01 00:00:00Z"),
        aws(9, product_code="AmazonEC2", model_version="v11"),
        {"product_code": "AmazonBedrock"},
    ]
    read = read_carbon(json.dumps(rows), "bedrock", MONTH)
    assert (read.ugco2e, read.rows, read.skipped, read.embodied) == (250 * 10**9, 1, 4, True)
    assert read.skipped_why == [
        "neither total_lbm_emissions_value nor total_mbm_emissions_value is in it",
        "of other services: AmazonEC2",
        "of other months: 2026-09",
        "of an older version of the cloud's model",
    ]
    assert read_carbon(json.dumps(rows), "bedrock", MONTH, services=["amazonec2"]).ugco2e == 9 * 10**12


def test_reports_by_month_and_by_resource_type() -> None:
    """A month's total names no service and is taken where that is asked for; a sum of several months never is."""
    monthly = {"dataType": "MonthlySummaryData", "date": "2026-10-01", "latestMonthEmissions": 3, "carbonIntensity": 1}
    overall = {"dataType": "OverallSummaryData", "latestMonthEmissions": 99}
    by_type = {
        "dataType": "ItemDetailsData",
        "categoryType": "ResourceType",
        "itemName": "microsoft.cognitiveservices/accounts",
        "latestMonthEmissions": 2,
    }
    text = json.dumps({"value": [monthly, {**monthly, "date": "2026-09-01"}, overall, by_type]})
    assert read_carbon(text, "azure", MONTH).ugco2e == 2 * 10**9
    assert read_carbon(text, "azure", MONTH, services=[ALL_SERVICES]).ugco2e == 3 * 10**9


@pytest.mark.parametrize(
    ("provider", "text", "said"),
    [
        ("openai", json.dumps([aws()]), "openai gives out no carbon"),
        ("bedrock", "", "nothing in the file states carbon of bedrock: it has no rows"),
        ("bedrock", "a,b\n1,2\n", "states carbon of bedrock: neither total_lbm"),
        ("bedrock", as_csv(aws(total_lbm_emissions_unit="kgCO2e")), "row 1: total_lbm_emissions_unit: 'kgCO2e'"),
        ("bedrock", as_csv(aws("x")), "row 1: total_lbm_emissions_value: 'x' is no number"),
        ("bedrock", as_csv(aws("1e999999999")), "no carbon of a month from 0 to 1,000"),
        ("bedrock", as_csv(aws(-1)), "no carbon of a month"),
        ("bedrock", as_csv(aws("NaN")), "no carbon of a month"),
        ("bedrock", as_csv(aws(usage_period_start="x")), "row 1: usage_period_start: 'x'"),
        ("bedrock", as_csv(aws(usage_period_start="2026-09-01")), "the file has nothing of 2026-10, but of 2026-09"),
        ("bedrock", as_csv(aws(product_code="Other")), "nothing of AmazonBedrock, Amazon Bedrock, but of Other: say"),
        ("bedrock", as_csv(aws("")), "rows without a figure by location"),
        ("vertex", "[3]", "row 1: this is no carbon of vertex as it is known here"),
        ("azure", '{"value": [3]}', "row 1: this is no carbon of azure as it is known here"),
    ],
)
def test_what_cannot_be_compared_is_said(provider: str, text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_carbon(text, provider, MONTH)
    assert said in str(refused.value)


@given(
    st.sampled_from(sorted(CARBON_READERS)),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*flattened(google(), "."), *google(), *aws(), *azure(), "value"]), inner, max_size=6
            )
        ),
        max_leaves=12,
    ),
)
def test_whatever_is_in_a_file_is_read_or_refused(provider: str, document: Any) -> None:
    """Nothing but a file's own error comes of it."""
    try:
        read = read_carbon(json.dumps(document), provider, MONTH)
    except UsageError:
        return
    assert read.ugco2e >= 0
