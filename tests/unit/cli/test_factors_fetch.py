"""`rice-stream factors fetch` against a feed on loopback: what it says in the end of past hours becomes a set that can be added."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli_running import Shell
from tests.support.factor_files import SWEDEN
from tests.support.http_server import WebServer, web_server
from tests.unit.feeds.test_final_values import answered

DAY = ("--from", "2026-11-01", "--to", "2026-11-02")


@pytest.fixture
def feed(shell: Shell) -> Iterator[WebServer]:
    """It says the number of the hour in the month; of the thirty-first it only has an estimate."""
    with web_server() as server:
        server.respond = answered
        shell.environment |= {
            "RICE_LIVE_FEED": "electricity-maps",
            "RICE_LIVE_FEED_URL": server.url,
            "RICE_LIVE_FEED_TOKEN": "secret",
            "RICE_LIVE_FEED_ZONES": f"{SWEDEN}=SE-SE3",
        }
        yield server


def test_what_the_feed_says_by_now_is_a_file_that_is_added_as_it_is(shell: Shell, feed: WebServer) -> None:
    """The digest that is told is that of the set; the token is sent, and is not in the file."""
    assert shell.run("migrate").exit_code == 0
    fetched = shell.json("factors", "fetch", *DAY, "--out", "final.yaml")
    assert (fetched["file"], fetched["hours"], fetched["missing_hours"]) == ("final.yaml", {SWEDEN: 24}, {SWEDEN: 0})
    assert {headers["auth-token"] for _, headers in feed.requests} == {"secret"}
    assert "secret" not in Path("final.yaml").read_text("utf-8")
    assert shell.json("factors", "list")["factor_sets"] == []
    added = shell.json("factors", "add", "final.yaml", "--effective-from", "2026-11-01")
    assert (added["added"], added["factor_set"]["digest"], added["factor_set"]["kind"]) == (
        True,
        fetched["digest"],
        "rci",
    )


def test_a_table_says_how_many_hours_of_each_region_have_a_value(shell: Shell, feed: WebServer) -> None:
    """Two days: the hour that is an estimate is missing."""
    shown = shell.run("factors", "fetch", "--from", "2026-11-01", "--to", "2026-11-03", "--out", "final.yaml")
    assert shown.exit_code == 0, shown.stderr
    assert [line.split()[-3:] for line in shown.stdout.splitlines() if SWEDEN in line] == [[SWEDEN, "47", "1"]]
    assert len(feed.requests) == 1


@pytest.mark.parametrize(
    ("asked", "environment", "said"),
    [
        (("--from", "2026-11-02T06:00:00Z", "--to", "2026-11-02T07:00:00Z"), {}, "no final value"),
        (("--from", "2026-11-02", "--to", "2026-11-01"), {}, "--from, --to"),
        (DAY, {"RICE_LIVE_FEED_ZONES": ""}, "RICE_LIVE_FEED_ZONES"),
        ((*DAY, "--out", "no-such-directory/final.yaml"), {}, "--out"),
    ],
)
def test_what_cannot_be_fetched_or_written_is_said_and_leaves_no_file(
    shell: Shell, feed: WebServer, asked: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    """As a mistake of who asks."""
    assert feed.url
    failed = shell.run("factors", "fetch", "--out", "final.yaml", *asked, **environment)
    assert (failed.exit_code, said in failed.stderr) == (2, True), failed.stderr
    assert not Path("final.yaml").exists()


def test_a_feed_that_does_not_answer_is_a_failure_to_be_tried_again(shell: Shell, feed: WebServer) -> None:
    """It refuses the token."""
    feed.respond = None
    feed.answer(401)
    failed = shell.run("factors", "fetch", *DAY, "--out", "final.yaml")
    assert failed.exit_code not in (0, 2)
    assert "electricitymaps" in failed.stderr
    assert not Path("final.yaml").exists()
