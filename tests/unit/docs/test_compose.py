"""deploy/compose.yaml is what Compose takes, starts as written, and knows the variables that compose.example.env shows."""

import hashlib
import itertools
import json
import re
import subprocess
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest
import yaml

from rice_stream.runtime.settings.loading import load_settings
from tests.support.cases import some
from tests.support.docs_reading import text_of
from tests.support.places import ROOT, SUPPORT
from tests.support.programs import program

COMPOSE = text_of("deploy/compose.yaml")
VENDORED = SUPPORT / "vendor" / "compose-spec"
NEEDED = {"POSTGRES_PASSWORD": "secret", "SERVER_PASSWORD": "other", "GRAFANA_PASSWORD": "third"}
CHOICES: dict[str, tuple[str | None, ...]] = {
    "RICE_SECRETS_KEY": (None, "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
    "IMAGE": (None, "registry.example/rice-stream:1.2"),
    "IMAGE_LOCK": (None, "image-full"),
    "IMAGE_EXTRAS": (None, "all,parquet,reports,otel"),
    "SETTINGS_FILE": (None, "../elsewhere.env"),
    "BUDGETS_FILE": (None, "./mine.yaml"),
    "ALERTMANAGER_FILE": (None, "./mine-too.yaml"),
    "WORKER_PORT": (None, "16066"),
    "SERVER_PORT": (None, "18080"),
    "PROMETHEUS_PORT": (None, "19090"),
    "ALERTMANAGER_PORT": (None, "19093"),
    "GRAFANA_PORT": (None, "13000"),
}
"""What a variable may be, beside left out."""
PROFILES: tuple[frozenset[str], ...] = (frozenset(), frozenset({"monitoring"}), frozenset({"cli", "monitoring"}))
OURS = {"migrate", "worker", "server", "cli", "token"}
_VARIABLE = re.compile(r"\$\$|\$\{([A-Z_]+)(?:(:-|:\?)([^}]*))?\}")


def combinations() -> list[dict[str, str]]:
    """Every combination of the variables' values."""
    found = itertools.product(*CHOICES.values())
    return [{name: value for name, value in zip(CHOICES, values, strict=True) if value} for values in found]


def compose(variables: Mapping[str, str] = {}) -> dict[str, Any]:
    """The file as Compose reads it, with these variables and those that are needed."""
    given = {**NEEDED, **variables}

    def value(match: re.Match[str]) -> str:
        name, how, other = match.groups()
        if name is None:
            return "$"
        if how == ":-":
            return given.get(name) or other
        assert name in given, f"{name} has no value"
        return given[name]

    loaded: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(value, COMPOSE))
    return loaded


def test_the_schema_is_the_specifications_as_it_is() -> None:
    """Vendored with its licence, unchanged."""
    digest = hashlib.sha256((VENDORED / "compose-spec.json").read_bytes()).hexdigest()
    assert digest in (VENDORED / "README.md").read_text("utf-8")
    assert "Apache License" in (VENDORED / "LICENSE").read_text("utf-8")


@pytest.mark.parametrize("variables", some("compose", combinations(), 12), ids=lambda given: ",".join(given) or "none")
def test_every_combination_of_variables_gives_a_file_that_compose_takes_and_settings_that_load(
    variables: dict[str, str],
) -> None:
    """By the specification's own schema; and each of our containers starts with what it is given."""
    loaded = compose(variables)
    schema = json.loads((VENDORED / "compose-spec.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(loaded)
    services = loaded["services"]
    image = variables.get("IMAGE", "rice-stream")
    assert {name for name, service in services.items() if service["image"] == image} == OURS
    for name in OURS:
        settings = load_settings(environment=services[name]["environment"])
        assert settings.kafka_bootstrap_servers == "kafka:19092"
        login = "rice_http:other" if name == "server" else "rice:secret"
        assert settings.database_url.get_secret_value() == f"postgresql://{login}@postgres:5432/rice"
        assert settings.secrets_key is None or "RICE_SECRETS_KEY" in variables
        given = {"LOCK": variables.get("IMAGE_LOCK", "image"), "EXTRAS": variables.get("IMAGE_EXTRAS", "all")}
        assert services[name]["build"]["args"] == given
        assert (ROOT / "deploy" / "locks" / f"{given['LOCK']}.lock").is_file()


def test_the_example_of_variables_has_those_of_the_file_and_no_others() -> None:
    """With the defaults that hold where one is left out."""
    written = dict(re.findall(r"^([A-Z_]+)=(.*)$", text_of("deploy/compose.example.env"), flags=re.MULTILINE))
    used = {name: other for name, how, other in _VARIABLE.findall(COMPOSE) if name and how == ":-"}
    assert (
        set(written)
        == {*NEEDED, *CHOICES}
        == {name for name, _, _ in _VARIABLE.findall(COMPOSE) if name} | {"GRAFANA_PASSWORD"}
    )
    assert {name: value for name, value in written.items() if name not in NEEDED} == used


@pytest.mark.parametrize("profiles", PROFILES, ids=lambda profiles: "+".join(sorted(profiles)) or "none")
def test_a_service_waits_only_for_what_its_profiles_start_and_what_can_be_waited_for(profiles: frozenset[str]) -> None:
    """`service_healthy` needs a health check, its own or its image's; what is not started is never waited for."""
    services = compose()["services"]
    started = {name for name, service in services.items() if set(service.get("profiles", profiles)) <= profiles}
    for name in started:
        for other, wait in services[name].get("depends_on", {}).items():
            assert other in started, (name, other)
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in services[other] or other in OURS
            if wait["condition"] == "service_completed_successfully":
                assert "restart" not in services[other], "what is started again never completes"


def test_nothing_of_ours_may_write_or_gain_rights() -> None:
    """Files are read-only but for /tmp, and nobody is root but the job that writes a volume of root's."""
    for name in OURS:
        service = compose()["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert ("user" in service) == (name == "token")


def test_the_topics_are_those_of_the_default_settings_and_ports_are_published_on_loopback_only() -> None:
    """The worker creates no topics; and nothing of the example is open to the network."""
    script = compose()["services"]["topics"]["command"][0]
    settings = load_settings(environment={})
    wanted = [*settings.events_topics, settings.alerts_topic]
    assert re.findall(r"^create (\S+) \d+$", script, flags=re.MULTILINE) == wanted
    ports = [port for service in compose()["services"].values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert f"127.0.0.1:{settings.worker_http_port}:{settings.worker_http_port}" in ports
    assert f"127.0.0.1:{settings.http_port}:{settings.http_port}" in ports


def test_what_is_mounted_built_and_read_exists() -> None:
    """Paths in the file are right as seen from deploy/; the server's proxies are the network of the file."""
    loaded = compose()
    for service in loaded["services"].values():
        if "build" in service:
            context = (ROOT / "deploy" / service["build"]["context"]).resolve()
            assert (context / service["build"]["dockerfile"]).is_file()
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if not source.startswith("."):
                assert source in loaded["volumes"]
            elif not source.startswith("./grafana"):
                assert (ROOT / "deploy" / source).is_file()
        assert set(service.get("secrets", [])) <= set(loaded["secrets"])
    [network] = loaded["networks"]["default"]["ipam"]["config"]
    assert loaded["services"]["server"]["environment"]["RICE_HTTP_TRUSTED_PROXIES"] == network["subnet"]


def test_prometheus_scrapes_what_compose_starts_and_alertmanager_takes_its_alerts() -> None:
    """prometheus.yaml and alertmanager.example.yaml: names, ports and files are those of compose.yaml."""
    services = compose()["services"]
    loaded = yaml.safe_load(text_of("deploy/prometheus.yaml"))
    targets = [
        target for job in loaded["scrape_configs"] for part in job["static_configs"] for target in part["targets"]
    ]
    targets += loaded["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert targets == ["worker:6066", "server:8080", "alertmanager:9093"]
    for target in targets:
        name, _, port = target.partition(":")
        assert any(published.endswith(f":{port}") for published in services[name]["ports"])
    [rules] = loaded["rule_files"]
    assert f"./{rules}:/etc/prometheus/{rules}:ro" in services["prometheus"]["volumes"]
    assert yaml.safe_load(text_of("deploy/alertmanager.example.yaml"))["route"]["receiver"] == "nobody"


def test_prometheus_and_alertmanager_take_their_files() -> None:
    """Said by their own tools."""
    files = {
        "promtool check config --syntax-only": "prometheus.yaml",
        "amtool check-config": "alertmanager.example.yaml",
    }
    for asked, name in files.items():
        tool, *arguments = asked.split()
        command = [program(tool), *arguments, str(ROOT / "deploy" / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr
