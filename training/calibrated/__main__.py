"""Fits `rice-calibrated` and writes its artefact and its report: `python -m training.calibrated DIR`.

DIR holds the published files (ml_energy/, llm_perf/); our own measurements are in training/data. The same command on the
same files gives the same bytes. `--check` fits and compares without writing; exit code 1 if a byte differs.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rice_stream.errors import RiceError
from rice_stream.estimator.loading import CALIBRATED_ARTEFACT
from training.calibrated.report import write_report
from training.calibrated.run import REGRESSORS, run, shipped


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.calibrated", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder that holds ml_energy/ and llm_perf/")
    parser.add_argument("--check", action="store_true", help="compare with the shipped artefact instead of writing it")
    options = parser.parse_args(arguments)
    try:
        fitted = run(options.folder)
    except RiceError as problem_found:
        print(problem_found, file=sys.stderr)
        return problem_found.exit_code
    path = REGRESSORS / CALIBRATED_ARTEFACT
    if options.check:
        same = shipped() == fitted.artefact
        print(f"{CALIBRATED_ARTEFACT}: {'the same bytes' if same else 'differs from what these files give'}")
        return 0 if same else 1
    path.write_bytes(fitted.artefact)
    write_report(fitted)
    print(f"wrote {CALIBRATED_ARTEFACT} and docs/validation-calibrated.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
