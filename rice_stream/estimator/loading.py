"""Reads the fitted artefacts that ship with the package. The only module of the estimator that reads files."""

from importlib import resources

from rice_stream.estimator.calibrated.artefact import parse_artefact
from rice_stream.estimator.calibrated.method import CalibratedMethod
from rice_stream.estimator.embodied import FACTOR_FILE, EmbodiedFactors, parse_embodied
from rice_stream.estimator.hosted.artefact import HOSTED_FILE, parse_hosted
from rice_stream.estimator.paper.fit import parse_paper_fit
from rice_stream.estimator.paper.method import PaperMethod

PAPER_ARTEFACT = "rice-paper.json"
CALIBRATED_ARTEFACT = "rice-calibrated.json"
CALIBRATED_1_ARTEFACT = "rice-calibrated-1.json"


def load_paper(*, whole_devices: bool = False) -> PaperMethod:
    """`rice-paper` with the shipped artefact. `whole_devices` rounds device counts up to whole devices.

    Raises:
        ReferenceDataError: the artefact is damaged.
    """
    return PaperMethod(parse_paper_fit(read_artefact(PAPER_ARTEFACT), PAPER_ARTEFACT), whole_devices=whole_devices)


def load_calibrated() -> CalibratedMethod:
    """`rice-calibrated` with the shipped artefact and factors of embodied carbon and water.

    Raises:
        ReferenceDataError: the artefact or the factors are damaged.
    """
    artefact = parse_artefact(read_artefact(CALIBRATED_ARTEFACT), CALIBRATED_ARTEFACT)
    return CalibratedMethod(artefact, load_embodied(), parse_hosted(read_artefact(HOSTED_FILE), HOSTED_FILE))


def load_calibrated_1() -> CalibratedMethod:
    """The first version of `rice-calibrated`, as it was released: its artefact is never fitted again.

    Raises:
        ReferenceDataError: the artefact or the factors are damaged.
    """
    artefact = parse_artefact(read_artefact(CALIBRATED_1_ARTEFACT), CALIBRATED_1_ARTEFACT)
    return CalibratedMethod(artefact, load_embodied())


def load_embodied() -> EmbodiedFactors:
    """Factors of embodied carbon and water. Raises ReferenceDataError naming row and column of a bad cell."""
    return parse_embodied(read_artefact(FACTOR_FILE).decode("utf-8"))


def read_artefact(name: str) -> bytes:
    """A shipped file, such as `rice-paper.json`."""
    return resources.files("rice_stream.estimator").joinpath("regressors", name).read_bytes()
