"""What is in deploy/ parses, starts as written, and names only settings, metrics and files that exist."""

import configparser
import re
import subprocess

import pytest
import yaml

from rice_stream.api.access.oidc.claims_file import read_claim_rules
from rice_stream.api.server import STOP_TIMEOUT_S
from rice_stream.budgets.parsing import parse_budget_file
from rice_stream.channels.definition import TYPES
from rice_stream.channels.files import parse_channel_file
from rice_stream.channels.keys import key_of
from rice_stream.channels.parsing import SHOWN_FIELDS
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
from tests.support.programs import program

DEPLOY = ROOT / "deploy"
FILES = sorted(path.relative_to(DEPLOY).as_posix() for path in DEPLOY.rglob("*") if path.is_file())
TESTS = [
    path.read_text("utf-8")
    for room in ("docs", "monitoring")
    for path in (ROOT / "tests" / "unit" / room).glob("test_*.py")
]
PAGES = ("docs/operations.md", "docs/deploying.md")
WHOLE = ("examples", "helm", "grafana", "locks")
"""Folders that are tested and written about as a whole."""


@pytest.mark.parametrize("name", FILES)
def test_every_file_in_deploy_is_known_to_a_test_and_to_the_documentation(name: str) -> None:
    """A file that nobody checks would rot."""
    known = name.partition("/")[0] if name.startswith(WHOLE) else name.rpartition("/")[2]
    assert any(known in text for text in TESTS)
    assert any(known in text_of(page) for page in PAGES)


@pytest.mark.parametrize("name", FILES)
def test_every_setting_named_in_deploy_exists(name: str) -> None:
    """A misspelt RICE_* variable would keep the worker from starting."""
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields} | {"RICE_CONFIG"}
    assert set(re.findall(r"\bRICE_[A-Z0-9_]+\b(?!_)", text_of(f"deploy/{name}"))) <= known


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


def test_the_example_channels_are_accepted_as_they_are() -> None:
    """`rice-stream channel apply deploy/channels.example.yaml` sets one channel of each type; every field of a file is shown."""
    loaded = yaml.safe_load(text_of("deploy/channels.example.yaml"))
    variables = {
        "ACME_SLACK_URL": "https://hooks.slack.com/services/T/B/x",
        "FINANCE_MAIL_URL": "smtp://rice@mail.example.com:587?from=rice@example.com&to=cfo@example.com,ops@example.com",
        **dict.fromkeys(("OPS_WEBHOOK_SECRET", "OPS_WEBHOOK_SECRET_BEFORE"), key_of(bytes(32))),
        **dict.fromkeys(("PAGERDUTY_ROUTING_KEY", "FINANCE_MAIL_PASSWORD"), "x"),
    }
    asked = parse_channel_file(loaded, variables.get)
    assert {each.channel.type for each in asked} == set(TYPES)
    shown = set().union(*loaded["channels"])
    assert shown == {"url", "url_env", "secret_env", "remind_every"} | set(SHOWN_FIELDS) - {"remind_every_s"}


def test_the_example_of_a_claims_file_is_accepted_as_it_is() -> None:
    """And gives nobody every tenant but those who are said to have them."""
    rules = read_claim_rules(ROOT / "deploy" / "claims.example.yaml")
    assert rules.groups_of({"groups": ["ai-finance", "unknown"]}) == ("ai-finance",)
    everywhere = [name for name, grant in rules.groups.items() if grant.tenants is None]
    assert everywhere == ["platform-admins", "internal-audit"]


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


# --- rice-stream-worker.service, rice-stream-server.service, rice-stream-migrate.service ----------------------------------

UNITS = {"worker": "worker", "server": "serve", "migrate": "migrate"}


def unit(name: str) -> dict[str, dict[str, str]]:
    """The sections of a unit; of a key that is there twice, the last."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text_of(f"deploy/rice-stream-{name}.service"))
    return {section: dict(parser[section]) for section in parser.sections()}


@pytest.mark.parametrize("name", UNITS)
def test_a_systemd_unit_starts_its_command_as_somebody_without_rights(name: str) -> None:
    """The unit parses, and gives away as little of the machine as `systemd-analyze` knows to ask for."""
    service = unit(name)["Service"]
    assert service["ExecStart"].split() == ["/opt/rice/bin/rice-stream", UNITS[name]]
    assert service["User"] == service["Group"] == "rice"
    path = str(DEPLOY / f"rice-stream-{name}.service")
    command = [program("systemd-analyze"), "security", "--offline=true", "--threshold=20", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


@pytest.mark.parametrize("name", ["worker", "server"])
def test_a_systemd_unit_does_not_start_again_what_settings_have_ended(name: str) -> None:
    """Exit code 2 is a mistake in them; all else is tried again, at the machine's start too."""
    assert unit(name)["Service"]["RestartPreventExitStatus"] == "2"
    assert unit(name)["Service"]["Restart"] == "on-failure"
    assert unit(name)["Install"]["WantedBy"] == "multi-user.target"


def test_systemd_waits_longer_than_a_process_may_need_to_stop_and_kills_no_migration() -> None:
    """A worker stores what it has fetched, a server answers what it has begun to answer."""
    store_retry_s = Settings.model_fields["store_retry_s"].get_default()
    assert int(unit("worker")["Service"]["TimeoutStopSec"]) > 30 + store_retry_s
    assert int(unit("server")["Service"]["TimeoutStopSec"]) > STOP_TIMEOUT_S
    assert unit("migrate")["Service"]["TimeoutStartSec"] == "infinity"
    assert unit("migrate")["Service"]["Type"] == "oneshot"
