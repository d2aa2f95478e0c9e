"""A real Alertmanager on loopback that tells a receiver of ours what it would tell people."""

import json
import socket
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

from rice_stream.sandbox.stack.processes import ChildProcess
from rice_stream.sandbox.stack.server import Server
from tests.support.programs import program

_CONFIG = """
global: {{resolve_timeout: 1s}}
route: {{receiver: people, group_by: [tenant, budget], group_wait: 100ms, group_interval: 200ms, repeat_interval: 24h}}
receivers: [{{name: people, webhook_configs: [{{url: "{people}", send_resolved: true}}]}}]
"""


class Alertmanager(Server):
    """`people`: where its notifications go. Nothing of another one on the network is joined."""

    name = "Alertmanager"

    def __init__(self, directory: Path, people: str) -> None:
        super().__init__(directory)
        self._people = people
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    @property
    def url(self) -> str:
        """Its address, as a channel has it."""
        return f"http://127.0.0.1:{self.port}"

    def alerts(self) -> list[dict[str, Any]]:
        """Those that hold now."""
        found: list[dict[str, Any]] = json.loads(self._got("/api/v2/alerts"))
        return found

    def _got(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as response:  # noqa: S310 - our own
            body: bytes = response.read()
            return body

    def _prepare(self) -> None:
        (self.data_dir / "alertmanager.yml").write_text(_CONFIG.format(people=self._people))

    def _spawn_server(self) -> ChildProcess:
        argv = [
            program("prometheus-alertmanager"),
            f"--config.file={self.data_dir / 'alertmanager.yml'}",
            f"--storage.path={self.data_dir / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]
        return ChildProcess(self.name, argv, log=self.log, stop_signal=self._stop_signal)

    def _answers(self) -> bool:
        try:
            self._got("/-/ready")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True


def told(bodies: list[bytes]) -> list[tuple[str, str, str]]:
    """Of its notifications: status, name and threshold of each alert in them, in order."""
    alerts = [alert for body in bodies for alert in json.loads(body)["alerts"]]
    return [(each["status"], each["labels"]["alertname"], each["labels"].get("threshold", "")) for each in alerts]


def instant(alert: dict[str, Any], name: str) -> datetime:
    """One of an alert's times."""
    return datetime.fromisoformat(alert[name].replace("Z", "+00:00"))
