"""The loader of the fitted rows of hosted models."""

import math

import pytest

from rice_stream.errors import ReferenceDataError
from rice_stream.estimator.artefact_files import read_artefact
from rice_stream.estimator.hosted.artefact import CAUSES, COLUMNS, COST, HOSTED_FILE, HostedArtefact, parse_hosted

SHIPPED = read_artefact(HOSTED_FILE)


@pytest.fixture(scope="module")
def artefact() -> HostedArtefact:
    return parse_hosted(SHIPPED, HOSTED_FILE)


def changed(column: str, value: str) -> bytes:
    """The shipped file, its first row with a price put first and given another cell."""
    header, *rest = SHIPPED.decode().splitlines()
    rest.sort(key=lambda line: ",,," in line)
    cells = rest.pop(0).split(",")
    cells[COLUMNS.index(column)] = value
    return "\n".join((header, ",".join(cells), *rest)).encode()


def test_a_model_is_found_by_its_id_and_the_kind_of_host(artefact: HostedArtefact) -> None:
    row = artefact.find("GPT-4o", "hosted_scale")
    assert row is not None
    assert row.family == "gpt-4o"
    assert len(row.cost) == len(COST)
    assert artefact.find("gpt-4o", "hosted_small") is None
    assert artefact.find("no-such-model", "hosted_scale") is None
    assert artefact.find(None, "hosted_scale") is None


def test_every_row_has_evidence_and_a_date_and_causes_that_add_up(artefact: HostedArtefact) -> None:
    for row in artefact.rows:
        assert all(row.evidence)
        assert len(row.evidence) >= 2
        assert row.date >= "2022"
        assert set(row.causes) == set(CAUSES)
        assert math.hypot(*row.causes.values()) == pytest.approx(row.log_sd, rel=0.01)


def test_every_model_id_of_a_row_leads_to_it(artefact: HostedArtefact) -> None:
    for row in artefact.rows:
        assert all(artefact.find(model_id, row.profile) is row for model_id in row.model_ids)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("family", ""),
        ("profile", "hosted_somewhere"),
        ("total_b", "nan"),
        ("total_b", "0"),
        ("active_b", "1e9"),
        ("batch", "many"),
        ("per_token_j", "-1"),
        ("per_stream_j", "inf"),
        ("host_share", ""),
        ("cause_law", "3"),
        ("price_usd_per_mtok_output", "0"),
        ("price_usd_per_mtok_input", "free"),
        ("price_weight", "x"),
        ("evidence", ""),
        ("date", " 2026"),
    ],
)
def test_a_damaged_cell_is_an_error_that_names_row_and_column(column: str, value: str) -> None:
    named = "log_sd" if column.startswith("cause_") else column
    with pytest.raises(ReferenceDataError, match=rf"{HOSTED_FILE}, row 2, column {named}"):
        parse_hosted(changed(column, value), HOSTED_FILE)


def test_a_model_with_two_rows_of_one_profile_is_an_error() -> None:
    lines = SHIPPED.decode().splitlines()
    with pytest.raises(ReferenceDataError, match="row 3, column model_ids"):
        parse_hosted("\n".join((lines[0], lines[1], lines[1])).encode(), HOSTED_FILE)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "row 1: columns must be"),
        (b"family,profile\n", "row 1: columns must be"),
        (b"\xff\xfe", "not UTF-8"),
        (",".join(COLUMNS).encode() + b"\nonly,three,cells\n", "row 2: 3 cells"),
        (",".join(COLUMNS).encode() + b'\n"open\n', "row 2"),
    ],
)
def test_a_damaged_file_is_an_error_that_says_where(content: bytes, said: str) -> None:
    with pytest.raises(ReferenceDataError, match=said):
        parse_hosted(content, HOSTED_FILE)
