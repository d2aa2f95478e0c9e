"""Channels of a file: secrets come from variables of the environment only, and it is all of them or none."""

from typing import Any

import pytest

from rice_stream.channels.files import parse_channel_file
from rice_stream.errors import UsageError
from tests.unit.channels.test_keys import HMAC

VARIABLES = {"HOOK_SECRET": HMAC, "OLD_SECRET": HMAC.lower(), "SLACK": "https://hooks.slack.com/x/hunter2", "EMPTY": ""}
HOOK: dict[str, Any] = {
    "name": "ops",
    "type": "webhook",
    "url": "https://example.com/hook",
    "secret_env": "HOOK_SECRET",
}


def test_secrets_come_from_the_variables_that_the_file_names() -> None:
    slack = {"name": "s", "type": "slack", "url_env": "SLACK"}
    found = parse_channel_file({"channels": [{**HOOK, "secret_env": ["HOOK_SECRET"]}, slack]}, VARIABLES.get)
    assert [each.secrets.keys for each in found] == [(HMAC,), ()]
    assert found[1].secrets.address == VARIABLES["SLACK"]
    assert parse_channel_file([HOOK], VARIABLES.get) == found[:1]


@pytest.mark.parametrize(
    ("loaded", "said"),
    [
        ({"channel": []}, "must hold the one key 'channels'"),
        ("x", "must be a list of channels"),
        (["hunter2"], r"channels\[0\]: must be a mapping"),
        ([HOOK, {**HOOK, "type": "teams"}], r"channels\[1\].type: 'teams'"),
        ([HOOK, HOOK], r"channels\[1\].name: 'ops' is already the name of channels\[0\]"),
        ([HOOK, {**HOOK, "tenants": ["acme"]}], r"channels\[1\].name: 'ops' is already the name of channels\[0\]"),
        ([{**HOOK, "secret": "hunter2"}], r"channels\[0\].secret: does not belong in a file"),
        ([{**HOOK, "new_secret": True}], "new_secret: does not belong"),
        ([{**HOOK, "secret_env": None}], "secret_env: is missing"),
        ([{**HOOK, "secret_env": "NOWHERE"}], "secret_env: NOWHERE is not set"),
        ([{**HOOK, "secret_env": "EMPTY"}], "secret_env: EMPTY is not set"),
        ([{**HOOK, "secret_env": 5}], "secret_env: must be the name of a variable"),
        ([{**HOOK, "url": "https://example.com/?key=hunter2"}], "url: has a secret: put it into a variable"),
        ([{**HOOK, "url_env": ["A", "B"]}], "url_env: must be the name"),
    ],
)
def test_a_bad_file_is_refused_as_a_whole(loaded: object, said: str) -> None:
    """Every problem has its place in the file, and no secret is repeated."""
    with pytest.raises(UsageError, match=said) as error:
        parse_channel_file(loaded, VARIABLES.get)
    assert "hunter2" not in str(error.value)
