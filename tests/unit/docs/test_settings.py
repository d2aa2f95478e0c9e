"""docs/operations.md and the example file have every setting, with its type and default as in the code, and no other."""

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from itertools import chain
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types
import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from rice_stream.runtime.settings.batches import BatchSettings
from rice_stream.runtime.settings.budgets import BudgetSettings
from rice_stream.runtime.settings.checkpoints import CheckpointSettings
from rice_stream.runtime.settings.database import DatabaseSettings
from rice_stream.runtime.settings.delivery import DeliverySettings
from rice_stream.runtime.settings.estimating import EstimatingSettings
from rice_stream.runtime.settings.formats import FormatSettings
from rice_stream.runtime.settings.http import HttpSettings
from rice_stream.runtime.settings.kafka import KafkaSettings
from rice_stream.runtime.settings.live_feed import LiveFeedSettings
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.runtime.settings.logs import LogSettings
from rice_stream.runtime.settings.oidc import OidcSettings
from rice_stream.runtime.settings.pact import PactSettings
from rice_stream.runtime.settings.periods import PeriodSettings
from rice_stream.runtime.settings.reports import ReportSettings
from rice_stream.runtime.settings.restating import RestatingSettings
from rice_stream.runtime.settings.section import Rows, Section
from rice_stream.runtime.settings.settings import PREFIX, Settings
from tests.support.docs_reading import codes, first_codes, rows, section, text_of
from tests.support.places import ROOT

EXAMPLE = "deploy/rice.example.toml"


def _documented() -> dict[str, list[str]]:
    table = section(text_of("docs/operations.md"), "## Settings")
    return {codes(cells[0])[0]: cells[1:] for cells in rows(table) if cells[0].startswith(f"`{PREFIX}")}


def _kind(annotation: Any) -> str:
    arguments = [argument for argument in get_args(annotation) if argument is not NoneType]
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if annotation is Rows:
        return "JSON array"
    if get_origin(annotation) is tuple:
        return "comma list"
    if get_origin(annotation) is dict:
        return "comma list of `a=b`"
    if arguments:  # "X | None", or X with bounds
        return _kind(arguments[0])
    names = {
        bool: "`true` or `false`",
        str: "text",
        Path: "path",
        int: "integer",
        float: "number",
        SecretStr: "secret",
    } | {date: "date"}
    return names[annotation]


def _constraints(field: FieldInfo) -> Iterator[Any]:
    """Those of the field, and those of the type that it may have beside None: `Annotated[float, ...] | None`."""
    of_types = (part.__metadata__ for part in get_args(field.annotation) if get_origin(part) is Annotated)
    for constraint in chain(field.metadata, *of_types):
        if isinstance(constraint, annotated_types.GroupedMetadata):
            yield from constraint
        else:
            yield constraint


def _bounds(field: FieldInfo) -> str:
    pieces = []
    for constraint in _constraints(field):
        if isinstance(constraint, annotated_types.Gt):
            pieces.append(f"above {constraint.gt}")
        elif isinstance(constraint, annotated_types.Ge):
            pieces.append(f"from {constraint.ge}")
        elif isinstance(constraint, annotated_types.Le):
            pieces.append(f"to {constraint.le}")
    return " ".join(pieces)


def type_of(field: FieldInfo) -> str:
    """The type as the documentation writes it: `number from 1 to 300`."""
    return " ".join(part for part in (_kind(field.annotation), _bounds(field)) if part)


def default_of(field: FieldInfo) -> str:
    """The default as one would write it into the environment."""
    default = field.get_default(call_default_factory=True)
    if default is None or default in ({}, (), Rows((), ())):
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, tuple):
        return ",".join(default)
    return f"{default:g}" if isinstance(default, float) else str(default)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_type_and_default(name: str) -> None:
    """A user finds each setting, what it may hold and what it is when left alone."""
    kind, default, _unit, meaning = _documented()[f"{PREFIX}{name.upper()}"]
    field = Settings.model_fields[name]
    assert kind == type_of(field)
    assert default.strip("`") == default_of(field)
    assert len(meaning) > 10


def test_the_page_has_the_sections_of_the_code_each_with_its_settings_in_the_same_order() -> None:
    """Who looks for a setting finds it under the same heading as in the code, and the other way round."""
    page = section(text_of("docs/operations.md"), "## Settings")
    headings = re.findall(r"^### (.+)$", page, flags=re.MULTILINE)
    documented = {heading: first_codes(section(page, f"### {heading}")) for heading in headings}
    written: dict[str, type[Section]] = {
        "Kafka": KafkaSettings,
        "Events of other formats": FormatSettings,
        "Database": DatabaseSettings,
        "Estimating": EstimatingSettings,
        "Live carbon intensity": LiveFeedSettings,
        "Batches": BatchSettings,
        "Budgets": BudgetSettings,
        "Channels": DeliverySettings,
        "Checkpoints": CheckpointSettings,
        "Closing months": PeriodSettings,
        "Reports": ReportSettings,
        "Restating": RestatingSettings,
        "PACT": PactSettings,
        "HTTP": HttpSettings,
        "Sign-on": OidcSettings,
        "Logging": LogSettings,
    }
    expected = {heading: [f"{PREFIX}{name.upper()}" for name in part.model_fields] for heading, part in written.items()}
    assert list(written.values()) == list(Settings.sections())
    assert [(heading, names) for heading, names in documented.items() if names] == list(expected.items())


def test_no_documented_setting_is_unknown_to_the_code() -> None:
    """What the page offers exists. RICE_CONFIG names the file and is no setting of its own."""
    assert set(_documented()) - {"RICE_CONFIG"} == {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


def test_a_setting_that_nothing_reads_is_marked_and_no_other() -> None:
    """`not used yet` is said of exactly those settings that no code asks for."""
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "rice_stream").rglob("*.py"))
    idle = {name for name in Settings.model_fields if not re.search(rf"\b(?:settings|_settings|self)\.{name}\b", code)}
    marked = {name for name, cells in _documented().items() if "not used yet" in cells[3]}
    assert marked == {f"{PREFIX}{name.upper()}" for name in idle}


def test_every_unit_in_a_name_is_in_the_unit_column() -> None:
    """`_s` is seconds wherever it stands; the page says so."""
    units = {
        "_requests_per_s": "requests/s",
        "_s": "s",
        "_w": "W",
        "_bytes": "bytes",
        "_days": "days",
        "_tokens": "tokens",
        "_per_kwh": "gCO2e/kWh",
    }
    for name, (_type, _default, unit, _meaning) in _documented().items():
        for suffix, expected in units.items():
            if name.lower().endswith(suffix):
                assert unit == expected, name
                break  # the longer suffix stands first


def test_the_example_file_loads_and_changes_nothing_but_what_it_sets() -> None:
    """`--config rice.example.toml` starts as it is; what is commented out stays at its default."""
    settings = load_settings(ROOT / EXAMPLE, environment={})
    written = tomllib.loads(text_of(EXAMPLE))
    assert {name for name in Settings.model_fields if name in written} == set(written)
    unchanged = set(Settings.model_fields) - set(written)
    assert {name: getattr(settings, name) for name in unchanged} == {
        name: Settings.model_fields[name].get_default(call_default_factory=True) for name in unchanged
    }


def test_the_example_file_shows_every_setting_and_a_commented_one_is_right_once_uncommented() -> None:
    """Every line of the example can be used: removing the '# ' of all of them at once gives valid settings."""
    lines = text_of(EXAMPLE).splitlines()
    uncommented = "\n".join(line.removeprefix("#: ") for line in lines)
    written = tomllib.loads(uncommented)
    assert set(written) == set(Settings.model_fields)
    load_settings(environment={f"{PREFIX}{name.upper()}": _as_environment(value) for name, value in written.items()})


def _as_environment(value: Any) -> str:
    if isinstance(value, list):
        return json.dumps(value) if isinstance(value[0], dict) else ",".join(value)
    if isinstance(value, dict):
        several = ((key, item if isinstance(item, list) else [item]) for key, item in value.items())
        return ",".join(f"{key}={item}" for key, items in several for item in items)
    return str(value)
