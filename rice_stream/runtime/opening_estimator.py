"""Putting the estimator of the settings together: tables, policy and method."""

from pathlib import Path

from rice_stream.errors import UsageError
from rice_stream.estimator.method import Method
from rice_stream.estimator.registry import load_method
from rice_stream.estimator.site import SiteProfile, parse_site
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.meter.requests import TokenDefaults
from rice_stream.runtime.opening_reference import open_reference
from rice_stream.runtime.settings.settings import Settings


def open_method(settings: Settings, name: str | None = None) -> Method:
    """The estimating method of the settings, or the named one under the same settings.

    Raises UsageError for a serving profile that does not exist and for a site file that cannot be used.
    """
    method = load_method(name or settings.method)
    if "profile" in method.responds_to:
        _check_profiles(method, settings.factor_policy())
    if "site" in method.responds_to and settings.site_file is not None:
        method = method.with_site(_open_site(settings.site_file))
    return method


def _check_profiles(method: Method, policy: FactorPolicy) -> None:
    known = {*method.profiles, *policy.profiles}
    for profile in (policy.serving_profile, *(one.profile for one in policy.overrides)):
        if profile is not None and profile not in known:
            raise UsageError(
                f"RICE_SERVING_PROFILE, RICE_SERVING_OVERRIDES: the profile {profile!r} does not exist;"
                f" use one of {', '.join(sorted(known))}, or define it in RICE_SERVING_PROFILES"
            )


def open_estimator(settings: Settings, method_name: str | None = None) -> Estimator:
    """Tables, policy and method of the settings, or the named method under the same settings."""
    return Estimator(open_reference(settings), settings.factor_policy(), open_method(settings, method_name))


def _open_site(path: Path) -> SiteProfile:
    try:
        return parse_site(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"RICE_SITE_FILE: cannot read {path}: {error.strerror}") from error


def token_defaults(settings: Settings) -> TokenDefaults:
    """The counts that stand in for unknown ones."""
    return TokenDefaults(settings.default_input_tokens, settings.default_output_tokens)
