"""Fits the rows of hosted models and writes their artefact and docs/validation-hosted.md: `python -m training.hosted`.

The same command on the same tables gives the same bytes. `--check` fits and compares without writing; exit code 1 if a byte
differs.
"""

import argparse
import sys
from collections.abc import Sequence

from rice_stream.errors import RiceError
from rice_stream.estimator.hosted.artefact import HOSTED_FILE
from training.calibrated.run import REGRESSORS
from training.hosted.report import PAGE
from training.hosted.run import fitted


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.hosted", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the shipped artefact instead of writing it")
    options = parser.parse_args(arguments)
    path = REGRESSORS / HOSTED_FILE
    try:
        found = fitted()
    except RiceError as problem_found:
        print(problem_found, file=sys.stderr)
        return problem_found.exit_code
    if options.check:
        same = path.read_bytes() == found.artefact and PAGE.read_text(encoding="utf-8") == found.page
        print(f"{HOSTED_FILE} and its page: {'the same bytes' if same else 'differ from what these tables give'}")
        return 0 if same else 1
    path.write_bytes(found.artefact)
    PAGE.write_text(found.page, encoding="utf-8")
    print(f"wrote {HOSTED_FILE} and docs/{PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
