"""The image's HEALTHCHECK: asks `/healthz` of the worker or server that runs here. Exit code 1: it does not answer, or says no.

Where it listens is read from the settings that it was started with, so a port in the settings file counts too.
"""

import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path

from rice_stream.runtime.settings.loading import load_settings
from rice_stream.runtime.settings.settings import Settings

TIMEOUT_S = 5.0
_LOCAL = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104  # addresses that are listened at, not ours


def address(command: list[str], settings: Settings) -> str | None:
    """What to ask of the process with this command line; None: it serves nothing."""
    host = _LOCAL.get(settings.http_host, settings.http_host)
    host = f"[{host}]" if ":" in host else host
    if "serve" in command:
        scheme = "http" if settings.http_tls_certificate is None else "https"
        return f"{scheme}://{host}:{settings.http_port}/healthz"
    return f"http://{host}:{settings.worker_http_port}/healthz" if "worker" in command else None


def config_of(command: list[str]) -> Path | None:
    """The settings file that the command line names, if it does."""
    for position, argument in enumerate(command):
        if argument == "--config":
            return Path(command[position + 1])
        if argument.startswith("--config="):
            return Path(argument.removeprefix("--config="))
    return None


def main() -> int:
    """Ask the first process of the container."""
    command = Path("/proc/1/cmdline").read_text("utf-8").split("\0")
    url = address(command, load_settings(config_of(command)))
    if url is None:
        return 0
    # The certificate is for another name than this machine's; who answers here is not in doubt.
    context = ssl._create_unverified_context()  # noqa: S323
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S, context=context) as answer:  # noqa: S310  # our own address
            return 0 if answer.status == 200 else 1
    except (OSError, urllib.error.HTTPError) as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
