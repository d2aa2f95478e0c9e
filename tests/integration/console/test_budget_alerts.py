"""From forms in a browser to an alert on Kafka, at a receiver and on the page, with the real commands in between."""

import base64
import json
import re

from tests.integration.api.test_real_sources import Gateway
from tests.support.alert_receiver import alert_receiver
from tests.support.browsing import Chromium
from tests.support.worker_harness import Deployment
from tests.support.worker_truth import EventMaker, Sender

SETTINGS = {"budget_sweep_s": 0.2, "budget_judge_interval_s": 0.01}


def test_a_budget_that_is_set_on_the_page_alerts_on_kafka_at_a_receiver_and_on_the_page(
    chromium: Chromium, deployment: Deployment
) -> None:
    make, sender = EventMaker(14), Sender(deployment)
    sender.send_event(make(tenant_id="acme"))
    sender.confirm()
    delivery = {"RICE_SECRETS_KEY": base64.b64encode(b"k" * 32).decode(), "RICE_ALERT_ALLOWED_HOSTS": "127.0.0.1"}
    worker, gateway = deployment.start_worker(**SETTINGS), Gateway(deployment, **delivery)
    worker.until(lambda: deployment.recorded() == 1, "the first prompt")
    [link] = re.findall(r"Sign in as admin, once, within 15 minutes: (\S+)", gateway.process.log)
    try:
        with alert_receiver() as receiver, chromium.visit(gateway, None) as visit:
            visit.page.goto(link)
            visit.open("/channels?new=true&type=webhook")
            visit.page.get_by_label("Name").fill("ops")
            visit.page.get_by_label("Address").fill(receiver.url)
            visit.page.get_by_role("button", name="Set it").click()
            visit.page.get_by_role("link", name="I have copied it").click()
            visit.page.get_by_role("button", name="Send a test to ops").click()
            visit.page.locator("#one", has_text="It has arrived").wait_for(timeout=30_000)
            assert [json.loads(each.body)["data"]["test"] for each in receiver.requests] == [True]
            visit.open("/budgets?new=true&tenant=acme&period=rolling-30d")
            visit.page.get_by_label("Name").fill("set by hand")
            visit.page.get_by_label("Limit", exact=True).fill("0.001")
            visit.page.get_by_role("button", name="Set it").click()
            visit.settle()
            sender.send_event(make(tenant_id="acme"))
            sender.confirm()
            worker.until(lambda: len(deployment.alerts_on_topic()) == 3, "three thresholds to be announced")
            assert {message["data"]["budget"] for _, message in deployment.alerts_on_topic()} == {"set by hand"}
            visit.open("/budgets")
            assert "exceeded" in visit.page.locator("tr, li", has_text="set by hand").first.inner_text()
            visit.open("/")
            assert "set by hand" in visit.page.locator("main").inner_text()
            worker.until(lambda: len(receiver.requests) == 4, "three alerts to arrive")
            visit.open("/channels?channel=ops&state=done")
            assert visit.page.locator(".deliveries tbody tr", has_text="set by hand").count() == 3
            visit.assert_clean()
    finally:
        assert gateway.process.stop() == 0, gateway.process.log
        assert worker.stop() == 0, worker.log
