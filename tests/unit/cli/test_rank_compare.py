"""`rank` and `compare`: the order of models, and recorded traffic on other models, places and set-ups."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from rice_stream.estimator.loading import load_calibrated, load_paper
from rice_stream.estimator.method import Method
from rice_stream.meter.described import Described
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.meter.ranking import Ranked, overlap, rank_models
from rice_stream.quantities import Range
from rice_stream.reference.loader import load_reference
from tests.support.cli_running import Shell

CALIBRATED = ("--method", "rice-calibrated")
PLACE = ("--rci-gco2e-per-kwh", "400", "--pue", "1.2")


def test_rank_agrees_with_estimate(shell: Shell) -> None:
    """Each place holds the amounts that `estimate` gives for that model alone, in rising order."""
    asked = ("--input-tokens", "1500", "--output-tokens", "200", *PLACE, *CALIBRATED)
    document = shell.json("rank", "--model", "llama-3.1-405b", "--model", "llama-3.1-8b", *asked)
    assert [row["model"] for row in document["rows"]] == ["llama-3.1-8b", "llama-3.1-405b"]
    for row in document["rows"]:
        alone = shell.json("estimate", "--model", row["model"], *asked)
        assert row["carbon_gco2e_per_prompt"] == alone["carbon_gco2e"]
        per_tokens = row["carbon_gco2e_per_1000_output_tokens"]["mid"]
        assert per_tokens == pytest.approx(alone["carbon_gco2e"]["mid"] * 5)


def test_order_is_certain_only_where_ranges_do_not_meet(shell: Shell) -> None:
    """8 B against 405 B at a known batch is certain; two models of one size are not; the region's range decides nothing."""
    asked = ("--hardware", "H100", "--batch-size", "32", "--region", "aws:us-east-1", *CALIBRATED)
    models = ("--model", "llama-3.1-8b", "--model", "qwen3-8b", "--model", "llama-3.1-405b")
    rows = {row["model"]: row["uncertain_against"] for row in shell.json("rank", *models, *asked)["rows"]}
    assert rows == {"llama-3.1-8b": ["qwen3-8b"], "qwen3-8b": ["llama-3.1-8b"], "llama-3.1-405b": []}


def ranked_of(load: Callable[[], Method]) -> list[Ranked]:
    """Every ninth model of the table."""
    reference = load_reference(None)
    names = [row["model_id"] for row in reference.search_models("", at_us=0)][::9]
    described = Described(input_tokens=1000, output_tokens=300, model="any")
    ranked = rank_models(names, described, Estimator(reference, FactorPolicy(), load()).at(0))
    assert len({one.model for one in ranked}) == len(names)
    assert [one.carbon_gco2e[1] for one in ranked] == sorted(one.carbon_gco2e[1] for one in ranked)
    for one in ranked:
        for other in ranked:
            assert (other.model in one.uncertain_against) == (one.model in other.uncertain_against)
    return ranked


def test_without_spreads_uncertainty_is_the_overlap_of_energy() -> None:
    """Over many models: A is uncertain against B exactly where their energies meet; ratios have no range."""
    ranked = ranked_of(load_paper)
    for one in ranked:
        assert one.ratio_to_first is None
        meeting = [o.model for o in ranked if o is not one and overlap(o.facility_energy_wh, one.facility_energy_wh)]
        assert list(one.uncertain_against) == meeting


def test_what_models_share_decides_nothing_between_them() -> None:
    """The range of the ratio of two models is narrower than that of two independent ones; fewer places are uncertain."""
    ranked = ranked_of(load_calibrated)
    first, *others = ranked
    assert first.ratio_to_first == Range(1.0, 1.0, 1.0)
    for one in others:
        ratio = one.ratio_to_first
        assert ratio is not None
        assert ratio.mid == pytest.approx(one.carbon_gco2e[1] / first.carbon_gco2e[1])
        assert (first.model in one.uncertain_against) == (ratio.low <= 1.0)
        apart = math.hypot(*(math.log(each.carbon_gco2e[2] / each.carbon_gco2e[1]) for each in (first, one)))
        assert math.log(ratio.high / ratio.mid) < apart
    meeting = sum(overlap(o.carbon_gco2e, one.carbon_gco2e) for one in ranked for o in ranked if o is not one)
    assert sum(len(one.uncertain_against) for one in ranked) < meeting


def test_rank_without_models_takes_the_table(shell: Shell) -> None:
    """No model of less than 1 B, none that only a benchmark names; `--limit` says how many there were."""
    document = shell.json("rank", "--limit", "5", *CALIBRATED)
    assert len(document["rows"]) == 5 < document["models_total"]
    table = shell.run("rank", "--limit", "5", *CALIBRATED)
    assert "not certain against rank" in table.stdout
    assert "of them is certain" in table.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--search", "zzzz"), "--search 'zzzz': no model of the table matches"),
        (("--search", "llama", "--model", "gpt-4o"), "not both"),
        (("--output-tokens", "-1"), "--output-tokens"),
        (("--model", "gpt-4o", "--pue", "0.5"), "--pue"),
        (("--model", "gpt-4o", "--profile", "nonsense", *CALIBRATED), "profile: 'nonsense'"),
    ],
)
def test_rank_names_what_is_wrong(shell: Shell, arguments: tuple[str, ...], message: str) -> None:
    result = shell.run("rank", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_compare_with_the_same_model_changes_nothing(ledger: Shell) -> None:
    """gpt-4o traffic on gpt-4o: both sides are equal, equal the record (same method), and the ratio is 1."""
    document = ledger.json("compare", "--only-model", "gpt-4o", "--model", "gpt-4o")
    total = document["total"]
    assert total["prompts"] == 2
    assert total["as_served"] == total["changed"] == total["recorded"]
    assert total["ratio"] == 1.0
    assert total["certain"] is False


def test_compare_region_scales_carbon_and_leaves_energy(ledger: Shell) -> None:
    """Another carbon intensity: IT energy as it was, carbon in proportion to the intensities."""
    document = ledger.json("compare", "--tenant", "acme", "--rci-gco2e-per-kwh", "100")
    total = document["total"]
    assert total["changed"]["it_energy_wh"] == total["as_served"]["it_energy_wh"]
    by_hand = total["changed"]["facility_energy_wh"] / 1000 * 100
    assert total["changed"]["carbon_gco2e"]["mid"] == pytest.approx(by_hand, rel=1e-4)


def test_what_both_sides_share_makes_their_ratio_no_less_certain(ledger: Shell) -> None:
    """The same traffic at a third of the carbon intensity: energy is uncertain on both sides alike, and only the grid is not."""
    elsewhere = ("--rci-gco2e-per-kwh", "120")
    total = ledger.json("compare", "--tenant", "acme", *elsewhere, *CALIBRATED)["total"]
    ratio = total["ratio_range"]
    assert ratio["mid"] == pytest.approx(total["ratio"])
    before, after = (total[side]["carbon_gco2e"] for side in ("as_served", "changed"))
    assert ratio["high"] / ratio["low"] < after["high"] / after["low"]
    assert before["low"] < after["high"]  # the two ranges meet, and still the one is lower for certain
    assert ratio["high"] < 1
    assert total["certain"] is True
    assert "(" in ledger.run("compare", "--tenant", "acme", *elsewhere, *CALIBRATED).stdout
    paper = ledger.json("compare", "--tenant", "acme", *elsewhere, "--method", "rice-paper")["total"]
    assert paper["ratio_range"] is None


def test_compare_equals_estimates_of_the_other_model(ledger: Shell) -> None:
    """Two recorded prompts of 1,000 + 100 tokens on llama-3.1-8b cost twice what `estimate` says for one."""
    change = ("--model", "llama-3.1-8b", *PLACE)
    document = ledger.json("compare", "--tenant", "acme", *change, *CALIBRATED)
    one = ledger.json("estimate", "--input-tokens", "1000", "--output-tokens", "100", *change, *CALIBRATED)
    for end in ("low", "mid", "high"):
        total = document["total"]["changed"]["carbon_gco2e"][end]
        assert total == pytest.approx(2 * one["carbon_gco2e"][end], abs=2e-6), end
    assert document["method"] == "rice-calibrated"


def test_compare_uses_one_method_for_both_sides_and_names_that_of_the_records(ledger: Shell) -> None:
    """What `rice-paper` recorded is estimated anew: like is compared with like, and what was recorded is given beside."""
    event = {"event_id": "p-1", "tenant_id": "own", "request_model": "gpt-4o", "input_tokens": 900, "output_tokens": 90}
    path = ledger.directory / "own.jsonl"
    path.write_text(json.dumps({**event, "ended_at": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()}))
    assert ledger.run("ingest", str(path), RICE_METHOD="rice-paper").exit_code == 0
    document = ledger.json("compare", "--tenant", "own", "--model", "gpt-4o", *CALIBRATED)
    assert [version.split("+")[0] for version in document["methods_recorded"]] == ["rice-paper-1"]
    total = document["total"]
    assert total["as_served"] == total["changed"]
    assert total["as_served"]["carbon_gco2e"]["mid"] < total["recorded"]["carbon_gco2e"]["mid"] / 2


def test_compare_by_model_adds_up(ledger: Shell) -> None:
    """The rows by recorded model sum to the total, on both sides."""
    document = ledger.json("compare", "--hardware", "H100", "--profile", "throughput", *CALIBRATED)
    assert {row["model"] for row in document["by_model"]} == {"gpt-4o", "no-such-model-of-anybody"}
    for side in ("as_served", "changed", "recorded"):
        added = sum(row[side]["carbon_gco2e"]["mid"] for row in document["by_model"])
        assert document["total"][side]["carbon_gco2e"]["mid"] == pytest.approx(added)
    assert document["total"]["changed"]["it_energy_wh"] != document["total"]["as_served"]["it_energy_wh"]


def test_compare_counts_only_its_window(ledger: Shell) -> None:
    """Records of the last minutes lie in the last hour, and not in the hour before."""
    now = datetime.now(UTC)
    hour = [(now - timedelta(hours=hours)).isoformat() for hours in (2, 1, 0)]
    ends = ("--model", "gpt-4o")
    assert ledger.json("compare", "--from", hour[1], "--to", hour[2], *ends)["total"]["prompts"] == 3
    before = ledger.run("compare", "--from", hour[0], "--to", hour[1], *ends)
    assert before.exit_code == 2
    assert "no records in this window" in before.stderr


@pytest.mark.parametrize(("option", "word"), [("--from", "to"), ("--to", "from")])
def test_a_window_may_be_open_at_one_end(ledger: Shell, option: str, word: str) -> None:
    """From a day on, or up to one: the open end is null, and all records on that side count."""
    day = "2020-01-01" if option == "--from" else "2999-01-01"
    document = ledger.json("compare", option, day, "--model", "gpt-4o")
    assert document["window"][word] is None
    assert document["total"]["prompts"] == 3
    assert f"{option.removeprefix('--')} {day}" in ledger.run("compare", option, day, "--model", "gpt-4o").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to compare with"),
        (
            ("--profile", "batch1", "--method", "rice-paper"),
            "--profile: rice-paper does not know it; add --method rice-calibrated",
        ),
        (("--model", "gpt-4o", "--window", "1h", "--from", "2026-01-01"), "--window says it all"),
        (("--model", "gpt-4o", "--from", "2026-02-01", "--to", "2026-01-01"), "--from must lie before --to"),
        (("--model", "gpt-4o", "--tenant", "nobody"), "no records in this window"),
        (("--devices", "0"), "--devices"),
        (("--profile", "nonsense", *CALIBRATED), "profile: 'nonsense'"),
    ],
)
def test_compare_names_what_is_wrong(ledger: Shell, arguments: tuple[str, ...], message: str) -> None:
    result = ledger.run("compare", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_compare_prints_a_table(ledger: Shell) -> None:
    """For people: one line a model and one for all, with what was recorded on stderr."""
    result = ledger.run("compare", "--region", "SE")
    assert "with region SE" in result.stdout
    assert result.stdout.count("\n") >= 5
    assert "In the records:" in result.stderr
    assert json.loads(ledger.run("compare", "--region", "SE", "--json").stdout)["change"] == {"region": "SE"}
