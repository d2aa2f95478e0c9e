"""Questions as of an instant: none is answered as of one that has not come."""

import pytest

from tests.support.api_running import Api


@pytest.mark.parametrize(
    "path", ["/v1/totals?tenant=acme", "/v1/bridge?tenant=acme", "/v1/exports/chargeback?tenant=acme&month=2026-10"]
)
def test_an_instant_that_lies_ahead_is_refused(api: Api, path: str) -> None:
    refused = api.get(f"{path}&as_of=2100-01-01")
    assert (refused.status, "as_of 2100-01-01T00:00:00+00:00: lies ahead" in refused.document["detail"]) == (400, True)
