"""Tables and law to the artefact of hosted models and the page that validates it."""

from dataclasses import dataclass

from rice_stream.estimator.hosted.artefact import HOSTED_FILE, parse_hosted
from rice_stream.estimator.loading import load_calibrated
from rice_stream.reference.loader import load_reference
from training.hosted.holdouts import Rows
from training.hosted.posterior import Posterior, posterior
from training.hosted.report import page
from training.hosted.rows import row, serialise
from training.hosted.selection import cases

AT_US = 1_785_542_400_000_000
"""2026-08-01: the tables are read as of that day."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """The artefact's bytes, and the page about them."""

    artefact: bytes
    page: str


def fitted() -> Fitted:
    """Everything that the command writes."""
    found, law = posteriors(), load_calibrated().artefact
    content = serialise([row(one) for one in found])
    rows = Rows(parse_hosted(content, HOSTED_FILE), law)
    return Fitted(content, page(rows, found, law, load_reference()))


def posteriors() -> list[Posterior]:
    """Every model at every kind of host."""
    law = load_calibrated().artefact
    return [posterior(case, law) for case in cases(load_reference(), AT_US)]
