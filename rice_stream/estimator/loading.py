"""The methods, from the fitted artefacts that ship with the package."""

from rice_stream.estimator.artefact_files import load_embodied, read_artefact
from rice_stream.estimator.calibrated.artefact import parse_artefact
from rice_stream.estimator.calibrated.method import CalibratedMethod
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
