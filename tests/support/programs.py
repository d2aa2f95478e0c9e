"""Programs from the system's packages: a test that uses one is skipped where it is not there, and the run says so.

With RICE_REQUIRE_TOOLS (set in CI) it fails instead.
"""

import os

import pytest

from tests.tools import PACKAGES, find


def program(name: str) -> str:
    """The path of a program that `tests/tools.py` installs."""
    path = find(name)
    if path is None:
        reason = f"{name} is not installed (Debian package {PACKAGES[name]})"
        if os.environ.get("RICE_REQUIRE_TOOLS"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path
