"""Settings: environment over file, one error for all problems, typos are never silent."""

import json
from pathlib import Path

import pytest

from rice_stream.errors import UsageError
from rice_stream.runtime.settings.loading import load_settings


def test_defaults_are_those_of_the_contract() -> None:
    settings = load_settings(environment={})
    assert settings.kafka_group_id == "rice-stream"
    assert settings.events_topics == ("llm-requests",)
    assert settings.alerts_topic == "carbon-alerts"
    assert settings.database_url.get_secret_value() == "sqlite:///rice.db"
    assert (settings.http_host, settings.http_port, settings.worker_http_port) == ("127.0.0.1", 8080, 6066)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "rice.toml"
    file.write_text('kafka_group_id = "from-file"\nevents_topics = ["a", "b"]\n')
    settings = load_settings(environment={"RICE_CONFIG": str(file), "RICE_KAFKA_GROUP_ID": "from-environment"})
    assert settings.kafka_group_id == "from-environment"
    assert settings.events_topics == ("a", "b")


def test_every_problem_is_listed_at_once_by_name(tmp_path: Path) -> None:
    """Nobody should have to start a worker five times to find five mistakes."""
    file = tmp_path / "rice.toml"
    file.write_text("pue = 0.5\nno_such_thing = 1\n")
    environment = {"RICE_RCI_SCOPE": "both", "RICE_WORKER_HTTP_PORT": "high", "RICE_KAFKA_BOOTSTRAP_SERVER": "x:1"}
    with pytest.raises(UsageError) as raised:
        load_settings(file, environment)
    message = str(raised.value)
    for name in ("RICE_PUE", "no_such_thing", "RICE_RCI_SCOPE", "RICE_WORKER_HTTP_PORT", "RICE_KAFKA_BOOTSTRAP_SERVER"):
        assert name in message


def test_a_secret_is_in_no_message_and_no_text() -> None:
    environment = {"RICE_KAFKA_SASL_PASSWORD": "hunter2", "RICE_DATABASE_URL": "postgresql://u:hunter2@h/d"}
    assert "hunter2" not in repr(load_settings(environment=environment))
    with pytest.raises(UsageError) as raised:
        load_settings(environment={**environment, "RICE_PUE": "9"})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("text", ["", " , ", ","])
def test_no_events_topic_at_all_is_a_problem(text: str) -> None:
    with pytest.raises(UsageError, match="RICE_EVENTS_TOPICS"):
        load_settings(environment={"RICE_EVENTS_TOPICS": text})


def test_a_missing_or_broken_file_says_which(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.toml"):
        load_settings(tmp_path / "nowhere.toml", {})
    broken = tmp_path / "broken.toml"
    broken.write_text("= 1")
    with pytest.raises(UsageError, match="is not TOML"):
        load_settings(broken, {})


def test_formats_and_rules_come_from_the_environment_and_from_a_file_alike(tmp_path: Path) -> None:
    """One spelling for a line of the environment, tables for the file; both make the same options."""
    file = tmp_path / "rice.toml"
    file.write_text(
        """
        events_topics = ["spans", "logs"]
        event_formats = { spans = "otlp" }
        attribution_attributes = { tenant_id = ["service.namespace", "service.name"] }
        [[attribution_rules]]
        attribute = "kafka.key"
        pattern = "(.*)-eu"
        table = { acme = "Acme" }
        """
    )
    environment = {
        "RICE_EVENTS_TOPICS": "spans,logs",
        "RICE_EVENT_FORMATS": "spans=otlp",
        "RICE_ATTRIBUTION_ATTRIBUTES": "tenant_id=service.namespace,tenant_id=service.name",
        "RICE_ATTRIBUTION_RULES": '[{"attribute": "kafka.key", "pattern": "(.*)-eu", "table": {"acme": "Acme"}}]',
    }
    options = load_settings(file, {}).format_options()
    assert options == load_settings(environment=environment).format_options()
    assert (options.format_of("spans"), options.format_of("logs")) == ("otlp", "auto")
    assert options.rules[0].apply("acme-eu") == "Acme"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("EVENT_FORMATS", "llm-requests=xml", "xml"),
        ("EVENT_FORMATS", "llm-request=otlp", "RICE_EVENTS_TOPICS"),
        ("EVENT_FORMATS", "otlp", "topic=format"),
        ("ATTRIBUTION_ATTRIBUTES", "tenant=service.name", "tenant_id"),
        ("ATTRIBUTION_RULES", "service.name", "JSON"),
        ("ATTRIBUTION_RULES", '[{"attribute": "a", "pattern": "("}]', "pattern"),
        ("COUNT_LOG_EVENTS", "maybe", "bool"),
        ("HTTP_BODY_MAX_BYTES", "10", "1024"),
    ],
)
def test_a_wrong_format_rule_or_limit_is_named_with_what_is_allowed(name: str, value: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"RICE_{name}") as raised:
        load_settings(environment={f"RICE_{name}": value})
    assert said in str(raised.value)


def test_rules_and_profiles_are_parsed_once_and_keep_how_they_were_written() -> None:
    """What a validator has made is what the pipeline gets; `check` shows the JSON that the operator wrote."""
    written = [{"model": "llama-*", "batch_size": 6}]
    settings = load_settings(environment={"RICE_SERVING_OVERRIDES": json.dumps(written)})
    assert settings.serving_overrides.written == tuple(written)
    assert settings.factor_policy().overrides is settings.serving_overrides.parsed
    assert load_settings(environment={}).factor_policy().overrides == ()


@pytest.mark.parametrize("text", ["{}", "3", '["a"]', "not JSON"])
def test_rows_that_are_no_array_of_objects_are_a_problem(text: str) -> None:
    with pytest.raises(UsageError, match="RICE_SERVING_PROFILES: must be a JSON array of objects"):
        load_settings(environment={"RICE_SERVING_PROFILES": text})


def oidc(**settings: str) -> dict[str, str]:
    """An environment with a provider; "" leaves a setting out."""
    given = {
        "RICE_OIDC_ISSUER": "https://id.example",
        "RICE_OIDC_AUDIENCE": "rice",
        "RICE_OIDC_CLAIMS_FILE": "claims.yaml",
    } | settings
    return {name: value for name, value in given.items() if value}


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        (oidc(RICE_OIDC_ISSUER=""), "RICE_OIDC_AUDIENCE: needs RICE_OIDC_ISSUER"),
        (oidc(RICE_OIDC_AUDIENCE=""), "RICE_OIDC_ISSUER: needs RICE_OIDC_AUDIENCE"),
        (oidc(RICE_OIDC_CLAIMS_FILE=""), "RICE_OIDC_ISSUER: needs RICE_OIDC_CLAIMS_FILE"),
        (oidc(RICE_OIDC_CLIENT_SECRET="s3cret"), "RICE_OIDC_CLIENT_SECRET: needs RICE_OIDC_CLIENT_ID"),
        (oidc(RICE_OIDC_SCOPES="profile"), "RICE_OIDC_SCOPES: must hold openid"),
        ({"RICE_HTTP_TLS_KEY": "key.pem"}, "RICE_HTTP_TLS_CERTIFICATE, RICE_HTTP_TLS_KEY: one needs the other"),
        ({"RICE_HTTP_PUBLIC_URL": "rice.example"}, "RICE_HTTP_PUBLIC_URL: must be https://HOST"),
        ({"RICE_HTTP_PUBLIC_URL": "https://rice.example/x"}, "RICE_HTTP_PUBLIC_URL: must be https://HOST"),
        ({"RICE_HTTP_PUBLIC_URL": "https://u:s3cret@rice.example"}, "RICE_HTTP_PUBLIC_URL: must not hold a name"),
        ({"RICE_HTTP_TRUSTED_PROXIES": "10.0.0.0/8,proxy"}, "RICE_HTTP_TRUSTED_PROXIES: must be a comma list"),
        ({"RICE_HTTP_TRUSTED_PROXIES": "10.0.0.1/8"}, "RICE_HTTP_TRUSTED_PROXIES: must be a comma list"),
    ],
)
def test_settings_of_access_that_need_each_other_say_so(environment: dict[str, str], named: str) -> None:
    with pytest.raises(UsageError) as refused:
        load_settings(environment=environment)
    assert named in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_provider_and_a_public_address_are_read() -> None:
    settings = load_settings(
        environment=oidc(RICE_HTTP_PUBLIC_URL="https://Rice.Example:8443/", RICE_OIDC_CLIENT_ID="r")
    )
    assert settings.http_public_url == "https://rice.example:8443"
    assert settings.oidc_scopes == ("openid", "profile", "email")
