"""Names come from senders: on a terminal they are text that is seen, never markup, colours, titles or a new line."""

import json
import sys
import unicodedata

import pytest

from rice_stream.cli.base import STDERR, say
from rice_stream.cli.tables import Styled, table
from rice_stream.wording.plain_text import exact_json, visible, visible_lines
from tests.support.cli_running import Shell
from tests.support.fakes import event

HOSTILE = "[/x]\x1b]0;pwned\x07\x9b31m\u202e[link=http://evil.example]a\nb\r\u2028"
SEEN = r"[/x]\x1b]0;pwned\x07\x9b31m\u202e[link=http://evil.example]a\nb\r\u2028"


def test_every_control_character_is_seen_and_everything_else_stays() -> None:
    """All of Unicode: categories control and surrogate, separators of lines, and all that turns the direction around."""
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        hidden = unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or (
            unicodedata.bidirectional(character) in turning or code in (0x200E, 0x200F, 0x061C)
        )
        assert (visible(character) != character) == hidden, hex(code)
        if hidden:
            assert visible(character).isascii()
            assert visible(character).isprintable()
    assert visible(HOSTILE) == SEEN
    assert visible("a\udcff") == r"a\xff"


def test_texts_of_several_lines_keep_their_lines_only() -> None:
    assert visible_lines("one\n two\x1b\r\n") == "one\n two\\x1b\\r\n"


def test_tables_and_remarks_show_what_a_name_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Cells, styled ones, headings and titles; a line break in a name begins no line."""
    table([f"c{HOSTILE}", ""], [[HOSTILE, Styled(HOSTILE, "bold")]], title=HOSTILE)
    STDERR.print(f"remark {HOSTILE}")
    say(f"said {HOSTILE}")
    printed = capsys.readouterr()
    assert printed.out.count(SEEN) == 4
    assert "\x07" not in printed.out + printed.err
    assert "\u202e" not in printed.out + printed.err
    assert printed.err.startswith(r"remark [/x]\x1b]0;pwned\x07")


def test_json_is_exact_and_carries_no_control_character() -> None:
    """What a program reads is the name as it was sent; what a terminal shows are JSON's escapes."""
    document = {HOSTILE: [HOSTILE, "é 🌱 \\u0041"]}
    written = exact_json(json.dumps(document, ensure_ascii=False))
    assert json.loads(written) == document
    assert visible(written) == written
    assert "é 🌱" in written


@pytest.fixture
def taunted(shell: Shell) -> Shell:
    """A ledger in which a sender has used every name for mischief."""
    names = {name: f"{name} {HOSTILE}" for name in ("event_id", "tenant_id", "team_id", "user_id", "request_model")}
    events = [event(**names), event(tenant_id="acme", **{f"ended_at {HOSTILE}": 1, "ended_at": None})]
    (shell.directory / "events.jsonl").write_text("\n".join(map(json.dumps, events)))
    shell.run("migrate")
    assert shell.json("ingest", "events.jsonl")["records"] == 1
    return shell


@pytest.mark.parametrize(
    "command",
    [
        ("totals", "--by", "team"),
        ("totals", "--by", "tenant,model"),
        ("coverage",),
        ("explain", f"event_id {HOSTILE}"),
        ("compare", "--from", "2000-01-01", "--region", "azure:swedencentral"),
        ("tenant", "list"),
        ("verify",),
        ("quarantine", "list"),
    ],
    ids=" ".join,
)
def test_no_report_dies_of_a_name_or_hands_it_to_the_terminal(taunted: Shell, command: tuple[str, ...]) -> None:
    """Any sender could otherwise take the operator's report away, or write over it."""
    result = taunted.run(*command)
    assert result.exit_code == 0, result.stderr
    assert visible_lines(result.output) == result.output
    document = taunted.json(*command)
    assert (SEEN in result.stdout) == (command[0] not in {"verify", "quarantine"})
    assert (HOSTILE in text_within(document)) == (SEEN in result.stdout)


def text_within(value: object) -> str:
    """Every text within a document, as it is."""
    if isinstance(value, dict):
        return "".join(map(text_within, [*value, *value.values()]))
    return "".join(map(text_within, value)) if isinstance(value, list) else str(value)


def test_an_error_says_a_name_as_text(taunted: Shell) -> None:
    result = taunted.run("explain", HOSTILE)
    assert result.exit_code == 2
    assert SEEN.split(r"\n")[0] in result.stderr
    assert visible_lines(result.stderr) == result.stderr
