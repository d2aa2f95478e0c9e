"""The numbers that README.md shows are those of the code and of the validation reports."""

import json
import re

import pytest

from rice_stream.estimator.registry import load_method
from rice_stream.runtime.settings.settings import Settings
from tests.support.cli_running import Shell
from tests.support.docs_reading import blocks, section, text_of

README = "README.md"
_DIGEST = re.compile(r"(rice-paper-1\+|factors-)[0-9a-f]+")


def test_the_worked_example_is_what_the_command_prints(shell: Shell) -> None:
    """Line by line; only the digests of fit and tables may be another's."""
    [block] = [text for text in blocks(text_of(README), "") if "rice-stream estimate" in text]
    typed, _, shown = block.partition("\n")
    result = shell.run(*typed.removeprefix("$ rice-stream ").split())
    assert result.exit_code == 0
    printed = [_DIGEST.sub(r"\1", line.rstrip()) for line in result.stdout.splitlines()]
    assert [_DIGEST.sub(r"\1", line) for line in shown.splitlines()] == printed


def test_the_formula_gives_the_number_beside_it(shell: Shell) -> None:
    """0.4016 Wh x 1.1 / 1000 x 400 = 0.1767 g: the same in the text, in the block and by arithmetic."""
    pattern = r"([\d.]+) Wh x ([\d.]+) / 1000 x ([\d.]+) gCO2e/kWh = ([\d.]+) gCO2e"
    match = re.search(pattern, " ".join(text_of(README).split()))
    assert match is not None
    it_energy_wh, pue, rci, carbon = map(float, match.groups())
    assert it_energy_wh * pue / 1000 * rci == pytest.approx(carbon, rel=5e-4)
    assert f"{carbon:.4f} gCO2e (" in text_of(README)


def test_the_figures_on_accuracy_are_those_of_the_reports() -> None:
    """Each percentage in the README stands in a report: whoever regenerates a report is led here."""
    shown = re.findall(r"\d+\.\d %", section(text_of(README), "## How accurate"))
    assert len(shown) >= 4
    reports = text_of("docs/validation.md") + text_of("docs/validation-calibrated.md")
    for figure in shown:
        assert figure in reports, figure


def test_the_demos_last_line_is_whole_and_adds_up() -> None:
    """What is shown as the demo's answer has the fields of the interface, and every event is accounted for."""
    line = re.search(r'^\{"events".*\}$', section(text_of(README), "## Try it"), flags=re.MULTILINE)
    assert line is not None
    answer = json.loads(line[0])
    names = ("events", "records", "duplicates", "quarantined", "alerts", "tenants", "carbon_gco2e", "verify")
    assert set(names) <= set(answer)
    assert answer["events"] == answer["records"] + answer["duplicates"] + answer["quarantined"]
    assert answer["verify"] == "ok"


def test_the_default_method_in_the_changelog_is_the_settings() -> None:
    """A change of the default method changes every number: it has to be announced."""
    default = Settings.model_fields["method"].get_default()
    assert load_method(default).name == default
    assert f"The default method is `{default}`" in section(text_of("CHANGELOG.md"), "### Estimates")
