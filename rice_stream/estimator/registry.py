"""Loads the estimating methods by name; the only place of the estimator that reads a file (the fitted artefacts)."""

from importlib.resources import files

from rice_stream.errors import UsageError
from rice_stream.estimator.calibrated.method import load_calibrated
from rice_stream.estimator.method import Method
from rice_stream.estimator.paper.fit import parse_paper_fit
from rice_stream.estimator.paper.method import PaperMethod

PAPER_ARTEFACT = "rice-paper.json"
METHODS = ("rice-paper", "rice-calibrated")


def load_paper(*, whole_devices: bool = False) -> PaperMethod:
    """`rice-paper` with the shipped artefact. `whole_devices` rounds device counts up to whole devices."""
    artefact = files("rice_stream.estimator").joinpath("regressors", PAPER_ARTEFACT).read_bytes()
    return PaperMethod(parse_paper_fit(artefact, PAPER_ARTEFACT), whole_devices=whole_devices)


def method_names() -> tuple[str, ...]:
    """The methods, in the order in which messages name them."""
    return METHODS


def load_method(name: str) -> Method:
    """The method `rice-paper` or `rice-calibrated`. Raises UsageError, naming the choices, for any other name."""
    if name not in METHODS:
        raise UsageError(f"method {name!r} is unknown: choose {' or '.join(METHODS)} (RICE_METHOD, --method)")
    return load_paper() if name == "rice-paper" else load_calibrated()
