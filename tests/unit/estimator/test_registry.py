"""The registry is the only list of methods: what it lists loads, names its versions, and costs nothing to read."""

import subprocess
import sys

import pytest

from rice_stream.errors import UsageError
from rice_stream.estimator.loading import load_paper
from rice_stream.estimator.method import Method, name_in_version, version_of
from rice_stream.estimator.registry import METHOD_NAMES, METHODS, load_method, method_of_version


def test_every_name_has_what_loads_it() -> None:
    assert tuple(METHODS) == METHOD_NAMES


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_a_listed_method_loads_under_its_name(name: str) -> None:
    """A method's own name is the one it is listed under, and its version leads back to it."""
    method = load_method(name)
    assert method.name == name
    assert name in (name_in_version(method.version), method.version.partition("+")[0])
    found = method_of_version(method.version)
    assert found is not None
    assert found.name == name


def test_a_former_version_is_a_method_of_its_own() -> None:
    """Records of `rice-calibrated-1` lead to it, also while `rice-calibrated` is a later version."""
    first, present = load_method("rice-calibrated-1"), load_method("rice-calibrated")
    assert first.version == "rice-calibrated-1+7f7653b0"
    assert present.version.startswith("rice-calibrated-2+")


def test_an_unknown_name_says_the_choices() -> None:
    """Any other name is a usage error that lists what there is."""
    with pytest.raises(UsageError, match=r"'rice-guess' is unknown: choose rice-paper or rice-calibrated"):
        load_method("rice-guess")


def test_a_version_that_is_not_installed_finds_no_method() -> None:
    """An older artefact, another variant of the method, or a method that is not listed: nothing is taken for them."""
    variant = load_paper(whole_devices=True).version
    for version in (version_of("rice-paper", 1, "0" * 64), variant, version_of("rice-guess", 1, "0" * 64), "guess", ""):
        assert method_of_version(version) is None


def test_a_version_is_looked_up_among_the_installations_methods() -> None:
    """The method is opened by `open_method`, and only the one whose name the version carries."""
    opened: list[str] = []

    def open_method(name: str) -> Method:
        opened.append(name)
        return load_paper(whole_devices=True)

    variant = load_paper(whole_devices=True).version
    found = method_of_version(variant, open_method)
    assert found is not None
    assert found.version == variant
    assert opened == ["rice-paper"]


def test_names_are_known_without_numpy() -> None:
    """Settings and commands list the methods; they do not wait for the estimator's libraries."""
    code = "import sys; from rice_stream.estimator.registry import METHOD_NAMES; assert METHOD_NAMES; print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
