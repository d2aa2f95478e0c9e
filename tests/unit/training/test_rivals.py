"""Other tools' formulas, by hand; and the comparison in docs/validation.md is what they give."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from training.calibrated.compare import ECOLOGITS
from training.rivals import codecarbon, eco2ai, ecologits, hosted_day, llmcarbon, mlco2
from training.rivals.findings import TOOLS, TRACKERS, compared, gpt_4o_wh, meters, published_day, rivals
from training.rivals.meters import LLM_PERF_HOST, gpu_watts, host_watts, published_watts
from training.rivals.rows import data_sets, tokens_of
from training.scores import bias, mape

TRACKER_FILES = Path(__file__).parents[2] / "support" / "data" / "trackers"
SETS = data_sets()


def test_mlco2_by_hand() -> None:
    """400 W for 2.5 hours are 1 kWh, at 384 g/kWh 384 g."""
    assert mlco2.energy_kwh(400.0, 2.5) == pytest.approx(1.0)
    assert mlco2.carbon_g(400.0, 2.5, 384.0) == pytest.approx(384.0)


def test_llmcarbon_by_hand() -> None:
    """8 B on H100, one token: 1.6e10 operations / 989e12 per second x 700 W = 0.011325 J; by its code over 0.45448: 0.024918 J."""
    assert llmcarbon.operations(8.0, 1.0) == 1.6e10
    assert llmcarbon.paper_j(1.6e10, 700.0, 989.0) == pytest.approx(0.011325, rel=1e-4)
    # (-5.64531 + 13.48729 + 133.95474) / 312, and several nodes at 70 B: (-0.27452 + 5.91805 + 134.54613) / 312
    assert llmcarbon.efficiency(8.0) == pytest.approx(0.454477, rel=1e-5)
    assert llmcarbon.efficiency(70.0) == pytest.approx(0.449326, rel=1e-5)
    assert llmcarbon.code_j(1.6e10, 8.0, 700.0, 989.0) == pytest.approx(0.011325 / 0.454477, rel=1e-4)


def test_llmcarbon_repeats_its_papers_training_of_gpt_3() -> None:
    """The same formulas, forward and back (6PD): 175 B x 300 B tokens on 10,000 V100 at 0.197 of 125 TFLOP/s take 14.8 days."""
    days = 3 * llmcarbon.operations(175.0, 300e9) / (10_000 * 125e12 * 0.197) / 86_400
    assert days == pytest.approx(14.8, abs=0.05)
    assert days * 24 * 10_000 * 330e-6 * 1.1 == pytest.approx(1287, rel=0.01)


def test_ecologits_by_hand() -> None:
    """DeepSeek-V3, 671 B of which 37: 1,610 GB are 21 GPUs, so 32; 6.1598e-5 Wh each and 0.064542 s per token: 7.096 + 4.841 J."""
    assert [ecologits.gpus(b) for b in (8.0, 70.0, 671.0)] == [1, 4, 32]
    alpha, beta, gamma = ECOLOGITS
    assert ecologits.gpu_wh_per_token(37.0) == pytest.approx(alpha * math.exp(64 * beta) * 37 + gamma)
    assert ecologits.gpu_wh_per_token(37.0) == pytest.approx(6.1598e-5, rel=1e-4)
    assert ecologits.token_s(37.0) == pytest.approx(0.0645421, rel=1e-5)
    assert ecologits.it_j_per_token(671.0, 37.0) == pytest.approx(7.0961 + 4.8407, rel=1e-4)


def test_ecologits_is_what_the_package_itself_answers() -> None:
    """compute_llm_impacts of EcoLogits 0.11.3 for 1,000 output tokens, PUE 1, in kWh; its wrapper for gpt-4o, 300 tokens, in Wh."""
    answers = {
        (671.0, 37.0): 3.3157507476536925e-3,
        (8.0, 8.0): 7.429382046090728e-5,
        (70.0, 70.0): 5.479408273612537e-4,
    }
    for params_b, kwh in answers.items():
        assert ecologits.it_j_per_token(*params_b) * 1000 / 3.6e6 == pytest.approx(kwh, rel=1e-12)
    assert gpt_4o_wh(300) == pytest.approx([0.43606159246743987, 0.7246861035472108], rel=1e-9)


@pytest.mark.parametrize(
    ("machine_gb", "modules", "watts"),
    [
        (1, 1, 10.0),
        (8, 2, 10.0),
        (32, 4, 20.0),
        (96, 8, 38.0),
        (503, 16, 70.0),
        (512, 8, 38.0),
        (2048, 16, 70.0),
        (4096, 32, 126.0),
    ],
)
def test_codecarbons_memory_by_hand(machine_gb: float, modules: int, watts: float) -> None:
    """Four modules at 5 W, four at 4.5, eight at 4, the rest at 3.5; never under 10 W."""
    assert codecarbon.modules(machine_gb) == modules
    assert codecarbon.ram_w(machine_gb) == pytest.approx(watts)


def test_codecarbons_processor_and_older_memory_by_hand() -> None:
    """Half of 225 W; at half load 225 x (0.1 + 0.9 / 8); 512 GB at 3 W per 8."""
    assert codecarbon.cpu_constant_w(225.0) == 112.5
    assert codecarbon.cpu_load_w(225.0, 0.5) == pytest.approx(47.8125)
    assert codecarbon.ram_before_3_w(512.0) == 192.0


def test_eco2ai_by_hand() -> None:
    """Two sockets of 350 W, of which the process uses a fiftieth: 14 W; 32 GB it holds: 12 W."""
    assert eco2ai.cpu_w(350.0, 0.02, 2) == pytest.approx(14.0)
    assert eco2ai.ram_w(32.0) == 12.0


def test_codecarbons_formulas_give_what_codecarbon_wrote() -> None:
    """The file that CodeCarbon 3.3.2 wrote here (23.5 GB; two threads at its 4 W each, next to no load), and LLM-Perf's columns by
    version 2: 225 W and 503 GB explain processor and memory of all 100 runs within 2 % of the median."""
    with (TRACKER_FILES / "emissions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        assert codecarbon.ram_w(float(row["ram_total_size"])) == float(row["ram_power"])
        load = float(row["cpu_utilization_percent"]) / 100
        assert codecarbon.cpu_load_w(4.0 * float(row["cpu_count"]), load) == pytest.approx(
            float(row["cpu_power"]), rel=0.01
        )
    before_3 = host_watts(LLM_PERF_HOST)[0]
    _, cpu_w, ram_w = published_watts()
    assert np.median(cpu_w) == pytest.approx(before_3.cpu_w, rel=0.02)
    assert np.median(ram_w) == pytest.approx(before_3.ram_w, rel=0.02)


def test_the_published_day_by_hand() -> None:
    """226.75 nodes x 6.2 kW x 24 h = 33.74 MWh; 434 B computed tokens x 74e9 / 989e12 x 700 W = 6.31 MWh;
    226.75 x 8 GPUs x 24 h x 700 W = 30.48."""
    assert hosted_day.measured_mwh() == pytest.approx((27.21, 33.7404, 55.5084))
    found = {one.tool: one.mwh for one in hosted_day.answers()}
    assert found["LLMCarbon, the paper's equations"] == pytest.approx(6.314, abs=1e-3)
    assert found["MLCO2 Impact"] == pytest.approx(30.4752)
    assert found["EcoLogits 0.11.3"] == pytest.approx(11.9368 * 168e9 / 3.6e9, rel=1e-4)
    assert found["CodeCarbon, Eco2AI"] is None
    assert "cannot say" in published_day()["day"]


def test_the_rows_are_those_of_the_other_reports() -> None:
    """The same counts as in docs/validation-calibrated.md; a run's draw is joules per token times tokens per second."""
    assert [len(data.rows) for data in SETS] == [194, 222, 82, 64, 100, 100]
    one = SETS[0].rows[0]
    watts = gpu_watts(SETS[0], float(one.context.devices or 0))[0]
    assert watts == pytest.approx(float(one.joules or 0) * float(one.context.batch_size or 0) / float(one.seconds or 1))
    assert all(
        0.1 < watts / (700 * devices) < 1.0 for devices in (1.0, 2.0, 4.0, 8.0) for watts in gpu_watts(SETS[0], devices)
    )


def test_tokens_of_a_row_by_its_unit() -> None:
    """Per output token: the prompt's share comes on top; a step is one token; a prefill its prompt; a run both."""
    served, step, prompt, run = (SETS[at].rows[0] for at in (0, 2, 3, 5))
    assert tokens_of(served) == pytest.approx(1 + served.input_tokens / served.output_tokens)
    assert (tokens_of(step), tokens_of(prompt), tokens_of(run)) == (1.0, prompt.input_tokens, 512.0)
    assert (tokens_of(served, prompts=False), tokens_of(prompt, prompts=False)) == (1.0, 0.0)


def test_the_comparison_says_what_was_found_once_by_hand() -> None:
    """EcoLogits' law 54 % on ML.ENERGY's H100, MLCO2 3 % at the median of prefills, LLMCarbon a hundredth at batch 1."""
    table = {line.split(" | ")[0].strip("| "): line.split(" | ") for line in rivals(SETS)["rivals"].splitlines()}
    assert set(table) >= {*TOOLS, *TRACKERS}
    assert all(len(cells) == len(SETS) + 2 for cells in table.values())
    assert table["EcoLogits' law"][2].strip() == "54 % (+4)"
    assert table["EcoLogits' law"][5].strip() == "says nothing"
    assert {one.tool: one.errors[3] for one in compared(SETS)}["EcoLogits' law"] is None
    prefills = SETS[3]
    assert np.median(np.abs(mlco2.joules(prefills.rows) / prefills.joules - 1)) < 0.035
    eager = SETS[4]
    assert bias(eager.joules, llmcarbon.joules(eager.rows)) < -0.98
    assert mape(eager.joules, llmcarbon.joules(eager.rows)) > 0.98


def test_the_meters_totals_part_by_a_factor_over_the_same_gpu() -> None:
    """The reason why totals of trackers are not compared: the older CodeCarbon says more than twice what Eco2AI says."""
    lines = meters(SETS)["meters"].splitlines()
    of = {line.split(" | ")[0].strip("| "): float(line.split(" | ")[3]) for line in lines[2:]}
    assert of["CodeCarbon 2, by its formulas"] == pytest.approx(of["CodeCarbon 2, as published"], rel=0.05)
    assert of["CodeCarbon 2, as published"] / of["Eco2AI 0.3.12, by its formulas"] > 2
