"""deploy/helm/rice-stream: values and their schema, and that what is there has been rendered whole (`tests.rendered_chart`)."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from rice_stream.runtime.settings.settings import Settings
from rice_stream.worker.deadline import stop_limit_s
from tests.support.cases import some
from tests.support.chart import (
    AXES,
    CHART,
    RENDERED,
    Helm,
    Validator,
    check_rendered,
    combinations,
    digest,
    laid_over,
    values_of,
)
from tests.support.docs_reading import text_of
from tests.tools import find

SCHEMA = json.loads((CHART / "values.schema.json").read_text("utf-8"))
VALUES = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))


def test_the_chart_is_what_the_drill_has_rendered_with_every_combination_of_its_values(tmp_path: Path) -> None:
    """To the byte; and where helm is, some combinations are rendered again. After a change: `python -m tests.rendered_chart`."""
    assert json.loads(RENDERED.read_text("utf-8"))["chart"] == digest()
    path = find("helm")
    if path is None:
        return
    helm, validator = Helm(path, tmp_path), Validator()
    for choices in some("chart", combinations(), 3):
        documents = helm.render(values_of(choices))
        check_rendered(documents, choices)
        validator.check(documents)


def test_the_chart_is_of_this_version_and_its_links_lead_to_the_rules_and_the_dashboard() -> None:
    """A release takes the image of its own version."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    version = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (version, version)
    deploy = CHART.parents[1]
    assert (CHART / "files" / "prometheus-rules.yaml").resolve() == deploy / "prometheus-rules.yaml"
    assert (CHART / "files" / "dashboard.json").resolve() == deploy / "grafana" / "dashboards" / "rice-stream.json"


def _changed(path: str, value: object) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(VALUES))
    *above, last = path.split("/")
    part = changed
    for name in above:
        part = part[name]
    part[last] = value
    return changed


def test_the_values_are_as_their_schema_says_and_so_are_those_of_each_choice() -> None:
    """Every key of the values is in the schema, and the other way round."""
    validator = jsonschema.Draft7Validator(SCHEMA)
    validator.validate(VALUES)
    for choice in (choice for axis in AXES.values() for choice in axis.values()):
        validator.validate(laid_over(VALUES, choice))
    for values in (CHART / "ci").glob("*.yaml"):
        validator.validate(laid_over(VALUES, yaml.safe_load(values.read_text("utf-8"))))
    assert _keys(SCHEMA) - {("global",)} == _paths(VALUES)


def _keys(schema: dict[str, Any], above: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Those of objects whose keys are known."""
    known = schema.get("properties", {}) if schema.get("additionalProperties") is False else {}
    return {(*above, name) for name in known}.union(*(_keys(part, (*above, name)) for name, part in known.items()))


def _paths(values: object, above: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Keys of the values, down to where anything may stand."""
    if not isinstance(values, dict) or (above and _free(above)):
        return set()
    return {(*above, name) for name in values}.union(*(_paths(part, (*above, name)) for name, part in values.items()))


def _free(path: tuple[str, ...]) -> bool:
    schema = SCHEMA
    for name in path:
        schema = schema["properties"][name]
    return schema.get("additionalProperties") is not False


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("worker/keda/minReplicas", 0),
        ("worker/replicas", 0),
        ("worker/replica", 2),
        ("migration/mode", "sometimes"),
        ("image/digest", "latest"),
        ("settings/RICE_LOG_FORMAT", "json"),
        ("server/publicUrl", "http://carbon.example.com"),
        ("server/trustedProxies", ["anybody"]),
    ],
)
def test_values_that_would_not_work_are_refused_before_anything_is_installed(path: str, value: object) -> None:
    """No workers at all, a misspelt key, a setting by the wrong name."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(SCHEMA).validate(_changed(path, value))


def test_settings_take_no_secrets_and_nothing_that_the_chart_sets_itself() -> None:
    """A release keeps its values, for everybody who may read Secrets of its namespace; all other settings are taken."""
    refused = set(SCHEMA["$defs"]["settings"]["propertyNames"]["not"]["enum"])
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert secret <= refused <= set(Settings.model_fields)
    for name in Settings.model_fields:
        assert jsonschema.Draft7Validator(SCHEMA).is_valid(_changed(f"settings/{name}", "x")) == (
            name not in refused
        ), name


def test_a_worker_has_the_time_that_it_may_need_to_stop() -> None:
    """With the settings as they are by default."""
    assert VALUES["worker"]["terminationGracePeriodSeconds"] > stop_limit_s(
        Settings.model_fields["store_retry_s"].default
    )
