"""What tests need of the machine and cannot bring along: a test is skipped where it is not there, and the run says so.

With REQUIRE_TOOLS (set in CI) it fails instead.
"""

import os
from typing import NoReturn

import pytest

from tests.tools import PACKAGES, find


def program(name: str) -> str:
    """The path of a program that `tests/tools.py` installs."""
    path = find(name)
    if path is None:
        missing(f"{name} is not installed (Debian package {PACKAGES[name]})")
    return path


def missing(reason: str) -> NoReturn:
    """End the test as skipped, or in CI as failed."""
    if os.environ.get("REQUIRE_TOOLS"):
        pytest.fail(reason)
    pytest.skip(reason)
