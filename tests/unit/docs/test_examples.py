"""deploy/examples: each is a settings file that loads as it is, with the secrets that it asks for in the environment."""

import configparser
import re
from pathlib import Path

import pytest
from sqlalchemy import make_url

from rice_stream.runtime.opening_kafka import kafka_config
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store.engine import open_engine
from tests.support.docs_reading import section, text_of
from tests.support.pgbouncer import CONFIG
from tests.support.places import ROOT

EXAMPLES = ROOT / "deploy" / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.toml"))
DATABASES = {"rds", "cloud-sql", "azure-flexible-server", "pgbouncer"}


def asked_for(name: str) -> dict[str, str]:
    """The settings that the example's comments say to put into the environment."""
    asked = re.findall(r"^#   (RICE_\w+)=\.\.\.", text_of(f"deploy/examples/{name}.toml"), flags=re.MULTILINE)
    return {setting: "postgresql://a:b@c/d" if setting.endswith("_URL") else "secret" for setting in asked}


@pytest.mark.parametrize("name", NAMES)
def test_an_example_loads_with_what_it_asks_for_and_contradicts_itself_nowhere(name: str, tmp_path: Path) -> None:
    """With every setting that the clients need; a line that is commented out can be used as well."""
    text = text_of(f"deploy/examples/{name}.toml")
    token = tmp_path / "token"
    token.write_text("token")
    used = tmp_path / "rice.toml"
    used.write_text(re.sub(r"/run/rice/kafka-token", str(token), re.sub(r"^#: (.*)$", r"\1", text, flags=re.MULTILINE)))
    for path in (EXAMPLES / f"{name}.toml", used):
        settings = load_settings(path, environment=asked_for(name))
        open_engine(settings.database_url.get_secret_value()).dispose()
        assert settings.progress_timeout_s > settings.store_retry_s
    if name not in DATABASES:
        ours = load_settings(EXAMPLES / f"{name}.toml", environment=asked_for(name)).model_copy(
            update={"kafka_sasl_oauth_token_file": token} if name == "msk-iam" else {}
        )
        kafka_config(ours).check()
        assert ours.kafka_security_protocol == "SASL_SSL"


@pytest.mark.parametrize("name", sorted(DATABASES))
def test_an_example_of_a_database_has_no_password_in_it_and_says_who_is_at_the_other_end(name: str) -> None:
    """TLS with the name checked, or the provider's own proxy on this machine."""
    url = make_url(load_settings(EXAMPLES / f"{name}.toml", environment={}).database_url.get_secret_value())
    assert url.password is None
    assert url.query["sslmode"] == ("disable" if url.host == "127.0.0.1" else "verify-full")


def test_every_example_is_in_the_table_of_managed_services() -> None:
    """docs/deploying.md leads to each."""
    table = section(text_of("docs/deploying.md"), "## Managed services")
    for path in EXAMPLES.iterdir():
        assert f"`{path.name}`" in table


def test_the_example_of_a_pooler_is_the_one_that_the_tests_run_with() -> None:
    """pgbouncer.ini: what the store's and the worker's tests behind PgBouncer set, in the words of the example."""
    shown, tested = configparser.ConfigParser(), configparser.ConfigParser()
    shown.read_string(text_of("deploy/examples/pgbouncer.ini"))
    tested.read_string(CONFIG)
    for name in ("pool_mode", "max_client_conn", "ignore_startup_parameters"):
        assert shown["pgbouncer"][name] == tested["pgbouncer"][name]
