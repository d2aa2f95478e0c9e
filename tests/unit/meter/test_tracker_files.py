"""`rice-stream calibrate` reads what CodeCarbon and Eco2AI write, and names what they do not know."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rice_stream.errors import UsageError
from rice_stream.estimator.site import SiteCorrection, parse_site
from rice_stream.meter.tracker_files import CODECARBON, ECO2AI, measured_cells, tracker_of
from tests.support.cli_running import Shell

FILES = Path(__file__).parents[2] / "support" / "data" / "trackers"
EMISSIONS, EMISSION, SERVED = (FILES / name for name in ("emissions.csv", "emission.csv", "served.csv"))
ADDED = {"model": "llama-3.1-8b", "requests": "80", "input_tokens": "512", "output_tokens": "256", "batch_size": "16"}
ALL = tuple(part for name, value in ADDED.items() for part in ("--set", f"{name}={value}"))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def written(shell: Shell, path: Path, changed: Mapping[str, str], line: int = 0) -> Path:
    """One row of a tracker's file with some cells changed or added."""
    row = {**rows(path)[line], **changed}
    out = shell.directory / path.name
    with out.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(row))
        writer.writeheader()
        writer.writerow(row)
    return out


def calibrated(shell: Shell, path: Path, *options: str) -> Any:
    return shell.json("calibrate", str(path), "--out", str(shell.directory / "site.json"), *options)


def refused(shell: Shell, path: Path, *options: str) -> str:
    result = shell.run("calibrate", str(path), "--out", str(shell.directory / "site.json"), *options)
    assert result.exit_code == 2, result.stdout
    return " ".join(result.stderr.split())


def test_a_trackers_file_is_told_by_its_columns() -> None:
    """Files as the real packages wrote them; a table of one's own is neither."""
    assert tracker_of(list(rows(EMISSIONS)[0])) is CODECARBON
    assert tracker_of(list(rows(EMISSION)[0])) is ECO2AI
    assert tracker_of(["model", "duration", "gpu_energy_kwh"]) is None


def test_files_of_older_releases_are_told_too(shell: Shell) -> None:
    """Eco2AI's first releases wrote kWTh; pandas writes nan where nothing is."""
    row = rows(EMISSION)[0]
    old = {name.replace("kWh", "kWTh"): cell for name, cell in row.items()}
    assert tracker_of(list(old)) is ECO2AI
    assert measured_cells(ECO2AI, old, "row 2", every=ADDED) == measured_cells(ECO2AI, row, "row 2", every=ADDED)
    assert "CodeCarbon names no accelerator" in refused(shell, written(shell, EMISSIONS, {"gpu_model": "nan"}), *ALL)


def test_codecarbon_is_read_at_its_gpus(shell: Shell) -> None:
    """By hand, row 2: 0.000458559811292 kWh x 3.6e6 / 80 requests = 20.6352 J, of 1 H100."""
    cells = measured_cells(CODECARBON, rows(EMISSIONS)[0], "row 2", every=ADDED)
    assert float(cells["gpu_energy_kwh"]) * 3.6e6 / 80 == pytest.approx(20.6352, abs=1e-4)
    assert (cells["hardware"], cells["devices"]) == ("NVIDIA H100 80GB HBM3", "1")
    (found,) = calibrated(shell, written(shell, EMISSIONS, {}), *ALL)["hardware"]
    by_hand = shell.directory / "own.csv"
    by_hand.write_text(f"{','.join(ADDED)},hardware,gpu_j_per_request\n{','.join(ADDED.values())},H100,20.635192\n")
    (own,) = calibrated(shell, by_hand)["hardware"]
    assert found["factor"] == pytest.approx(own["factor"], rel=1e-5)
    assert (found["hardware"], found["boundary"]) == ("H100", "gpu")


def test_eco2ai_is_read_at_the_machine(shell: Shell) -> None:
    """It writes one sum of GPU, CPU and memory: compared with the estimate's IT energy, and said so in answer and site file."""
    (found,) = calibrated(shell, written(shell, EMISSION, {}), *ALL)["hardware"]
    asked = [
        part for name, value in ADDED.items() if name != "requests" for part in (f"--{name.replace('_', '-')}", value)
    ]
    estimate = shell.json(
        "estimate", *asked, "--hardware", "H100", "--profile", "batch1", "--method", "rice-calibrated"
    )
    measured_j = 0.0004784611095624 * 3.6e6 / 80
    assert found["boundary"] == "machine"
    assert found["factor"] == pytest.approx((measured_j / (estimate["it_energy_wh"] * 3600)) ** 0.5, rel=1e-3)
    assert '"emission.csv (Eco2AI, machine)"' in (shell.directory / "site.json").read_text()


@pytest.mark.parametrize("path", [EMISSIONS, EMISSION], ids=["CodeCarbon", "Eco2AI"])
def test_runs_are_described_by_the_name_that_the_tracker_gave_them(shell: Shell, path: Path) -> None:
    """`--runs`: project, experiment or id; two runs, two models, one hardware."""
    (found,) = calibrated(shell, path, "--runs", str(SERVED))["hardware"]
    assert (found["hardware"], found["rows"], found["models"]) == ("H100", 2, 2)
    assert found["error_left_out"] is not None


def test_what_is_said_closest_to_the_row_holds() -> None:
    """Its own cells before its run's, those before what holds for all, that before what the tracker saw."""
    row = {**rows(EMISSIONS)[0], "batch_size": "4"}
    cells = measured_cells(CODECARBON, row, "row 2", {"batch_size": "8", "requests": "7"}, {**ADDED, "devices": "2"})
    assert (cells["batch_size"], cells["requests"], cells["devices"]) == ("4", "7", "2")


def test_a_mean_latency_stands_in_for_the_batch() -> None:
    """Little's law by hand: 80 requests x 0.6 s in 4.0108 s are 11.97 at a time; a stated batch holds; never under one."""
    given = {**ADDED, "latency_s": "0.6"}
    del given["batch_size"]
    row = rows(EMISSIONS)[0]
    found = measured_cells(CODECARBON, row, "row 2", every=given)
    assert float(found["batch_size"]) == pytest.approx(80 * 0.6 / 4.0108404330021585)
    assert measured_cells(CODECARBON, row, "row 2", every={**given, "batch_size": "16"})["batch_size"] == "16"
    assert measured_cells(CODECARBON, row, "row 2", every={**given, "latency_s": "0.001"})["batch_size"] == "1.0"
    with pytest.raises(UsageError, match="each must be above 0"):
        measured_cells(CODECARBON, row, "row 2", every={**given, "latency_s": "0"})


def test_codecarbons_pue_is_taken_out_again(shell: Shell) -> None:
    """CodeCarbon multiplies every energy with the PUE that it was told; a site's PUE is applied once, by the estimate."""
    plain = calibrated(shell, written(shell, EMISSIONS, {}), *ALL)["hardware"][0]["factor"]
    energy = str(float(rows(EMISSIONS)[0]["gpu_energy"]) * 1.3)
    with_pue = calibrated(shell, written(shell, EMISSIONS, {"gpu_energy": energy, "pue": "1.3"}), *ALL)
    assert with_pue["hardware"][0]["factor"] == pytest.approx(plain, rel=1e-9)


def test_an_old_codecarbon_file_without_gpu_energy_is_of_the_machine(shell: Shell) -> None:
    """Then its one energy is compared with the machine's."""
    row = rows(EMISSIONS)[0]
    del row["gpu_energy"]
    path = shell.directory / "emissions.csv"
    path.write_text("\n".join(",".join(cells) for cells in (row, row.values())))
    assert calibrated(shell, path, *ALL)["hardware"][0]["boundary"] == "machine"


@pytest.mark.parametrize(
    ("path", "changed", "options", "message"),
    [
        (EMISSIONS, {}, (), "row 2: CodeCarbon does not know model, requests, input_tokens, output_tokens, batch_size"),
        (EMISSION, {}, (*ALL[:2], "--set", "requests=3"), "emission.csv, row 2: Eco2AI does not know input_tokens, output_tokens"),
        (EMISSIONS, {}, (), "add the column model to the file, or say it for all rows with --set model=VALUE"),
        (EMISSIONS, {"gpu_energy": "0.0", "gpu_model": ""}, ALL, "row 2, column gpu_energy: is 0.0: CodeCarbon saw no accelerator"),
        (EMISSION, {"GPU_name": " 0 device(s)"}, ALL, "row 2, column GPU_name: is ' 0 device(s)': Eco2AI saw no accelerator"),
        (EMISSIONS, {"gpu_model": "1 x NVIDIA A1002 x NVIDIA L4"}, ALL, "column gpu_model: '1 x NVIDIA A1002 x"),
        (EMISSIONS, {"gpu_model": ""}, ALL, "row 2: CodeCarbon names no accelerator; add the column hardware"),
        (EMISSIONS, {"gpu_model": "1 x Voodoo 2"}, ALL, "row 2, column hardware: 'Voodoo 2' is not known"),
        (EMISSIONS, {"gpu_energy": "many"}, ALL, "row 2, column gpu_energy: 'many' is not a number"),
        (EMISSIONS, {"duration": "1.5"}, ALL, "row 2: the GPUs drew 1101 W, and 1 of them may draw 700 W: check devices"),
        (EMISSION, {"power_consumption(kWh)": "-1"}, ALL, "row 2, column energy_kwh: '-1' is not a number above 0"),
        (EMISSIONS, {}, (*ALL, "--set", "batch_size=0"), "row 2, column batch_size: '0'"),
        (EMISSIONS, {}, ("--set", "colour=red"), "--set colour=red: is not COLUMN=VALUE, with COLUMN one of model"),
        (EMISSIONS, {}, ("--set", "model"), "--set model: is not COLUMN=VALUE"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_what_to_do(
    shell: Shell, path: Path, changed: dict[str, str], options: tuple[str, ...], message: str
) -> None:
    assert message in refused(shell, written(shell, path, changed), *options)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("model\nx\n", "runs.csv: the column run is missing"),
        ("run,colour\nx,red\n", "runs.csv, column colour: is not one of run, model"),
        ("run,model\n,x\n", "runs.csv, row 2, column run: is empty"),
        ("run,model\na,x\na,y\n", "runs.csv, row 3, column run: is there twice: 'a'"),
        ("run,model\na,x\n", "row 2: no line of"),
        (SERVED.read_text(), "column run: 'qwen3-32b' is no run in"),
    ],
)
def test_a_table_of_runs_that_does_not_fit_is_refused(shell: Shell, table: str, message: str) -> None:
    runs = shell.directory / "runs.csv"
    runs.write_text(table)
    assert message in refused(shell, written(shell, EMISSIONS, {}), "--runs", str(runs))


def test_runs_beside_a_table_of_ones_own_are_refused(shell: Shell) -> None:
    path = shell.directory / "own.csv"
    path.write_text("model,gpu_j_per_request\n")
    assert "was written neither by CodeCarbon nor by Eco2AI" in refused(shell, path, "--runs", str(SERVED))


def test_models_that_agree_narrow_what_the_method_may_err(shell: Shell) -> None:
    """By hand: prior 4 models at 0.3, own 4 models at 0.1: sqrt((4 x 0.09 + 4 x 0.01) / 8) = 0.2236; one model narrows nothing."""
    four = SiteCorrection(1.1, 0.0, 0.0, 8, 4, 0.1)
    assert four.law_log_sd(0.3) == pytest.approx(0.2236, abs=1e-4)
    assert SiteCorrection(1.1, 0.0, 0.0, 8, 4, 0.6).law_log_sd(0.3) > 0.3
    assert SiteCorrection(1.1, 0.0, 0.0, 8, 1).law_log_sd(0.3) == 0.3
    calibrated(shell, EMISSIONS, "--runs", str(SERVED))
    site = parse_site((shell.directory / "site.json").read_bytes(), "site.json")
    scatter = site.hardware["H100"].scatter
    assert scatter is not None
    assert scatter > 0
    damaged = (shell.directory / "site.json").read_bytes().replace(b'"scatter": ', b'"scatter": -')
    with pytest.raises(UsageError, match="scatter must be 0 or more"):
        parse_site(damaged, "site.json")


@pytest.mark.parametrize(("spread", "narrower"), [(0.0, True), (1.2, False)])
def test_a_range_gets_narrower_where_ones_own_models_agree(shell: Shell, spread: float, narrower: bool) -> None:
    """Four models at half again the estimate narrow the range of a fifth on that hardware; four that are all over it widen it."""
    served = (
        "--input-tokens",
        "512",
        "--output-tokens",
        "256",
        "--hardware",
        "H100",
        "--devices",
        "1",
        "--batch-size",
        "16",
    )
    estimate = ("estimate", *served, "--method", "rice-calibrated", "--model")
    lines = [f"project_name,duration,energy_consumed,gpu_energy,gpu_model,{','.join(ADDED)}"]
    for number, model in enumerate(("llama-3.1-8b", "qwen3-32b", "qwen3-14b", "gemma-3-12b-it")):
        joules = shell.json(*estimate, model)["gpu_energy_j"] * 1.5 * math.exp(spread * (number - 1.5) / 1.5)
        kwh = joules * 80 / 3.6e6
        lines.append(f"p{number},3600,{kwh},{kwh},1 x NVIDIA H100 80GB HBM3,{model},80,512,256,16")
    path = shell.directory / "emissions.csv"
    path.write_text("\n".join(lines))
    (found,) = calibrated(shell, path)["hardware"]
    assert found["factor"] == pytest.approx(1.5**0.8, rel=1e-3)
    before = shell.json(*estimate, "llama-3.1-70b")
    after = shell.json(*estimate, "llama-3.1-70b", RICE_SITE_FILE=str(shell.directory / "site.json"))
    width = [one["gpu_energy_j_high"] / one["gpu_energy_j_low"] for one in (before, after)]
    assert (width[1] < width[0]) == narrower


def test_scatter_is_of_models_corrected_by_the_others(shell: Shell) -> None:
    """Two models at factors e^0.2 and e^-0.2 of the estimate: each, corrected half way by the other, is off by 0.3."""
    lines = ["model,input_tokens,output_tokens,hardware,batch_size,gpu_j_per_request"]
    for model, factor in (("llama-3.1-8b", 2.718281828**0.2), ("qwen3-32b", 2.718281828**-0.2)):
        asked = (
            "--model",
            model,
            "--input-tokens",
            "512",
            "--output-tokens",
            "256",
            "--hardware",
            "H100",
            "--batch-size",
            "16",
        )
        one = shell.json("estimate", *asked, "--method", "rice-calibrated")
        lines.append(f"{model},512,256,H100,16,{one['gpu_energy_j'] * factor}")
    path = shell.directory / "own.csv"
    path.write_text("\n".join(lines))
    calibrated(shell, path)
    site = parse_site((shell.directory / "site.json").read_bytes(), "site.json")
    assert site.hardware["H100"].scatter == pytest.approx(0.3, abs=1e-3)
