"""The fitted artefact of `rice-calibrated`: what `python -m training.calibrated DIR` writes and the method computes with."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rice_stream.errors import ReferenceDataError, UsageError
from rice_stream.estimator.calibrated.physics import Machine, Shape, field_names
from rice_stream.estimator.method import Profile
from rice_stream.quantities import Range

REBUILD = "rebuild it with `python -m training.calibrated DIR`"


SINCE_VERSION_2 = frozenset(
    {
        "quantised_launch",
        "quantised_device_exponent",
        "expert_parallel_prefill",
        "expert_parallel_stream",
        "state_read",
        "eager_operations",
        "eager_operations_s",
    }
)
"""Coefficients of `physics.Shape` that the frozen artefact of version 1 lacks: 0 there, which is neutral."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """One accelerator: public specification, and the coefficients of `physics.Machine` fitted to it or scaled from it."""

    name: str
    memory_gb: float
    tdp_w: float
    eager: bool
    """At batch 1 only the eager runtime (no CUDA graphs) has been measured on this hardware."""
    measured: bool
    """Coefficients fitted to measurements on this hardware; False: scaled from the specification."""
    machine: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Precision:
    """Weights at one precision."""

    weight_bytes: float
    flop_factor: float
    narrow: bool
    quantised: bool = False
    """Activations are quantised as well, in kernels of their own."""


@dataclass(frozen=True, slots=True)
class Error:
    """Bounds of log(measured / predicted) that hold 80 % of left-out rows."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Artefact:
    """Everything fitted or stated, parsed. See docs/validation-calibrated.md for how each figure came about."""

    hardware: Mapping[str, Hardware]
    aliases: Mapping[str, str]
    """Lower-case spellings to names."""
    reference_hardware: str
    """Stands in for hardware that is not in the table."""
    shape: Shape
    routed_share: bool
    """Whether a model's own share of experts per token is used. Version 1 knew the usual one alone."""
    precisions: Mapping[str, Precision]
    precision_aliases: Mapping[str, str]
    profiles: Mapping[str, Profile]
    default_profile: str
    kv_law: tuple[float, float, float]
    """KV bytes per token where unknown: factor x total^a x active^b (1e9 parameters)."""
    layer_law: tuple[float, float]
    """Layers where unknown: factor x (total x active)^(exponent / 2)."""
    memory_use: float
    """Share of device memory that weights may fill, the rest being KV cache and buffers: decides the device count."""
    errors: Mapping[str, Error]
    """By regime: `dense/one`, `dense/known`, `dense/assumed`, `moe/...`."""
    hardware_errors: Mapping[str, Error]
    """Added on both sides: `measured`, `scaled`, `unknown`."""
    architecture_errors: Mapping[str, Error]
    """Added on both sides where layers and KV size are a law's guess: by the regimes of `errors`."""
    small_errors: Error
    """Added on both sides below `SMALL_B` parameters, outside the eager runtime: launches dominate there."""
    host_share_of_tdp: Range
    """Server around a device (CPU, memory, network, fans) while it works, as a share of its TDP."""
    params_b_min: float
    params_b_max: float
    input_tokens_max: int
    context_tokens_max: int
    digest: str
    """SHA-256 of the artefact's bytes, hex."""

    def find_hardware(self, name: str) -> Hardware | None:
        """The hardware of that name or alias, whatever its case; None where it is not in the table."""
        folded = name.strip().lower()
        return self.hardware.get(self.aliases.get(folded, ""))

    def find_precision(self, name: str) -> Precision:
        """Raises UsageError naming the precisions that exist."""
        folded = name.strip().lower()
        try:
            return self.precisions[self.precision_aliases.get(folded, folded)]
        except KeyError:
            known = ", ".join(sorted(self.precisions))
            raise UsageError(f"precision: {name!r} is not known; use one of {known}") from None


def parse_artefact(content: bytes, name: str) -> Artefact:
    """Reads the artefact's JSON. Raises ReferenceDataError naming the file and the field that is missing or wrong."""
    try:
        fields: dict[str, Any] = json.loads(content)
        return _artefact(fields, hashlib.sha256(content).hexdigest())
    except KeyError as missing:
        raise ReferenceDataError(f"{name}: field {missing} is missing; {REBUILD}") from None
    except (ValueError, TypeError) as wrong:
        raise ReferenceDataError(f"{name}: {wrong}; {REBUILD}") from None


def _artefact(fields: dict[str, Any], digest: str) -> Artefact:
    table = {name: _hardware(name, row) for name, row in fields["hardware"].items()}
    aliases = {name.lower(): name for name in table}
    for name, row in fields["hardware"].items():
        aliases |= {alias.lower(): name for alias in row["aliases"]}
    valid = fields["range"]
    return Artefact(
        hardware=table,
        aliases=aliases,
        reference_hardware=str(fields["reference_hardware"]),
        shape=Shape(**{key: _shape(fields["shape"], key) for key in field_names(Shape)}),
        routed_share=bool(fields.get("routed_share", False)),
        precisions={
            key: Precision(
                float(row["weight_bytes"]),
                float(row["flop_factor"]),
                bool(row["narrow"]),
                bool(row.get("quantised", False)),
            )
            for key, row in fields["precisions"].items()
        },
        precision_aliases=dict(fields["precision_aliases"]),
        profiles={key: parse_profile(row) for key, row in fields["profiles"].items()},
        default_profile=str(fields["default_profile"]),
        kv_law=(float(fields["kv_law"][0]), float(fields["kv_law"][1]), float(fields["kv_law"][2])),
        layer_law=(float(fields["layer_law"][0]), float(fields["layer_law"][1])),
        memory_use=float(fields["memory_use"]),
        errors={key: _error(row) for key, row in fields["errors"].items()},
        hardware_errors={key: _error(row) for key, row in fields["hardware_errors"].items()},
        architecture_errors={key: _error(row) for key, row in fields["architecture_errors"].items()},
        small_errors=_error(fields["small_errors"]),
        host_share_of_tdp=_range(fields["host_share_of_tdp"]),
        params_b_min=float(valid["params_b_min"]),
        params_b_max=float(valid["params_b_max"]),
        input_tokens_max=int(valid["input_tokens_max"]),
        context_tokens_max=int(valid["context_tokens_max"]),
        digest=digest,
    )


def _shape(row: Mapping[str, Any], key: str) -> float:
    """A shape coefficient; those that came with version 2 change nothing where an older artefact has none."""
    return float(row.get(key, 0.0) if key in SINCE_VERSION_2 else row[key])


def parse_profile(row: Mapping[str, Any]) -> Profile:
    """One serving profile from plain values (JSON, TOML): ranges are [low, mid, high]. Raises KeyError, ValueError."""
    return Profile(
        hardware=str(row["hardware"]),
        batch_size=_range(row["batch_size"]),
        precision=str(row["precision"]),
        idle_share=_range(row["idle_share"]),
        source=str(row["source"]),
        overlap=float(row.get("overlap", 0.0)),
        devices_max=None if row.get("devices_max") is None else float(row["devices_max"]),
    )


def _hardware(name: str, row: Mapping[str, Any]) -> Hardware:
    return Hardware(
        name=name,
        memory_gb=float(row["memory_gb"]),
        tdp_w=float(row["tdp_w"]),
        eager=bool(row["eager"]),
        measured=bool(row["measured"]),
        machine={key: float(row["machine"][key]) for key in field_names(Machine)},
    )


def _range(values: list[float]) -> Range:
    low, mid, high = values
    return Range(float(low), float(mid), float(high))


def _error(row: Mapping[str, float]) -> Error:
    return Error(float(row["low"]), float(row["high"]))
