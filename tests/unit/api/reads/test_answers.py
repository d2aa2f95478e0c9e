"""The API answers what the command line answers, to the last digit, and to nobody what is another's."""

import csv
import io
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.api_running import Api
from tests.support.asgi import Answer
from tests.support.audited import SECRETS_KEY
from tests.support.cli_running import Shell

BUDGET = ["budget", "set", "acme-month", "--tenant=acme", "--limit-gco2e=0.001", "--period=month"]


@pytest.fixture
def budgets(ledger: Shell) -> Shell:
    """The ledger with a budget of each tenant."""
    assert ledger.run(*BUDGET).exit_code == 0
    assert ledger.run("budget", "set", "globex-day", "--tenant=globex", "--limit-kwh=1", "--period=day").exit_code == 0
    return ledger


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/v1/totals", ["totals"]),
        ("/v1/totals?by=team,model&by=day", ["totals", "--by=team,model", "--by=day"]),
        ("/v1/totals?tenant=acme&from=2020-01-01", ["totals", "--tenant=acme", "--from=2020-01-01"]),
        (
            "/v1/totals?by=tenant&top=1&bucket=month&time_zone=Asia/Kathmandu",
            ["totals", "--by=tenant", "--top=1", "--bucket=month", "--time-zone=Asia/Kathmandu"],
        ),
        (
            "/v1/totals?by=model&team=search&team=&model=gpt-4o",
            ["totals", "--by=model", "--team=search", "--team=", "--model=gpt-4o"],
        ),
        ("/v1/totals?by=user&tenant=acme", ["totals", "--by=user", "--tenant=acme"]),
    ],
)
def test_totals_are_the_command_lines(api: Api, ledger: Shell, path: str, arguments: list[str]) -> None:
    answer = api.get(path)
    assert answer.status == 200, answer.body
    said = ledger.json(*arguments)
    assert {name: answer.document[name] for name in said} == said
    assert answer.document["rows"]


def test_a_record_and_its_explanation_are_the_command_lines(api: Api, ledger: Shell) -> None:
    said = ledger.json("explain", "e-1")
    assert api.get("/v1/prompts/e-1/explain").document == said
    assert api.get("/v1/prompts/e-1?tenant=acme").document == said["record"]


def test_budgets_are_the_command_lines(api: Api, budgets: Shell) -> None:
    said = budgets.json("budget", "list")["budgets"]
    assert api.get("/v1/budgets").document["rows"] == said
    one = api.get("/v1/budgets/acme-month?tenant=acme")
    assert one.document == said[0]
    assert one.headers["etag"].startswith('"')
    assert api.get("/v1/budgets/acme-month").headers["etag"] == one.headers["etag"]


def test_lists_are_the_command_lines(api: Api, ledger: Shell) -> None:
    assert api.get("/v1/tenants").document["rows"] == ledger.json("tenant", "list")["tenants"]
    assert [without(row, "id") for row in api.get("/v1/mappings").document["rows"]] == ledger.json("map", "list")[
        "mappings"
    ]
    assert api.get("/v1/alerts").document["rows"] == ledger.json("alerts")["alerts"]
    said = ledger.json("quarantine", "list")
    assert {name: api.get("/v1/quarantine").document[name] for name in said} == said
    shown = ledger.json("quarantine", "show", "1")["rows"][0]
    assert api.get("/v1/quarantine/1").document == shown
    said = ledger.json("coverage")
    found = api.get("/v1/coverage").document
    assert {name: found[name] for name in said if name != "window"} == without(said, "window")


def test_a_comparison_is_the_command_lines(api: Api, ledger: Shell) -> None:
    said = ledger.json("compare", "--tenant=acme", "--from=2020-01-01", "--model=gpt-4o-mini")
    assert api.get("/v1/compare?tenant=acme&from=2020-01-01&model=gpt-4o-mini").document == said
    assert api.get("/v1/compare?tenant=acme").status == 400


FOREIGN = (
    "/v1/totals?tenant=globex",
    "/v1/prompts/e-3",
    "/v1/prompts/e-3?tenant=globex",
    "/v1/prompts/e-3/explain",
    "/v1/budgets?tenant=globex",
    "/v1/budgets/globex-day",
    "/v1/budgets/globex-day?tenant=globex",
    "/v1/alerts?tenant=globex",
    "/v1/coverage?tenant=globex",
    "/v1/compare?tenant=globex&model=gpt-4o",
    "/v1/quarantine/1",
)


@pytest.mark.parametrize("path", FOREIGN)
def test_what_is_anothers_looks_like_what_is_not_there(api: Api, budgets: Shell, path: str) -> None:
    """404 with the words for what nobody has, but for the name that was asked for."""
    missing = path.replace("globex", "nobody").replace("e-3", "e-9").replace("quarantine/1", "quarantine/999")
    foreign, absent = (api.get(each, tenants={"acme"}) for each in (path, missing))
    assert (foreign.status, absent.status) == (404, 404)
    said = foreign.body.decode().replace("globex", "nobody").replace("e-3", "e-9").replace("id 1", "id 999")
    assert said == absent.body.decode()
    # What is left of the caller's limits is its own affair, and every answer has a number.
    own = {"content-length": "", "ratelimit": "", "x-request-id": ""}
    assert {**foreign.headers, **own} == {**absent.headers, **own}


@pytest.mark.parametrize(
    "path",
    ["/v1/totals", "/v1/totals?by=tenant,team,model", "/v1/tenants", "/v1/budgets", "/v1/alerts", "/v1/coverage"],
)
@pytest.mark.parametrize("role", ["admin", "editor", "reader", "auditor"])
def test_lists_hold_what_is_ones_own(api: Api, budgets: Shell, path: str, role: str) -> None:
    own = api.get(path, role, tenants={"acme"})
    assert own.status == 200
    assert b"globex" not in own.body
    assert b"no-such-model-of-anybody" not in own.body
    assert api.get(path, role, tenants=set()).document["rows"] == []


def test_a_team_sees_its_own_share(api: Api, ledger: Shell) -> None:
    """And the sums of it, not those of its tenant."""
    everything = api.get("/v1/totals?tenant=acme&by=team").document["rows"]
    own = api.get("/v1/totals?by=team", tenants={"acme"}, teams=frozenset({"search"})).document["rows"]
    assert own == [row for row in everything if row["team"] == "search"]
    assert api.get("/v1/totals", tenants={"acme"}, teams=frozenset({"nobody"})).document["rows"] == []
    assert api.get("/v1/prompts/e-1", tenants={"acme"}, teams=frozenset({"nobody"})).status == 404


def test_an_event_id_may_hold_slashes(api: Api, ledger: Shell) -> None:
    assert api.get("/v1/prompts/a/b/c").status == 404
    assert "a/b/c" in api.get("/v1/prompts/a/b/c").document["detail"]


def test_prompts_come_in_pages_that_hold_each_once(api: Api, ledger: Shell) -> None:
    """The cursor of a page goes on where it ended; it is of no use for another list or caller."""
    path = "/v1/prompts?limit=2"
    first = api.get(path).document
    last = first["next"]
    rest = api.get(f"{path}&after={last}").document
    assert rest["next"] is None
    rows = first["rows"] + rest["rows"]
    assert sorted(row["event_id"] for row in rows) == ["e-1", "e-2", "e-3"]
    assert rows[0] == api.get(f"/v1/prompts/{rows[0]['event_id']}").document
    assert api.get(f"/v1/prompts?tenant=acme&after={last}").document["type"] == "/problems/cursor-mismatch"
    assert api.get(f"{path}&after={last}", "auditor").status == 400
    assert api.get(f"{path}&after=AAAA").status == 400
    own = api.get("/v1/prompts", tenants={"acme"}).document["rows"]
    assert {row["tenant_id"] for row in own} == {"acme"}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_prompts_come_as_files_with_the_same_rows(api: Api, ledger: Shell, form: str) -> None:
    wanted = {row["event_id"]: row for row in api.get("/v1/prompts").document["rows"]}
    answer = api.get(f"/v1/prompts?format={form}")
    assert answer.headers["content-disposition"] == f'attachment; filename="prompts.{form}"'
    if form == "csv":
        read: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    else:
        read = pq.read_table(io.BytesIO(answer.body)).to_pylist()
    assert {row["event_id"] for row in read} == set(wanted)
    for row in read:
        same = wanted[row["event_id"]]
        for name in ("tenant_id", "team_id", "model"):
            assert (row[name] or None) == same[name]
        for name in ("input_tokens", "carbon_mid_ugco2e", "facility_energy_uwh"):
            assert int(row[name]) == same[name]
    nothing = api.get(f"/v1/prompts?format={form}", tenants={"nobody"}).body
    header = (
        nothing.decode().split("\r\n")[0].split(",") if form == "csv" else pq.read_schema(io.BytesIO(nothing)).names
    )
    assert header == list(wanted["e-1"])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_that_cannot_be_is_refused_before_anything_is_sent(api: Api, form: str) -> None:
    answer = api.get(f"/v1/prompts?format={form}&to=0161-03-16T17:23:17Z")
    assert (answer.status, answer.document["type"]) == (400, "/problems/invalid-request")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/coverage?days=36500", 200),
        ("/v1/prompts/no-such?ended_at=0670-06-30", 404),
        ("/v1/prompts/no-such?ended_at=9999-12-31T23:59:59Z", 404),
    ],
)
def test_times_that_no_key_reaches_are_answered(api: Api, path: str, status: int) -> None:
    assert api.get(path).status == status


def test_a_budgets_history_and_burn_down(api: Api, budgets: Shell) -> None:
    down = api.get("/v1/budgets/acme-month/burn-down").document
    assert down["bucket"] == "day"
    assert sum(row["added"] or 0 for row in down["rows"]) == pytest.approx(down["consumed"])
    assert api.get("/v1/budgets/acme-month/history").document == {"rows": [], "next": None}
    for each in ("history", "burn-down"):
        assert api.get(f"/v1/budgets/acme-month/{each}", tenants={"globex"}).status == 404


def test_rolling_totals_are_totals_of_each_window(api: Api, ledger: Shell) -> None:
    rows = api.get("/v1/rolling-totals?tenant=acme").document["rows"]
    assert [row["window"] for row in rows] == ["1h", "24h", "7d", "30d", "mtd"]
    for row in rows:
        same = api.get(f"/v1/totals?tenant=acme&window={row['window']}").document["rows"]
        # In the first minutes of a month there is nothing in it yet.
        assert same == [without(row, "window")] or (row["window"], row["prompts"], same) == ("mtd", 0, [])


def test_totals_say_what_they_rest_on(api: Api, ledger: Shell) -> None:
    """As of when, how far the data reach, in which zone, by which method and factors; of one's own."""
    meta = api.get("/v1/totals?time_zone=Asia/Kathmandu").document["meta"]
    assert meta["time_zone"] == "Asia/Kathmandu"
    assert meta["watermark"] < meta["as_of"]
    assert [row["method"].partition("+")[0] for row in meta["versions"]] == ["rice-calibrated-2"]
    assert api.get("/v1/totals", tenants={"nobody"}).document["meta"]["watermark"] is None


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_totals_come_as_files_with_the_same_amounts(api: Api, ledger: Shell, form: str) -> None:
    """All rows, with a column for each end of a range."""
    wanted = api.get("/v1/totals?by=tenant,model").document["rows"]
    body = api.get(f"/v1/totals?by=tenant,model&format={form}&limit=1").body
    if form == "csv":
        read: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    else:
        read = pq.read_table(io.BytesIO(body)).to_pylist()
    assert len(read) == len(wanted) > 1
    for row, same in zip(read, wanted, strict=True):
        assert (row["tenant"], row["model"]) == (same["tenant"], same["model"])
        assert int(row["input_tokens"]) == same["input_tokens"]
        assert [float(row[f"carbon_gco2e_{end}"]) for end in ("low", "mid", "high")] == list(
            same["carbon_gco2e"].values()
        )


def test_checkpoints_and_proofs_are_the_command_lines(api: Api, ledger: Shell) -> None:
    """For admins and auditors; who is for some tenants gets proofs of their entries alone."""
    ledger.environment["RICE_SECRETS_KEY"] = SECRETS_KEY
    assert ledger.run("audit", "checkpoint").exit_code == 0
    assert ledger.run(*BUDGET).exit_code == 0
    assert ledger.run("audit", "checkpoint").exit_code == 0
    said = ledger.json("audit", "checkpoints")["rows"]

    def asked(path: str) -> Answer:
        return api.send("GET", path, role="admin")

    first = asked("/v1/checkpoints?limit=1")
    assert first.document["rows"] == said[:1]
    assert asked(f"/v1/checkpoints?limit=1&after={first.document['next']}").document["rows"] == said[1:]
    entry, size = said[0]["size"], said[1]["size"]
    proof = asked(f"/v1/audit/{entry}/proof?since={size}")
    assert proof.document == ledger.json("audit", "prove", str(entry), "--since", str(size))
    scope: dict[str, Any] = {"tenants": frozenset({"acme"})}
    for number, status in ((entry, 200), (size, 404)):
        assert api.send("GET", f"/v1/audit/{number}/proof", role="auditor", **scope).status == status
    assert api.send("GET", "/v1/checkpoints", role="auditor", **scope).document["rows"] == said
    assert [api.send("GET", path, role="reader").status for path in ("/v1/checkpoints", "/v1/audit/1/proof")] == [
        403,
        403,
    ]
    assert asked(f"/v1/audit/{entry}/proof?since=999").status == 400
