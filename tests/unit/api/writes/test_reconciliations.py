"""Reconciliations over HTTP: what was found is answered and kept, by who may change the whole tenant, whatever the file holds."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.api_running import Api
from tests.support.cli_running import MONTH, Shell
from tests.unit.api.console.reading import read


def usage(**changes: Any) -> str:
    """Yesterday and today, in the names of the ledger's events."""
    days = [f"{datetime.now(UTC) + timedelta(days=each):%Y-%m-%d}T00:00:00Z" for each in (-1, 1)]
    bucket = {"start_time_iso": days[0], "end_time_iso": days[1], "model": "gpt-4o", "input_tokens": 2000}
    return json.dumps({**bucket, "output_tokens": 200, **changes})


def body(**changes: Any) -> dict[str, Any]:
    """A reconciliation of the ledger's month; its events name no provider."""
    return {"tenant_id": "acme", "month": MONTH, "provider": "vertex", "usage": usage(), **changes}


OPENAI = {"provider": "openai"}


def test_what_was_found_is_answered_kept_and_read_again(api: Api, ledger: Shell) -> None:
    """The same as the command says; the list has all but the names that the file gives."""
    made = api.send("POST", "/v1/reconciliations", body(**OPENAI), role="editor", tenants={"acme"})
    assert made.status == 201, made.body
    file = ledger.directory / "usage.json"
    file.write_text(usage())
    asked = ("reconcile", str(file), "--provider=openai", "--tenant=acme", f"--month={MONTH}", "--dry-run")
    said = ledger.json(*asked)
    found = dict(made.document)
    assert found["file"].pop("sha256")
    assert said.items() <= found.items()
    path = f"/v1/reconciliations/{found['reconciliation_id']}"
    one = api.get(path, tenants={"acme"}).document
    assert one == {**{name: each for name, each in found.items() if name != "models"}, "file": one["file"]}
    assert one["file"].keys() == {"sha256", "from", "to", "rows", "skipped"}
    assert api.get(f"/v1/reconciliations?tenant=acme&month={MONTH}").document["rows"] == [one]
    assert api.get("/v1/reconciliations?month=2020-01").document["rows"] == []
    again = api.send("POST", "/v1/reconciliations", body(**OPENAI), role="editor")
    assert again.document["reconciliation_id"] != found["reconciliation_id"], "each run is kept"
    assert len(api.get("/v1/reconciliations?limit=1").document["rows"]) == 1
    assert [row["action"] for row in api.get("/v1/audit?limit=2", "admin").document["rows"]] == ["period.reconcile"] * 2


def test_who_may_not_is_refused_and_sees_nothing(api: Api) -> None:
    """Readers, auditors and senders change nothing; of a team, of another tenant, or of nobody it is not there."""
    for role in ("reader", "auditor", "ingest"):
        assert api.send("POST", "/v1/reconciliations", body(**OPENAI), role=role).status == 403
    whole = body(**OPENAI)
    assert api.send("POST", "/v1/reconciliations", whole, role="admin", tenants={"globex"}).status == 404
    team: dict[str, Any] = {"tenants": {"acme"}, "teams": frozenset({"search"})}
    assert api.send("POST", "/v1/reconciliations", whole, role="admin", **team).status == 403
    made = api.send("POST", "/v1/reconciliations", whole, role="admin").document["reconciliation_id"]
    callers: list[dict[str, Any]] = [{"tenants": {"globex"}}, team]
    for caller in callers:
        assert api.get("/v1/reconciliations", **caller).document["rows"] == []
        assert api.get(f"/v1/reconciliations/{made}", **caller).status == 404


def test_the_same_key_does_it_once(api: Api) -> None:
    headers = {"Idempotency-Key": "k"}
    first, second = (
        api.send("POST", "/v1/reconciliations", body(**OPENAI), role="admin", headers=headers) for _ in "ab"
    )
    assert first.document == second.document
    assert len(api.get("/v1/reconciliations").document["rows"]) == 1


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"month": "13-2026"}, 400, "is no month"),
        ({"provider": "nobody"}, 422, "provider"),
        ({"usage": ""}, 422, "usage"),
        ({"usage": None}, 400, "usage: give it, or carbon"),
        ({"carbon": {"carbon_gco2e": 1}}, 400, "usage: give it, or carbon"),
        ({"usage": None, "carbon": {"carbon_gco2e": 1e12}}, 422, "carbon_gco2e"),
        ({"usage": None, "carbon": {}}, 422, "carbon_gco2e"),
        ({"usage": 3}, 422, "usage"),
        ({"usage": "[" * 50_000}, 400, "too deep"),
        ({"usage": usage(input_tokens="1e999999999")}, 400, "is no number of tokens"),
        ({"usage": usage(start_time_iso="9999-12-31")}, 400, "outside the years"),
        ({"usage": usage(start_time_iso="2001-01-01")}, 400, "more than 92 days"),
        ({"usage": "=cmd()|' /C calc'!A0"}, 400, "nothing in the file states tokens"),
        ({"usage": "x" * 1_100_000}, 413, "larger"),
        ({"threshold_percent": -1}, 422, "threshold_percent"),
        ({"threshold_percent": 101}, 422, "threshold_percent"),
        ({"names": ["x"] * 51}, 422, "names"),
        ({"secret": 1}, 422, "secret"),
    ],
)
def test_what_cannot_be_read_is_a_problem_that_names_it_and_nothing_is_kept(
    api: Api, changes: dict[str, Any], status: int, words: str
) -> None:
    refused = api.send("POST", "/v1/reconciliations", body(**{**OPENAI, **changes}), role="admin")
    assert refused.status == status, refused.body
    assert words in refused.body.decode()
    assert api.get("/v1/reconciliations").document["rows"] == []


def test_carbon_is_compared_with_a_figure(api: Api, ledger: Shell) -> None:
    """As the command does it; the same shape of answer, in grams."""
    stated = body(**OPENAI, usage=None, carbon={"carbon_gco2e": 5.0, "market": True}, names=["nobody"])
    made = api.send("POST", "/v1/reconciliations", stated, role="editor")
    assert made.status == 201, made.body
    asked = ("reconcile", "--carbon-gco2e=5", "--market", "--provider=openai", "--tenant=acme", f"--month={MONTH}")
    said = ledger.json(*asked, "--name=nobody", "--dry-run", code=1)
    assert said.items() <= made.document.items()
    assert (made.document["measure"], made.document["unexplained"], made.document["tokens"]) == ("carbon", 5.0, None)
    assert "100 % unexplained" in ledger.run(*asked, "--name=nobody").stdout
    assert ledger.run(*asked, str(ledger.directory / "rice.db")).exit_code == 2


def carbon_export(**changes: Any) -> str:
    """A month of AWS: two kilograms by location, one by the market."""
    row = {"usage_period_start": f"{MONTH}-01 00:00:00Z", "product_code": "AmazonBedrock", "model_version": "v2.0.0"}
    amounts = {"total_lbm_emissions_value": 0.002, "total_mbm_emissions_value": 0.001}
    return json.dumps([{**row, **amounts, **changes}])


def test_carbon_is_compared_with_a_file(api: Api, ledger: Shell) -> None:
    """As the command does it: what is kept has the file's digest, and none of its words."""
    wanted = {"text": carbon_export(), "market": True}
    stated = body(provider="bedrock", usage=None, carbon_export=wanted)
    made = api.send("POST", "/v1/reconciliations", stated, role="editor")
    assert made.status == 201, made.body
    file = ledger.directory / "carbon.json"
    file.write_text(carbon_export())
    asked = ("reconcile", str(file), "--provider=bedrock", "--tenant=acme", f"--month={MONTH}", "--measure=carbon")
    said = ledger.json(*asked, "--market", "--dry-run", code=1)
    found = dict(made.document)
    assert found["file"].pop("sha256")
    assert said.items() <= found.items()
    assert (found["carbon"]["theirs_gco2e"], found["carbon"]["basis"], found["ok"]) == (1000.0, "market", False)
    assert "theirs, " in ledger.run(*asked, "--dry-run").stdout
    other = {"text": carbon_export(product_code="SECRET")}
    refused = api.send("POST", "/v1/reconciliations", {**stated, "carbon_export": other}, role="editor")
    assert (refused.status, "say which with" in refused.body.decode()) == (400, True)
    every: list[dict[str, Any]] = [{"usage": usage()}, {"carbon": {"carbon_gco2e": 1}}, {"carbon_export": {}}]
    for both in every:
        refused = api.send("POST", "/v1/reconciliations", {**stated, **both}, role="editor")
        assert (refused.status, "usage: give it, or carbon" in refused.body.decode()) == (400, True)
    assert len(api.get("/v1/reconciliations").document["rows"]) == 1


def upload(fields: dict[str, str], file: bytes | None) -> tuple[bytes, dict[str, str]]:
    """A form as browsers send it, with its headers."""
    boundary = "----WebKitFormBoundary7MA4YWxk"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\nContent-Type: text/csv\r\n\r\n'
    content = b"".join([*parts, head.encode(), file or b"", f"\r\n--{boundary}--\r\n".encode()])
    return content, {"content-type": f"multipart/form-data; boundary={boundary}", "accept": "text/html"}


def test_the_page_takes_a_file_or_a_figure_and_shows_what_was_found(api: Api) -> None:
    """Names in the file are nowhere on it."""
    fields = {"tenant": "acme", "month": MONTH, "provider": "openai", "threshold": "1", "carbon_kg": ""}
    content, headers = upload(fields, usage(model="<b>SECRET").encode())
    done = api.send("POST", "/periods/reconciliations", content, "editor", headers)
    assert done.status == 303, done.body
    page = read(api.get(done.headers["location"], "editor"))
    assert f"{MONTH} of acme agrees with what openai states" in page.text
    assert "not through here 2" in page.text
    assert "SECRET" not in page.text
    content, headers = upload({**fields, "carbon_kg": "2.5", "market": "yes"}, None)
    assert api.send("POST", "/periods/reconciliations", content, "editor", headers).status == 303
    carbon = api.get("/v1/reconciliations?limit=1").document["rows"][0]["carbon"]
    assert (carbon["theirs_gco2e"], carbon["basis"]) == (2500.0, "market")
    of_cloud = {**fields, "provider": "bedrock", "states": "carbon", "service": "SECRET"}
    content, headers = upload(of_cloud, carbon_export(product_code="SECRET").encode())
    done = api.send("POST", "/periods/reconciliations", content, "editor", headers)
    assert done.status == 303, done.body
    carbon = api.get("/v1/reconciliations?limit=1").document["rows"][0]["carbon"]
    assert (carbon["theirs_gco2e"], carbon["basis"]) == (2000.0, "location")
    assert "SECRET" not in read(api.get(done.headers["location"], "editor")).text
    assert "Compare</button>" not in api.get("/periods?tenant=acme", "reader").body.decode()
    assert api.send("POST", "/periods/reconciliations", content, "reader", headers).status == 403
    for wrong in ({"month": "x"}, {"threshold": "-1"}, {"provider": "nobody"}):
        content, headers = upload({**fields, **wrong}, usage().encode())
        assert api.send("POST", "/periods/reconciliations", content, "editor", headers).status in (400, 422)
    for of_carbon in ({"market": "yes"}, {"embodied": "yes"}, {"service": "x"}):
        content, headers = upload({**fields, **of_carbon}, usage().encode())
        refused = api.send("POST", "/periods/reconciliations", content, "editor", headers)
        assert (refused.status, "these are of carbon" in refused.body.decode()) == (400, True)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "multipart/form-data; boundary=x", 400),
        (b"--x--", "multipart/form-data", 400),
        (b"--x--", 'multipart/form-data; boundary="' + 'y"', 400),
        (b"--x\r\n\r\nno name\r\n--x--", "multipart/form-data; boundary=x", 400),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--',
            "multipart/form-data; boundary=x",
            400,
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 50 + b"--x--",
            "multipart/form-data; boundary=x",
            400,
        ),
        (b"--x" * 200_000, "multipart/form-data; boundary=x", 400),
        (b"x" * 1_100_000, "multipart/form-data; boundary=x", 413),
        (b"{}", "application/json", 415),
    ],
)
def test_what_is_no_form_with_a_file_is_refused(api: Api, content: bytes, kind: str, status: int) -> None:
    """Cut short, without names, of too many parts, too large, or of another type."""
    answer = api.send("POST", "/periods/reconciliations", content, "editor", {"content-type": kind})
    assert answer.status == status, answer.body
