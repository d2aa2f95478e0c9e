"""`rice-stream validate`: targets are judged right, and what is missing is named. (The whole run takes minutes: see docs.)"""

import re

import pytest

from tests.support.cli_running import Shell
from tests.support.docs_reading import text_of
from training.calibrated.targets import Target, markdown


def target(**changed: float | None) -> Target:
    values: dict[str, float | None] = {"limit": 10.0, "value": 9.0, "median": 5.0, "median_limit": 6.0, **changed}
    return Target("rows", "joules", rows=7, bias=-1.0, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "met"),
    [
        ({}, True),
        ({"value": 10.1}, False),
        ({"median": 6.1}, False),
        ({"median_limit": None, "median": 60.0}, True),
        ({"least": 9.5}, False),
        ({"least": 8.5}, True),
    ],
)
def test_a_target_is_met_within_all_of_its_limits(changed: dict[str, float | None], met: bool) -> None:
    assert target(**changed).met is met
    assert ("missed" in markdown([target(**changed)])) is not met


def test_the_published_report_meets_every_target() -> None:
    """docs/validation-calibrated.md, section 1, as committed: nothing is marked as missed, and all nine lines are there."""
    table = text_of("docs/validation-calibrated.md").split("## 1.")[1].split("## 2.")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ") and "**" in line]
    assert len(lines) == 9
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        value = float(cells[3].strip("*% "))
        *least, most = (float(number) for number in re.findall(r"\d+", cells[2].partition("(")[0]))
        assert all(value >= low for low in least), line
        assert value <= most, line
        assert "missed" not in line


def test_a_folder_without_the_files_is_told(shell: Shell) -> None:
    """The first file that is not there is named, before anything is fitted or written."""
    before = text_of("docs/validation.md")
    result = shell.run("validate", str(shell.directory))
    assert result.exit_code == 2
    assert "helm_prompt_latency.csv is missing: give the folder" in result.stderr
    assert text_of("docs/validation.md") == before


def test_a_folder_that_does_not_exist_is_wrong_usage(shell: Shell) -> None:
    assert shell.run("validate", "no-such-folder").exit_code == 2
