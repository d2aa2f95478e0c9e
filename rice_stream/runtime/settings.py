"""All settings: `RICE_*` in the environment, or a TOML file (`--config` / `RICE_CONFIG`); the environment wins.

One error lists every problem, by name, with what is allowed. docs/operations.md explains each; a test keeps it whole.
"""

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from rice_stream.errors import UsageError
from rice_stream.events.formats.reading.attribution import parse_rules
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.meter.factors import FactorPolicy
from rice_stream.meter.serving_overrides import parse_overrides, parse_profiles
from rice_stream.quantities import BatchSize, DefaultTokens, Devices, Precision, Pue, RciGco2ePerKwh, TdpW, Utilisation
from rice_stream.reference.types import RciScope

PREFIX = "RICE_"
Value = TypeVar("Value")


class Settings(BaseSettings):
    """Every setting with its default. The name of a setting in the environment is `RICE_` + the field in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True)

    kafka_bootstrap_servers: str = "localhost:9092"
    kafka_group_id: str = "rice-stream"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_sasl_oauth_token: SecretStr | None = None
    kafka_ssl_ca_location: Path | None = None
    kafka_ssl_certificate_location: Path | None = None
    kafka_ssl_key_location: Path | None = None
    kafka_ssl_key_password: SecretStr | None = None
    kafka_session_timeout_s: Annotated[float, Field(ge=1, le=300)] = 6.0
    kafka_fetch_max_bytes: Annotated[int, Field(ge=65_536)] = 1024 * 1024

    events_topics: Annotated[tuple[str, ...], NoDecode, Field(min_length=1)] = ("llm-requests",)
    alerts_topic: str = "carbon-alerts"
    event_formats: Annotated[dict[str, str], NoDecode] = Field(default_factory=dict)
    attribution_attributes: Annotated[dict[str, tuple[str, ...]], NoDecode] = Field(default_factory=dict)
    attribution_rules: Annotated[tuple[dict[str, Any], ...], NoDecode] = ()
    estimate_missing_usage: bool = False
    count_log_events: bool = False
    skipped_scopes: Annotated[tuple[str, ...], NoDecode] = ()
    database_url: SecretStr = SecretStr("sqlite:///rice.db")

    method: Literal["rice-paper", "rice-calibrated"] = "rice-calibrated"
    serving_profile: str | None = None
    serving_profiles: Annotated[tuple[dict[str, Any], ...], NoDecode] = ()
    serving_overrides: Annotated[tuple[dict[str, Any], ...], NoDecode] = ()
    site_file: Path | None = None
    default_region: str | None = None
    rci_scope: RciScope = "lifecycle"
    reference_dir: Path | None = None
    pue: Pue | None = None
    rci_gco2e_per_kwh: RciGco2ePerKwh | None = None
    hardware: str | None = None
    devices: Devices | None = None
    batch_size: BatchSize | None = None
    precision: Precision | None = None
    utilisation: Utilisation | None = None
    tdp_w: TdpW | None = None
    default_input_tokens: DefaultTokens = 1_000
    default_output_tokens: DefaultTokens = 250

    live_feed: Literal["electricity-maps", "watttime", "neso"] | None = None
    live_feed_url: str | None = None
    live_feed_token: SecretStr | None = None
    live_feed_refresh_s: Annotated[float, Field(ge=60)] = 900.0
    live_feed_zones: Annotated[dict[str, str], NoDecode] = Field(default_factory=dict)

    batch_events_max: Annotated[int, Field(ge=1, le=500_000)] = 20_000
    batch_wait_s: Annotated[float, Field(gt=0, le=60)] = 0.05
    quarantine_ratio_max: Annotated[float, Field(gt=0, le=1)] = 0.5
    quarantine_ratio_events_min: Annotated[int, Field(ge=1)] = 1_000
    store_retry_s: Annotated[float, Field(ge=0)] = 60.0
    budget_sweep_s: Annotated[float, Field(gt=0)] = 2.0
    budget_judge_interval_s: Annotated[float, Field(ge=0)] = 0.2
    budgets_file: Path | None = None
    retention_days: Annotated[int | None, Field(ge=32)] = None
    progress_timeout_s: Annotated[float, Field(ge=5)] = 120.0

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    http_token: SecretStr | None = None
    http_topic: str | None = None
    http_body_max_bytes: Annotated[int, Field(ge=1_024, le=16_777_216)] = 1_000_000
    http_requests_per_s: Annotated[float, Field(gt=0)] = 1_000.0
    http_delivery_timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    worker_http_port: Annotated[int, Field(ge=0, le=65_535)] = 6066
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("events_topics", "skipped_scopes", mode="before")
    @classmethod
    def _split_topics(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part for part in (piece.strip() for piece in value.split(",")) if part)
        return value

    @field_validator("live_feed_zones", mode="before")
    @classmethod
    def _split_zones(cls, value: object) -> object:
        return dict(_pairs(value, "region=zone, such as aws:eu-west-1=IE")) if isinstance(value, str) else value

    @field_validator("event_formats", mode="before")
    @classmethod
    def _split_formats(cls, value: object) -> object:
        return dict(_pairs(value, "topic=format, such as otlp_spans=otlp")) if isinstance(value, str) else value

    @field_validator("attribution_attributes", mode="before")
    @classmethod
    def _split_attributes(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        found: dict[str, tuple[str, ...]] = {}
        for field, name in _pairs(value, "field=attribute, such as tenant_id=service.namespace"):
            found[field] = (*found.get(field, ()), name)
        return found

    @field_validator("attribution_rules", "serving_profiles", "serving_overrides", mode="before")
    @classmethod
    def _read_objects(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return tuple(json.loads(value))
        except (json.JSONDecodeError, TypeError) as error:
            raise ValueError('must be a JSON array of objects, such as [{"name": "value"}]') from error

    @field_validator("event_formats")
    @classmethod
    def _known_formats(cls, value: dict[str, str]) -> dict[str, str]:
        return _checked(value, lambda: FormatOptions(topic_formats=value))

    @field_validator("attribution_attributes")
    @classmethod
    def _known_fields(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return _checked(value, lambda: FormatOptions(attributes=value))

    @field_validator("attribution_rules")
    @classmethod
    def _good_rules(cls, value: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        return _checked(value, lambda: parse_rules(value))

    @field_validator("serving_profiles")
    @classmethod
    def _good_profiles(cls, value: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        return _checked(value, lambda: parse_profiles(value))

    @field_validator("serving_overrides")
    @classmethod
    def _good_overrides(cls, value: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        return _checked(value, lambda: parse_overrides(value))

    def factor_policy(self) -> FactorPolicy:
        """The part of the settings that the estimator sees."""
        return FactorPolicy(
            rci_scope=self.rci_scope,
            default_region=self.default_region,
            serving_profile=self.serving_profile,
            pue=self.pue,
            rci_gco2e_per_kwh=self.rci_gco2e_per_kwh,
            hardware=self.hardware,
            devices=self.devices,
            batch_size=self.batch_size,
            precision=self.precision,
            utilisation=self.utilisation,
            tdp_w=self.tdp_w,
            profiles=parse_profiles(self.serving_profiles),
            overrides=parse_overrides(self.serving_overrides),
        )

    def format_options(self) -> FormatOptions:
        """What the decoders of other formats are told."""
        return FormatOptions(
            topic_formats=self.event_formats,
            attributes=self.attribution_attributes,
            rules=parse_rules(self.attribution_rules),
            estimate_missing_usage=self.estimate_missing_usage,
            count_log_events=self.count_log_events,
            skipped_scopes=frozenset(self.skipped_scopes),
        )


def _checked(value: Value, make: Callable[[], object]) -> Value:
    """The value, if what it stands for can be made; ValueError with the reason."""
    try:
        make()
    except UsageError as error:
        raise ValueError(str(error)) from error
    return value


def _pairs(value: str, what: str) -> list[tuple[str, str]]:
    """`a=b,c=d` as pairs; ValueError says what should be written. The first `=` parts."""
    pairs = [piece.partition("=") for piece in value.split(",") if piece.strip()]
    if not all(key.strip() and sign and item.strip() for key, sign, item in pairs):
        raise ValueError(f"must be a comma list of {what}")
    return [(key.strip(), item.strip()) for key, _, item in pairs]


def load_settings(config: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the file and the environment. UsageError lists every problem at once.

    A `RICE_*` variable that is no setting is a problem too: a typo must not be a silent default.
    """
    environment = os.environ if environment is None else environment
    config = config or (Path(environment["RICE_CONFIG"]) if environment.get("RICE_CONFIG") else None)
    values = _read_file(config) if config else {}
    known = set(Settings.model_fields)
    problems = [f"{name} (in {config}): there is no such setting" for name in values if name not in known]
    values = {name: value for name, value in values.items() if name in known}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name in {"RICE_CONFIG", "RICE_REQUIRE_SERVICES"}:
            continue
        field = name.removeprefix(PREFIX).lower()
        if field in known:
            values[field] = text
        else:
            problems.append(f"{name}: there is no such setting")
    settings = None
    try:
        settings = _NoEnvironmentSettings(**values)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            field = str(problem["loc"][0]) if problem["loc"] else "settings"
            problems.append(f"{PREFIX}{field.upper()}: {problem['msg'].removeprefix('Value error, ')}")
    else:
        problems += _contradictions(settings)
    if problems or settings is None:
        listed = "\n  ".join(problems)
        raise UsageError(f"{len(problems)} problem(s) in the settings:\n  {listed}\nAll settings: docs/operations.md")
    return settings


def _contradictions(settings: Settings) -> list[str]:
    """What only two settings together can say: a format for a topic that is not read is a misspelt topic."""
    read = settings.events_topics
    return [
        f"{PREFIX}EVENT_FORMATS: topic {topic} is not in {PREFIX}EVENTS_TOPICS ({', '.join(read)})"
        for topic in settings.event_formats
        if topic not in read
    ]


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return {name.lower(): value for name, value in tomllib.loads(path.read_text("utf-8")).items()}
    except OSError as error:
        raise UsageError(f"cannot read the settings file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the settings file {path} is not TOML: {error}") from error


class _NoEnvironmentSettings(Settings):
    """Settings from given values alone: `load_settings` has merged file and environment already."""

    @classmethod
    def settings_customise_sources(cls, *args: Any, **kwargs: Any) -> Any:
        return (kwargs.get("init_settings") or args[1],)
