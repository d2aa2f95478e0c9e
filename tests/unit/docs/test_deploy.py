"""What is in deploy/ parses, starts as written, and names only settings, metrics and files that exist."""

import configparser
import re
import shlex
from typing import Any

import pytest
import yaml

from rice_stream.api.access.oidc.claims_file import read_claim_rules
from rice_stream.budgets.parsing import parse_budget_file
from rice_stream.events.formats.otlp.proto import read as read_spans
from rice_stream.events.formats.otlp.span import OtlpSpan, wanted_names
from rice_stream.events.formats.otlp.spans import decode_proto
from rice_stream.events.formats.reading.items import ItemOrigin
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.records import RawRecord
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.runtime.settings.settings import PREFIX, Settings
from tests.support.docs_reading import text_of
from tests.support.format_payloads import OTLP_PAYLOADS, as_protobuf
from tests.support.places import ROOT

FILES = sorted(path.name for path in (ROOT / "deploy").iterdir() if path.is_file())
ELSEWHERE = ("tests/unit/docs/test_settings.py", "tests/unit/monitoring/test_rules.py")
"""Tests of other files of deploy/, besides this one."""


@pytest.mark.parametrize("name", FILES)
def test_every_file_in_deploy_is_known_to_a_test_and_to_the_documentation(name: str) -> None:
    """A file that nobody checks would rot."""
    assert any(name in text_of(path) for path in ("tests/unit/docs/test_deploy.py", *ELSEWHERE))
    assert name in text_of("docs/operations.md") or name.endswith(".service")


@pytest.mark.parametrize("name", FILES)
def test_every_setting_named_in_deploy_exists(name: str) -> None:
    """A misspelt RICE_* variable would keep the worker from starting."""
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields} | {"RICE_CONFIG"}
    assert set(re.findall(r"\bRICE_[A-Z0-9_]+\b", text_of(f"deploy/{name}"))) <= known


def test_the_example_budgets_are_accepted_as_they_are() -> None:
    """`rice-stream budget apply deploy/budgets.example.yaml` sets four budgets; every field of a budget is shown."""
    loaded = yaml.safe_load(text_of("deploy/budgets.example.yaml"))
    budgets = parse_budget_file(loaded)
    assert [budget.name for budget in budgets] == ["acme-month", "search-day", "ranker-large-model", "u-17"]
    assert budgets[1].limit == 12 * 10**9  # kWh in uWh
    assert budgets[2].limit == 2_500_500_000  # gCO2e in ugCO2e
    shown = set().union(*loaded["budgets"])
    from rice_stream.budgets.parsing import FIELDS

    assert shown == set(FIELDS)


def test_the_example_of_a_claims_file_is_accepted_as_it_is() -> None:
    """And gives nobody every tenant but those who are said to have them."""
    rules = read_claim_rules(ROOT / "deploy" / "claims.example.yaml")
    assert rules.groups_of({"groups": ["ai-finance", "unknown"]}) == ("ai-finance",)
    everywhere = [name for name, grant in rules.groups.items() if grant.tenants is None]
    assert everywhere == ["platform-admins", "internal-audit"]


# --- compose.yaml --------------------------------------------------------------------------------------------------------


def compose() -> dict[str, Any]:
    """The file as Compose reads it, with a password in the environment."""
    text = re.sub(r"\$\{POSTGRES_PASSWORD[^}]*}", "secret", text_of("deploy/compose.yaml"))
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def test_compose_gives_every_rice_service_settings_that_load() -> None:
    """The environment of each of our containers is accepted as a whole."""
    ours = [name for name, service in compose()["services"].items() if service.get("image") == "rice-stream"]
    assert ours == ["migrate", "worker", "cli"]
    for name in ours:
        settings = load_settings(environment=compose()["services"][name]["environment"])
        assert settings.kafka_bootstrap_servers == "kafka:19092"
        assert settings.database_url.get_secret_value() == "postgresql://rice:secret@postgres:5432/rice"


def test_compose_waits_only_for_services_that_exist_and_can_be_waited_for() -> None:
    """`service_healthy` needs a health check; a dependency that is not there would stop the start."""
    services = compose()["services"]
    for service in services.values():
        for name, wait in service.get("depends_on", {}).items():
            assert name in services
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in services[name]


def test_compose_makes_the_topics_of_the_default_settings_and_publishes_to_loopback_only() -> None:
    """The worker creates no topics; and nothing of the example is open to the network."""
    script = compose()["services"]["topics"]["command"][0]
    settings = load_settings(environment={})
    assert re.findall(r"^create (\S+) \d+$", script, flags=re.MULTILINE) == [
        *settings.events_topics,
        settings.alerts_topic,
    ]
    ports = [port for service in compose()["services"].values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert f"127.0.0.1:{settings.worker_http_port}:{settings.worker_http_port}" in ports


def test_compose_mounts_and_builds_from_files_that_exist() -> None:
    """Paths in the file are right as seen from deploy/."""
    for service in compose()["services"].values():
        if "build" in service:
            context = (ROOT / "deploy" / service["build"]["context"]).resolve()
            assert (context / service["build"]["dockerfile"]).is_file()
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (ROOT / "deploy" / source).is_file()
            else:
                assert source in compose()["volumes"]


# --- otel-collector.example.yaml, litellm.example.yaml -------------------------------------------------------------------


def test_the_collector_example_is_whole_and_sends_what_the_worker_is_told_to_expect() -> None:
    """Every name in its pipelines is defined; topic and encoding are those of the settings that it tells to make."""
    loaded = yaml.safe_load(text_of("deploy/otel-collector.example.yaml"))
    [(_, pipeline)] = loaded["service"]["pipelines"].items()
    for part in ("receivers", "processors", "exporters"):
        assert set(pipeline[part]) <= set(loaded[part])
    traces = loaded["exporters"]["kafka"]["traces"]
    written = re.findall(r"RICE_\w+=[\w,=-]+", text_of("deploy/otel-collector.example.yaml"))
    settings = load_settings(environment=dict(setting.split("=", 1) for setting in written))
    assert traces["topic"] in settings.events_topics
    assert settings.format_options().format_of(traces["topic"]) == "otlp"
    assert traces["encoding"] == "otlp_proto"
    batch = loaded["processors"]["batch"]
    assert batch["send_batch_size"] <= batch["send_batch_max_size"], "the Collector refuses to start otherwise"


def kept_by_the_collector() -> set[str]:
    """Attributes of which one is enough for a span to pass the filter of the example."""
    loaded = yaml.safe_load(text_of("deploy/otel-collector.example.yaml"))
    [dropped_if] = loaded["processors"]["filter/llm"]["traces"]["span"]
    names = re.findall(r'attributes\["([^"]+)"\] == nil', dropped_if)
    assert dropped_if == " and ".join(f'attributes["{name}"] == nil' for name in names), "nothing else is asked"
    return set(names)


def test_the_collector_example_keeps_every_spelling_of_a_count_that_the_decoder_reads() -> None:
    """A span without any of them is `no_usage`; one that the filter drops is gone before anything could say so."""
    from rice_stream.events.formats.otlp import attributes as otlp_attributes
    from rice_stream.events.formats.otlp import langfuse

    assert kept_by_the_collector() == {*otlp_attributes.INPUT, *otlp_attributes.OUTPUT, langfuse.USAGE_DETAILS}


@pytest.mark.parametrize("name", OTLP_PAYLOADS)
def test_the_collector_example_keeps_every_sample_span_that_is_an_event(name: str) -> None:
    """What real instrumentations wrote, span by span."""
    value = as_protobuf(OTLP_PAYLOADS[name])
    options = FormatOptions()
    items = decode_proto(value, ItemOrigin(RawRecord("otlp_spans", 0, 0, value)), options)
    spans = read_spans(value, wanted_names(options), frozenset())
    assert items is not None
    assert spans is not None
    for span, item in zip(spans, items, strict=True):
        if isinstance(item, dict) and isinstance(span, OtlpSpan) and not span.is_log:
            assert kept_by_the_collector() & set(span.attributes)


def test_the_collector_example_deletes_every_attribute_that_holds_text() -> None:
    """What the decoders know as text is taken off before it travels, and nothing that they read of a span is."""
    from rice_stream.events.formats.otlp import attributes as otlp_attributes

    actions = yaml.safe_load(text_of("deploy/otel-collector.example.yaml"))["processors"]["attributes/no-text"][
        "actions"
    ]
    exact = {action["key"] for action in actions if "key" in action}
    patterns = [action["pattern"] for action in actions if "pattern" in action]

    def is_deleted(name: str) -> bool:
        return name in exact or any(re.search(pattern, name) for pattern in patterns)

    assert [name for name in sorted(otlp_attributes.TEXT) if not is_deleted(name)] == []
    assert [name for name in sorted(otlp_attributes.WANTED) if is_deleted(name)] == []


def test_the_litellm_example_names_a_callback_that_exists() -> None:
    """LiteLLM imports the object by this name."""
    [name] = yaml.safe_load(text_of("deploy/litellm.example.yaml"))["litellm_settings"]["callbacks"]
    module, _, attribute = name.rpartition(".")
    source = text_of(f"{module.replace('.', '/')}.py")
    assert re.search(rf"^{attribute} = ", source, flags=re.MULTILINE)


# --- Dockerfile ----------------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """(instruction, rest) in order; continued lines are joined, comments left out."""
    text = "\n".join(line for line in text_of("deploy/Dockerfile").splitlines() if not line.startswith("#"))
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def test_the_image_has_two_stages_and_runs_as_somebody_without_rights() -> None:
    """What builds is not what runs, and what runs is not root."""
    known = {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "USER", "EXPOSE", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in instructions()} <= known
    stages = [rest for name, rest in instructions() if name == "FROM"]
    assert len(stages) == 2
    assert stages[0].endswith(" AS build")
    last = instructions()[[i for i, (name, _) in enumerate(instructions()) if name == "FROM"][-1] :]
    users = [rest for name, rest in last if name == "USER"]
    assert users == ["10001"]
    after_user = [name for name, _ in last[[name for name, _ in last].index("USER") :]]
    assert "RUN" not in after_user
    assert dict(last)["ENTRYPOINT"] == '["rice-stream"]'


def test_the_image_copies_files_that_exist_and_everything_the_wheel_is_made_of() -> None:
    """A COPY of a file that is gone fails the build; a missing one fails the wheel."""
    copied = []
    for name, rest in instructions():
        if name == "COPY" and "--from" not in rest:
            *sources, _target = shlex.split(rest)
            copied += sources
    assert all((ROOT / source).exists() for source in copied)
    assert {"pyproject.toml", "requirements.lock", "README.md", "LICENSE", "rice_stream", "migrations"} <= set(copied)


# --- rice-stream-worker.service ----------------------------------------------------------------------------------------------


def test_the_systemd_unit_starts_the_worker_and_gives_it_time_to_finish() -> None:
    """The unit parses, does not restart on wrong settings, and waits longer than a worker may need to stop."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text_of("deploy/rice-stream-worker.service"))
    assert parser.sections() == ["Unit", "Service", "Install"]
    service = dict(parser["Service"])
    assert service["ExecStart"].split()[-2:] == ["/opt/rice/bin/rice-stream", "worker"]
    assert service["RestartPreventExitStatus"] == "2"
    assert service["User"] != "root"
    assert int(service["TimeoutStopSec"]) > 30 + Settings.model_fields["store_retry_s"].get_default()
