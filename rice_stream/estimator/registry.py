"""The estimating methods by name. This is the only list of them: settings, commands and reports take their choices from it.

Names are known without loading numpy; a method's code and artefact are loaded when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

from rice_stream.errors import UsageError

if TYPE_CHECKING:
    from rice_stream.estimator.method import Method


MethodName = Literal["rice-paper", "rice-calibrated", "rice-calibrated-1"]
METHOD_NAMES: tuple[MethodName, ...] = get_args(MethodName)
"""In the order in which messages name them."""


def _paper() -> Method:
    from rice_stream.estimator.loading import load_paper

    return load_paper()


def _calibrated() -> Method:
    from rice_stream.estimator.loading import load_calibrated

    return load_calibrated()


def _calibrated_1() -> Method:
    from rice_stream.estimator.loading import load_calibrated_1

    return load_calibrated_1()


METHODS: Mapping[str, Callable[[], Method]] = MappingProxyType(
    {"rice-paper": _paper, "rice-calibrated": _calibrated, "rice-calibrated-1": _calibrated_1}
)
"""What loads each of them."""


def load_method(name: str) -> Method:
    """The method of that name as it ships. Raises UsageError, naming the choices, for any other name."""
    if name not in METHODS:
        raise UsageError(f"method {name!r} is unknown: choose {' or '.join(METHOD_NAMES)} (RICE_METHOD, --method)")
    return METHODS[name]()


def method_of_version(version: str, open_method: Callable[[str], Method] = load_method) -> Method | None:
    """The method that made a record of this version; None where this installation does not have that very version.

    `open_method` opens a method by name, as the installation's settings have it.
    """
    from rice_stream.estimator.method import name_in_version

    # A former version of a method is a method of its own, by name and revision.
    for name in (version.partition("+")[0], name_in_version(version)):
        if name in METHODS:
            method = open_method(name)
            return method if method.version == version else None
    return None
