"""Writes docs/validation.md and its plots: `python -m training.validate DIR`; DIR is the folder with the published files.

First the carried figures (training/data) are compared with the published ones; a difference stops the run. The same
figures give the same bytes.
"""

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rice_stream.errors import ReferenceDataError, RiceError
from rice_stream.estimator.loading import load_paper
from rice_stream.estimator.paper.method import PaperMethod
from training.carry import CARRIED, carried_rows
from training.figures import DATA, prefill_points, unique_prefill_points
from training.findings import Facts, devices_and_beta, forest_shape, markdown_table, percent
from training.findings_measured import batched_serving, coverage, gpu_meter_of_2026, leaderboard_of_2024, table_v
from training.plots import draw_all
from training.rivals.findings import calibrated_row, meters, published_day, rivals
from training.rivals.rows import data_sets
from training.scores import Scores
from training.table3 import ALGORITHMS, SPLITS, leave_one_model_out, random_splits

if TYPE_CHECKING:
    from training.calibrated.run import Fitted

DOCS = Path(__file__).parent.parent / "docs"
TEMPLATE = Path(__file__).parent / "templates" / "validation.md"


def check_carried(published_dir: Path) -> None:
    """Raises ReferenceDataError if a carried file no longer says what the published one says."""
    for name in CARRIED:
        with (DATA / name).open(newline="", encoding="utf-8") as stream:
            ours = list(csv.DictReader(stream))
        if ours != list(carried_rows(published_dir, name)):
            raise ReferenceDataError(
                f"training/data/{name} differs from the published file: run `python -m training.carry` and retrain"
            )


def quick_facts(method: PaperMethod) -> Facts:
    """All placeholders of the template but those of Table III and of what the whole fit of `rice-calibrated` gives."""
    facts: Facts = {"splits": str(SPLITS)}
    for find in (devices_and_beta, forest_shape):
        facts |= find(method)
    for find in (table_v, leaderboard_of_2024, gpu_meter_of_2026, batched_serving, coverage):
        facts |= find(method)
    sets = data_sets()
    return facts | rivals(sets) | meters(sets) | published_day()


def table_iii() -> Facts:
    """Table III on random splits and with one model left out (half a minute of fitting)."""
    rows, left_out = [], []
    points, distinct = prefill_points(), unique_prefill_points()
    for algorithm, (paper, _) in ALGORITHMS.items():
        splits, splits_distinct = random_splits(points, algorithm), random_splits(distinct, algorithm)
        rows.append([algorithm, *_scores(paper), *_spread(splits), *_spread(splits_distinct)])
        alone = leave_one_model_out(distinct, algorithm)
        left_out.append([algorithm, f"{alone.r2:.2f}", f"{alone.mse:.3f}", f"{alone.mape:.2f}"])
        if algorithm == "Random Forest":
            forest_mape = percent(alone.mape)
        if algorithm == "XGBoost":
            xgboost_mape = f"{np.mean([one.mape for one in splits]):.3f}"
    header = ["algorithm"]
    header += [f"{whose}: {what}" for whose in ("paper", "405 points", "324 points") for what in ("R2", "MSE", "MAPE")]
    return {
        "table_iii": markdown_table(header, rows),
        "table_iii_left_out": markdown_table(["one model left out, 324 points", "R2", "MSE", "MAPE"], left_out),
        "forest_left_out_mape": forest_mape,
        "xgboost_mape": xgboost_mape,
    }


def _scores(one: Scores) -> list[str]:
    return [f"{one.r2:.3f}", f"{one.mse:.3f}", f"{one.mape:.3f}"]


def _spread(results: list[Scores]) -> list[str]:
    columns = np.array([(one.r2, one.mse, one.mape) for one in results]).T
    return [f"{column.mean():.3f} ({column.min():.3f} to {column.max():.3f})" for column in columns]


def write_report(published_dir: Path, fitted: "Fitted") -> Path:
    """docs/validation.md and its plots. Raises ReferenceDataError if a carried figure is no longer the published one."""
    check_carried(published_dir)
    method = load_paper()
    draw_all(method, DOCS / "plots")
    facts = quick_facts(method) | table_iii() | calibrated_row(fitted)
    report = TEMPLATE.read_text(encoding="utf-8").format_map(facts)
    path = DOCS / "validation.md"
    path.write_text(report, encoding="utf-8")
    return path


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m training.validate DIR   (the folder that holds helm/, llm_perf/ and ml_energy/)")
        return 2
    from training.calibrated.run import run

    try:
        check_carried(Path(arguments[0]))
        write_report(Path(arguments[0]), run(Path(arguments[0])))
    except RiceError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print("wrote docs/validation.md and docs/plots")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
