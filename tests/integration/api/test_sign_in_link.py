"""The link that `rice-stream serve` prints on loopback, with the real command, Kafka and database."""

import http.client
import re
from urllib.parse import urlsplit

from tests.integration.api.test_real_sources import Gateway
from tests.support.worker_harness import Deployment


def asked(gateway: Gateway, path: str, cookie: str = "") -> tuple[int, str]:
    """The status of a GET, and the cookie that it set."""
    connection = http.client.HTTPConnection(urlsplit(gateway.address).netloc, timeout=60)
    try:
        connection.request("GET", path, headers={"cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        answer.read()
        return answer.status, (answer.getheader("set-cookie") or "").partition(";")[0]
    finally:
        connection.close()


def test_whoever_opens_the_printed_link_first_is_admin_and_nobody_after(deployment: Deployment) -> None:
    gateway = Gateway(deployment)
    try:
        [link] = re.findall(r"Sign in as admin, once, within 15 minutes: (\S+)", gateway.process.log)
        assert link.startswith(f"{gateway.address}/auth/link?key=")
        path = link.removeprefix(gateway.address)
        assert asked(gateway, "/v1/totals")[0] == 401
        status, cookie = asked(gateway, path)
        assert (status, cookie.partition("=")[0]) == (303, "rice")
        assert asked(gateway, "/v1/totals", cookie)[0] == 200
        assert asked(gateway, path) == (403, "")
    finally:
        assert gateway.process.stop() == 0, gateway.process.log
    assert gateway.process.log.count(path.partition("=")[2]) == 1, "printed, and in no line of the log"
    assert cookie.partition("=")[2] not in gateway.process.log
    (deployment.folder / "serve.log").unlink()
    again = Gateway(deployment)
    try:
        assert asked(again, path)[0] == 403
        assert asked(again, "/v1/totals", cookie)[0] == 200, "a session outlives the process"
    finally:
        assert again.process.stop() == 0, again.process.log


def test_elsewhere_than_on_loopback_it_does_not_start_without_tls(deployment: Deployment) -> None:
    """A token alone is not enough: it would cross the network as it is."""
    code, output = deployment.run("serve", http_host="0.0.0.0", http_port="0", http_token="t")  # noqa: S104 - must be refused
    assert code == 2
    assert "RICE_HTTP_TLS_CERTIFICATE" in output
    assert "RICE_HTTP_TRUSTED_PROXIES" in output
