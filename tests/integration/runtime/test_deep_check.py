"""`check --deep` with a real broker, PostgreSQL and worker."""

import json

from rice_stream.runtime.deep_check import deep_check
from rice_stream.runtime.settings.loading import load_settings
from tests.support.fakes import OPERATOR
from tests.support.worker_harness import Deployment


def test_an_event_goes_all_the_way_and_without_a_worker_that_is_said(deployment: Deployment) -> None:
    """First nobody works; then a worker records both, and records, totals and topic agree."""
    alone = deep_check(load_settings(environment=deployment.environment), OPERATOR, timeout_s=3)
    assert [(leg["name"], leg["ok"]) for leg in alone["legs"]] == [("produce", True), ("worker", False)]

    deployment.start_worker()
    code, output = deployment.run("check", "--deep", "--json")
    answer = json.loads(output.splitlines()[-1])
    assert (code, answer["ok"]) == (0, True), answer
    assert [leg["name"] for leg in answer["deep"]["legs"]] == ["produce", "worker", "total"]
    assert deployment.json("verify", "--against-topic")["ok"]
    row = "SELECT COUNT(*), SUM(carbon_high_ugco2e), SUM(input_tokens) FROM prompt_emission WHERE tenant_id = 'rice-stream-check'"
    assert [tuple(map(int, each)) for each in deployment.rows(row)] == [(2, 0, 0)]
