"""Helm renders the chart with every combination of its values, and Kubernetes takes what comes of it. Part of the drill.

python -m tests.rendered_chart     exit code 0: it holds; the chart's digest is then noted in tests/support/data

helm is built from its Go module where it is not there.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.chart import CHART, RENDERED, Helm, Validator, check_rendered, combinations, digest, values_of
from tests.tools import find

MODULE = "helm.sh/helm/v3/cmd/helm@v3.22.0"


def main() -> int:
    """The exit code."""
    with tempfile.TemporaryDirectory(prefix="rice-chart-") as made:
        helm = Helm(find("helm") or _built(), Path(made))
        for values in sorted((CHART / "ci").glob("*.yaml")):
            helm.run("lint", "--strict", str(CHART), "-f", str(values))
        validator = Validator()
        every = combinations()
        for number, choices in enumerate(every, start=1):
            documents = helm.render(values_of(choices))
            try:
                check_rendered(documents, choices)
                validator.check(documents)
            except Exception:
                print(f"chart: with {choices}", file=sys.stderr)
                raise
            if number % 100 == 0:
                print(f"chart: {number} of {len(every)} combinations", flush=True)
    RENDERED.write_text(json.dumps({"helm": MODULE, "chart": digest()}, indent=2) + "\n", encoding="utf-8")
    return 0


def _built() -> str:
    """helm, from its module: some minutes, once."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rice-stream" / "helm"
    helm = folder / "helm"
    if not helm.exists():
        go = shutil.which("go")
        if go is None:
            raise SystemExit("chart: needs helm, or go to build it")
        print(f"chart: building {MODULE}", file=sys.stderr)
        subprocess.run([go, "install", MODULE], env={**os.environ, "GOBIN": str(folder)}, check=True)
    return str(helm)


if __name__ == "__main__":
    sys.exit(main())
