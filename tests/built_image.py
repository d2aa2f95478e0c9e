"""The image is built and run for real: worker, server and commands, without rights, on read-only files. Part of the drill.

python -m tests.built_image     exit code 0: it holds

Needs root, buildah and mmdebstrap (`python -m tests.tools --drill`). Says what the image with and without extras weighs.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import psycopg

from rice_stream.sandbox.stack.ports import free_ports
from rice_stream.sandbox.stack.stack import LocalStack, local_stack
from tests.support.image_building import Builder, Container
from tests.support.waiting import wait_until

TAG, FULL = "localhost/rice-stream", "localhost/rice-stream:full"
FULL_ARGUMENTS = {"LOCK": "image-full", "EXTRAS": "all,parquet,reports,archive,otel"}
BYTES_MAX = 400_000_000
EVENTS = 500
NOT_LEFT = ("pip", "pip3", "gcc", "cc", "make", "uv", "hatchling", "git", "java")


def main() -> int:
    """The exit code."""
    with tempfile.TemporaryDirectory(prefix="rice-image-") as made:
        builder = Builder(Path(made))
        try:
            builder.base()
            builder.build(TAG)
            _says_what_it_is(json.loads(builder.settings(TAG)))
            with builder.files(TAG) as files:
                weight = _weight(files)
                print(f"image: {weight / 1e6:.0f} MB unpacked", flush=True)
                assert weight < BYTES_MAX, weight
                _holds_nothing_of_this_machine(files)
                _holds_no_tools(files)
                _runs(files)
            builder.build(FULL, **FULL_ARGUMENTS)
            with builder.files(FULL) as files:
                print(f"image with {FULL_ARGUMENTS['EXTRAS']}: {_weight(files) / 1e6:.0f} MB unpacked", flush=True)
                assert Container(files, {}).run("python", "-c", "import pyarrow, opentelemetry.sdk").returncode == 0
        finally:
            builder.close()
    return 0


def _weight(files: Path) -> int:
    return sum(path.lstat().st_size for path in files.rglob("*") if not path.is_dir() or path.is_symlink())


def _says_what_it_is(document: dict[str, dict[str, dict[str, object]]]) -> None:
    config = document["Docker"]["config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["rice-stream"]
    assert config["Healthcheck"]
    labels = config["Labels"]
    assert isinstance(labels, dict)
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    variables = str(config["Env"])
    assert "PIP_" not in variables, "settings of the build are not those of the image"


def _holds_nothing_of_this_machine(files: Path) -> None:
    """No index, authority or path of where it was built."""
    ours = files / "opt" / "rice"
    words = [b"/run/secrets", b"find-links", str(Path.cwd()).encode(), str(files).encode()]
    for path in ours.rglob("*"):
        if (
            path.is_file()
            and not path.is_symlink()
            and ("dist-info" in path.parts or path.suffix in {".cfg", ".json", ""})
        ):
            content = path.read_bytes()
            assert not [word for word in words if word in content], path
    assert not list((files / "run").rglob("*.conf"))
    assert not (files / "etc" / "pip.conf").exists()


def _holds_no_tools(files: Path) -> None:
    container = Container(files, {})
    for name in NOT_LEFT:
        assert container.run("sh", "-c", f"command -v {name}").returncode != 0, name
    assert not list(files.glob("opt/rice/lib/python*/site-packages/pip")), "the environment has no installer"
    assert container.run("python", "-c", "import ensurepip").returncode != 0
    assert container.run("sh", "-c", "touch /opt/rice/x || touch /x || touch /etc/x").returncode != 0
    assert container.run("id", "-u").stdout.strip() == "10001"


def _runs(files: Path) -> None:
    address = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}.{secrets.randbelow(250) + 2}"
    settings: dict[str, str | int] = {"listen_addresses": address}
    with local_stack(topics=("llm-requests", "carbon-alerts"), postgres_settings=settings) as stack:
        owner = f"postgresql://postgres@{address}:5432/rice"
        ours = {"RICE_KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap_servers, "RICE_DATABASE_URL": owner}
        container = Container(files, ours)
        for command, between in (("migrate", _worker), ("check", _server)):
            done = container.run("rice-stream", command)
            assert done.returncode == 0, done.stdout + done.stderr
            between(files, stack, ours, address)


def _worker(files: Path, _stack: LocalStack, ours: dict[str, str], _address: str) -> None:
    """Sent, accounted and read by processes of the image."""
    events = files.parent / "events.jsonl"
    lines = [
        {"event_id": f"e-{number}", "tenant_id": "acme", "team_id": "search", "request_model": "gpt-4o", "input_tokens": 900,
         "output_tokens": 200, "ended_at": "2026-11-01T10:00:00Z", "schema_version": "1", "source": "drill"}
        for number in range(EVENTS)
    ]  # fmt: skip
    events.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    sent = subprocess.run(
        [str(Path(sys.executable).with_name("rice-stream")), "replay", str(events)],
        env={**_plain_environment(), **ours},
        check=False,
        capture_output=True,
        text=True,
    )
    assert sent.returncode == 0, sent.stdout + sent.stderr
    [port] = free_ports(1)
    worker = Container(files, {**ours, "RICE_WORKER_HTTP_PORT": str(port)})
    started = worker.start("rice-stream", "worker", "--until-idle", "15")
    wait_until(lambda: _answers(f"http://127.0.0.1:{port}/readyz"), 90, "the worker to be ready")
    health = worker.beside(started, "python", "/opt/rice/healthcheck.py")
    assert health.returncode == 0, health
    assert started.wait(180) == 0
    totals = worker.run("rice-stream", "totals", "--from", "2026-11-01", "--to", "2026-11-02", "--json")
    assert totals.returncode == 0, totals.stderr
    assert json.loads(totals.stdout)["total"]["prompts"] == EVENTS, totals.stdout


def _server(files: Path, stack: LocalStack, ours: dict[str, str], address: str) -> None:
    """As behind a proxy: not on loopback, with a login that PostgreSQL holds to its scope."""
    assert stack.postgres is not None
    with psycopg.connect(stack.postgres.conninfo("rice"), autocommit=True) as connection:
        connection.execute("CREATE ROLE rice_http LOGIN IN ROLE rice_api")
    made = Container(files, ours).run("rice-stream", "token", "create", "--name", "drill", "--role", "reader", "--json")
    assert made.returncode == 0, made.stderr
    [port] = free_ports(1)
    behind = {
        **ours,
        "RICE_DATABASE_URL": f"postgresql://rice_http@{address}:5432/rice",
        "RICE_HTTP_HOST": "0.0.0.0",  # noqa: S104  # as in a container
        "RICE_HTTP_PORT": str(port),
        "RICE_HTTP_TRUSTED_PROXIES": "10.0.0.0/8",
    }
    server = Container(files, behind)
    started = server.start("rice-stream", "serve")
    wait_until(lambda: _answers(f"http://127.0.0.1:{port}/readyz"), 60, "the server to be ready")
    assert _answers(f"http://127.0.0.1:{port}/healthz")
    assert server.beside(started, "python", "/opt/rice/healthcheck.py").returncode == 0
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/v1/totals?from=2026-11-01&to=2026-11-02")
    asked.add_header("Authorization", f"Bearer {json.loads(made.stdout)['token']}")
    with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310  # our own server
        assert json.load(answer)["total"]["prompts"] == EVENTS
    os.kill(server.first(started), signal.SIGTERM)
    assert started.wait(60) == 0, "SIGTERM ends it in order"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own server
            return bool(answer.status == 200)
    except OSError:
        return False


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("RICE_")}


if __name__ == "__main__":
    sys.exit(main())
