"""Serving profiles and overrides of one's own: how they are read, which counts, and that records stay explainable."""

import json
from typing import Any

import pytest

from rice_stream.errors import UsageError
from rice_stream.estimator.registry import load_method
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factor_detail import context_from_detail
from rice_stream.meter.factors import FactorPolicy, FactorUse
from rice_stream.meter.service_key import ServiceKey
from rice_stream.meter.serving_overrides import parse_overrides, parse_profiles
from rice_stream.quantities import Range
from rice_stream.reference.loader import load_reference
from rice_stream.runtime.opening_estimator import open_method
from rice_stream.runtime.settings.loading import load_settings
from tests.support.cli_running import Shell

POOL = {"name": "pool-a", "hardware": "H200", "batch_size": [8, 24, 64], "precision": "fp8"}
REFERENCE = load_reference(None)
METHOD = load_method("rice-calibrated")


def used(policy: FactorPolicy, **stated: Any) -> FactorUse:
    """The factors of a llama-3.1-8b request on AWS under a policy."""
    key = ServiceKey("aws.bedrock", "llama-3.1-8b", None, None, **stated)
    return Estimator(REFERENCE, policy, METHOD).at(0).factors(key)


def test_a_profile_of_ones_own_is_read_with_its_range() -> None:
    """A number is a range of no width; idle share and precision have defaults."""
    profiles = parse_profiles([POOL, {"name": "fixed", "hardware": "L4", "batch_size": 4}])
    assert profiles["pool-a"].batch_size == Range(8.0, 24.0, 64.0)
    assert profiles["fixed"].batch_size == Range.exact(4.0)
    assert (profiles["fixed"].precision, profiles["fixed"].idle_share) == ("bf16", Range.exact(0.0))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**POOL, "batch": 3}, "entry 1: 'batch' is not one of name, hardware"),
        ({**POOL, "name": " "}, "entry 1, name: must be a text"),
        ({**POOL, "batch_size": [64, 24, 8]}, "entry 1, batch_size: must rise"),
        ({**POOL, "batch_size": [1, 2]}, "entry 1, batch_size: must be a number, or low, middle and high"),
        ({**POOL, "batch_size": 0.5}, "entry 1, batch_size: must be a number from 1 up to 1000000"),
        ({**POOL, "precision": "fp7"}, "entry 1, precision: 'fp7' is not one of"),
        ({**POOL, "idle_share": True}, "entry 1, idle_share"),
    ],
)
def test_a_bad_profile_names_entry_and_field(row: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_profiles([row])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"profile": "batch1"}, "entry 1: say which provider or model"),
        ({"model": "gpt-*"}, "entry 1: say what differs"),
        ({"model": "gpt-*", "devices": "two"}, "entry 1, devices: must be a number"),
        ({"model": "gpt-*", "pue": 1.2}, "entry 1: 'pue' is not one of"),
    ],
)
def test_a_bad_override_names_entry_and_field(row: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_overrides([row])


def test_event_then_override_then_settings() -> None:
    """What the event states wins over the first override that fits, and that over the settings for all."""
    overrides = parse_overrides(
        [
            {"provider": "azure*", "batch_size": 2},
            {"model": "LLAMA-3.1-*", "batch_size": 16, "hardware": "H100"},
            {"model": "*", "batch_size": 99},
        ]
    )
    policy = FactorPolicy(batch_size=64, hardware="L4", precision="fp8", overrides=overrides)
    context = used(policy).context
    assert (context.batch_size, context.hardware, context.precision) == (16, "H100", "fp8")
    assert used(policy, batch_size=5.0).context.batch_size == 5.0
    assert used(FactorPolicy(batch_size=64)).context.batch_size == 64


def test_a_stored_use_carries_the_profile_itself() -> None:
    """A record is explained with the profile as it was, whatever the settings say by then."""
    policy = FactorPolicy(serving_profile="pool-a", profiles=parse_profiles([POOL]))
    use = used(policy)
    again = context_from_detail(json.loads(use.columns["detail"]))
    assert again == use.context
    assert again.own_profile is not None
    other = FactorPolicy(serving_profile="pool-a", profiles=parse_profiles([{**POOL, "batch_size": 9}]))
    assert used(other).digest != use.digest


def test_an_own_profile_is_a_statement_of_hardware(shell: Shell) -> None:
    """The profile's hardware and precision are known; its batch is not while it is a range."""
    asked = ("estimate", "--model", "llama-3.1-8b", "--input-tokens", "500", "--output-tokens", "200")
    settings: dict[str, Any] = {"RICE_METHOD": "rice-calibrated", "RICE_SERVING_PROFILE": "pool-a"}
    found = shell.json(*asked, **settings, RICE_SERVING_PROFILES=json.dumps([POOL]))
    assert (found["hardware"], found["batch_size"], found["precision"]) == ("H200", 24.0, "fp8")
    assert "batch_assumed" in found["basis"]
    assert "hardware_assumed" not in found["basis"]
    fixed = shell.json(*asked, **settings, RICE_SERVING_PROFILES=json.dumps([{**POOL, "batch_size": 24}]))
    assert fixed["prefill_j"] == found["prefill_j"]
    assert fixed["gpu_energy_j_high"] < found["gpu_energy_j_high"]
    assert "batch_assumed" not in fixed["basis"]


def test_what_is_asked_for_wins_over_an_override(shell: Shell) -> None:
    """`--profile` and `--precision` on the command line come before the overrides of the settings."""
    override = json.dumps([{"model": "*", "profile": "batch1", "precision": "int4"}])
    asked = ("estimate", "--model", "llama-3.1-8b", "--input-tokens", "500", "--output-tokens", "200")
    settings: dict[str, Any] = {"RICE_METHOD": "rice-calibrated", "RICE_SERVING_OVERRIDES": override}
    assert shell.json(*asked, **settings)["batch_size"] == 1
    found = shell.json(*asked, "--profile", "throughput", "--precision", "fp8", **settings)
    assert (found["batch_size"], found["precision"]) == (192.0, "fp8")


def test_a_profile_that_does_not_exist_is_an_error_at_start() -> None:
    """A misspelt profile in settings or overrides stops the worker before its first event."""
    for name, value in (
        ("RICE_SERVING_PROFILE", "pool-b"),
        ("RICE_SERVING_OVERRIDES", '[{"model": "*", "profile": "pool-b"}]'),
    ):
        settings = load_settings(environment={"RICE_METHOD": "rice-calibrated", name: value})
        with pytest.raises(UsageError, match="'pool-b' does not exist"):
            open_method(settings)


def test_settings_that_are_no_json_array_say_so() -> None:
    with pytest.raises(UsageError, match="RICE_SERVING_PROFILES: must be a JSON array"):
        load_settings(environment={"RICE_SERVING_PROFILES": "pool-a"})
