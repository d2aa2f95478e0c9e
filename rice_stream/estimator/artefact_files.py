"""The fitted artefacts and tables that ship with the estimator, as bytes. Loads no numpy."""

from functools import cache
from importlib import resources

from rice_stream.estimator.embodied import FACTOR_FILE, EmbodiedFactors, parse_embodied


def read_artefact(name: str) -> bytes:
    """A shipped file, such as `rice-paper.json`."""
    return resources.files("rice_stream.estimator").joinpath("regressors", name).read_bytes()


@cache
def load_embodied() -> EmbodiedFactors:
    """Factors of embodied carbon and water. Raises ReferenceDataError naming row and column of a bad cell."""
    return parse_embodied(read_artefact(FACTOR_FILE).decode("utf-8"))
