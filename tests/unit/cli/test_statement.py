"""`rice-stream statement`: a team's month as people print it."""

from datetime import UTC, datetime

from tests.support.cli_running import MONTH, Shell


def test_a_statement_is_printed_as_it_is_sent(ledger: Shell) -> None:
    """A headline, what is what, a table of what moved it, and remarks; or its figures as JSON."""
    asked = ("statement", "--team", "search", "--month", MONTH, "--tenant", "acme")
    lines = ledger.run(*asked).stdout.splitlines()
    assert lines[0].startswith("search, ")
    assert ["Prompts", "2"] in [line.split() for line in lines]
    assert any(line.startswith("Model gpt-4o") for line in lines)
    assert lines[-1].endswith(": the month is not over.") or f"{datetime.now(UTC):%Y-%m}" != MONTH
    linked = ledger.run(*asked, RICE_HTTP_PUBLIC_URL="https://rice.example.com").stdout
    assert linked.splitlines()[-1].startswith(
        "See it in the dashboard: https://rice.example.com/explore?tenant=acme&team=search"
    )
    document = ledger.json(*asked)
    assert (document["tenant_id"], document["total"]["prompts"]) == ("acme", 2)


def test_it_asks_back_for_the_tenant_where_there_are_several(ledger: Shell) -> None:
    """And says so where nothing was charged to the team, or the month is none."""
    several = ledger.run("statement", "--team", "search")
    assert (several.exit_code, "--tenant: there are 2 tenants" in several.stderr) == (2, True)
    nothing = ledger.run("statement", "--team", "search", "--tenant", "globex", "--month", MONTH)
    assert (nothing.exit_code, "nothing was charged to 'search'" in nothing.stderr) == (2, True)
    no_month = ledger.run("statement", "--team", "search", "--tenant", "acme", "--month", "May")
    assert (no_month.exit_code, "'May' is no month" in no_month.stderr) == (2, True)
