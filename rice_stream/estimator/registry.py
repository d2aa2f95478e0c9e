"""Loads the estimating methods by name; the only place of the estimator that reads a file (the fitted artefacts)."""

from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from typing import cast

from rice_stream.errors import UsageError
from rice_stream.estimator.paper import PaperMethod
from rice_stream.estimator.paper_fit import parse_paper_fit
from rice_stream.estimator.types import Method

PAPER_ARTEFACT = "rice-paper.json"

_CALIBRATED_MODULE = "rice_stream.estimator.calibrated"


def load_paper(*, whole_devices: bool = False) -> PaperMethod:
    """`rice-paper` with the shipped artefact. `whole_devices` rounds device counts up to whole devices."""
    artefact = files("rice_stream.estimator").joinpath("regressors", PAPER_ARTEFACT).read_bytes()
    return PaperMethod(parse_paper_fit(artefact, PAPER_ARTEFACT), whole_devices=whole_devices)


def method_names() -> tuple[str, ...]:
    """The methods that this installation has, in the order in which messages name them."""
    return ("rice-paper", "rice-calibrated") if find_spec(_CALIBRATED_MODULE) else ("rice-paper",)


def load_method(name: str) -> Method:
    """The method `rice-paper` or `rice-calibrated`. Raises UsageError, naming the choices, for any other name."""
    if name not in method_names():
        raise UsageError(f"method {name!r} is unknown: choose {' or '.join(method_names())} (RICE_METHOD, --method)")
    if name == "rice-paper":
        return load_paper()
    # Imported only when asked for: its artefact is larger than the paper's and costs start-up time.
    return cast(Method, import_module(_CALIBRATED_MODULE).load_calibrated())
