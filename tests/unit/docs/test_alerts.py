"""docs/alerts.md: its examples are what is sent, and its programs verify it."""

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from rice_stream.channels.definition import Channel, HttpMessage, Parcel, Secrets
from rice_stream.channels.keys import key_of
from rice_stream.channels.letters import NOTICE_TYPE, STATEMENT_TYPE
from rice_stream.channels.messages import alertmanager, pagerduty, webhook
from rice_stream.channels.signing import private_key, public_key, signed_headers
from rice_stream.instants import parse_instant
from tests.support.alert_events import EVENT
from tests.support.docs_reading import blocks, section, text_of

PAGE = text_of("docs/alerts.md")
NOW = parse_instant("2026-11-22T19:00:01Z")
PARCEL = Parcel("msg_1", "alert", {"alerts": [EVENT]})
SECRET, PRIVATE = key_of(b"k" * 32), private_key(b"p" * 32)
BODY = json.dumps(EVENT).encode()


def sent(kind: str) -> Any:
    """The body of the alert of the examples."""
    makers = {"webhook": webhook.messages, "alertmanager": alertmanager.messages, "pagerduty": pagerduty.messages}
    secrets = Secrets("https://receiver.example", (SECRET if kind == "webhook" else "INTEGRATION-KEY",))
    channel = Channel("ops", kind, "x")  # type: ignore[arg-type]
    (message,) = makers[kind](PARCEL, channel, secrets, public_url="https://rice.example", now=NOW)
    assert isinstance(message, HttpMessage)
    return json.loads(message.body)


@pytest.mark.parametrize(
    ("heading", "kind"), [("## Webhook", "webhook"), ("## Alertmanager", "alertmanager"), ("## PagerDuty", "pagerduty")]
)
def test_the_examples_are_what_is_sent(heading: str, kind: str) -> None:
    (example,) = blocks(section(PAGE, heading), "json")
    assert json.loads(example) == sent(kind)


def test_every_type_of_event_is_listed() -> None:
    types = [webhook.REMINDER_TYPE, webhook.DIGEST_TYPE, webhook.TEST_TYPE, NOTICE_TYPE, STATEMENT_TYPE, EVENT["type"]]
    assert [each for each in types if f"`{each}`" not in PAGE] == []
    names = [*alertmanager.NAMES.values(), alertmanager.TEST_NAME, alertmanager.NOTICE_NAME]
    assert [each for each in names if f"`{each}`" not in PAGE] == []


def headers(*keys: str) -> dict[str, str]:
    return signed_headers(keys, "msg_1", BODY, int(time.time()))


def test_the_python_of_the_page_takes_our_messages_and_no_others() -> None:
    (program,) = blocks(section(PAGE, "### Verify the signature"), "python")
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 - it is ours
    for keys in ([SECRET], [key_of(b"n" * 32), SECRET], [PRIVATE, SECRET]):
        names["verify"](SECRET, headers(*keys), BODY)
    for given, body in ((headers(key_of(b"n" * 32)), BODY), (headers(SECRET), BODY + b" ")):
        with pytest.raises(ValueError, match="no signature fits"):
            names["verify"](SECRET, given, body)
    with pytest.raises(ValueError, match="too old"):
        names["verify"](SECRET, signed_headers([SECRET], "msg_1", BODY, int(time.time()) - 301), BODY)


def run_shell(program: str, given: dict[str, str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "ID": given["webhook-id"],
        "TIMESTAMP": given["webhook-timestamp"],
        "SIGNATURE": given["webhook-signature"],
        **variables,
    }
    shell = shutil.which("sh")
    assert shell is not None
    return subprocess.run(
        [shell, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=30
    )


def test_the_shell_of_the_page_takes_our_messages_and_no_others(tmp_path: Path) -> None:
    with_secret, with_public = blocks(section(PAGE, "### Verify the signature"), "sh")
    (tmp_path / "body").write_bytes(BODY)
    given = headers(SECRET, PRIVATE)
    assert run_shell(with_secret, given, tmp_path, SECRET=SECRET).stdout == "good\n"
    assert "Verified Successfully" in run_shell(with_public, given, tmp_path, PUBLIC=public_key(PRIVATE)).stdout
    (tmp_path / "body").write_bytes(BODY + b" ")
    assert run_shell(with_secret, given, tmp_path, SECRET=SECRET).stdout == "bad\n"
    assert run_shell(with_public, given, tmp_path, PUBLIC=public_key(PRIVATE)).returncode != 0


def test_the_settings_of_alertmanager_name_labels_that_it_gets() -> None:
    (written,) = blocks(section(PAGE, "## Alertmanager"), "yaml")
    settings = yaml.safe_load(written)
    (rule,) = settings["inhibit_rules"]
    (alert,) = sent("alertmanager")
    assert set(settings["route"]["group_by"]) | set(rule["equal"]) <= set(alert["labels"])
