"""GET /v1/exports: the file that the command makes, with its digests in the headers, and only of what the caller may see."""

import base64
import hashlib
import json
import tempfile
from pathlib import Path

import pytest

from rice_stream.api.reads.exports import MEDIA_TYPES
from rice_stream.reports.exports.kinds import KINDS
from tests.support.api_running import Api
from tests.support.cli_running import MONTH, Shell

ASKED = f"tenant=acme&month={MONTH}&by=team"


@pytest.mark.parametrize("form", ["csv", "parquet", "xlsx", "json"])
def test_the_file_is_the_commands(api: Api, ledger: Shell, form: str) -> None:
    """To the byte, by the manifest that the API answers with; nothing of it is left on the server."""
    document = api.get(f"/v1/exports/chargeback/manifest?{ASKED}&format={form}").document
    kept = ledger.directory / "manifest.json"
    kept.write_text(json.dumps(document))
    out = ledger.directory / "file"
    said = ledger.json("export", "--manifest", str(kept), "--out", str(out))
    assert said["same_bytes"]
    answer = api.get(f"/v1/exports/chargeback?{ASKED}&format={form}&as_of={document['as_of']}")
    assert answer.body == out.read_bytes()
    digest = base64.b64encode(hashlib.sha256(answer.body).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert answer.headers["rice-content-sha256"] == said["content_sha256"]
    assert answer.headers["rice-as-of"] == document["as_of"]
    assert answer.headers["content-disposition"] == f'attachment; filename="chargeback-{MONTH}.{form}"'
    assert list(Path(tempfile.gettempdir()).glob(".rice-export.*")) == []


def test_every_kind_is_given_in_each_of_its_formats(api: Api) -> None:
    """As what it is, and as of one instant all of them say the same."""
    for kind, made in KINDS.items():
        as_of, digests = "", set()
        for form in made.forms:
            answer = api.get(f"/v1/exports/{kind}?tenant=acme&month={MONTH}&format={form}{as_of}")
            assert (answer.status, answer.headers["content-type"]) == (200, MEDIA_TYPES[form]), (kind, form)
            as_of = f"&as_of={answer.headers['rice-as-of']}"
            digests.add(answer.headers["rice-content-sha256"])
        assert len(digests) == 1, kind


def test_what_is_anothers_or_cannot_be_made_is_a_problem(api: Api) -> None:
    """404 for another's tenant and for no kind, 400 for what the kind does not do, 422 for what is no parameter."""
    assert api.get(f"/v1/exports/chargeback?{ASKED}", tenants={"globex"}).status == 404
    assert api.get(f"/v1/exports/nothing?{ASKED}").status == 404
    refused = api.get(f"/v1/exports/chargeback?{ASKED}&format=pdf")
    assert (refused.status, "chargeback is made as" in refused.document["detail"]) == (400, True)
    assert api.get(f"/v1/exports/chargeback?{ASKED}&colour=red").status == 422
    assert api.get("/v1/exports/chargeback?tenant=acme&month=soon").status == 400
