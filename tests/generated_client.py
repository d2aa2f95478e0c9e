"""A client that openapi-python-client makes of docs/openapi.json reads from the server, and writes to it. Part of the drill.

python -m tests.generated_client     exit code 0: it does

In a virtual environment of its own, which is thrown away: the generator holds a library at an older version than others need.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from tests.openapi import DOCUMENT
from tests.support.wire import served_on_loopback
from tests.unit.api.access.conftest import Database
from tests.unit.api.conftest import Door

GENERATOR = "openapi-python-client==0.29.1"
USE = """
import sys
from rice_stream_client import AuthenticatedClient
from rice_stream_client.api.budgets import get_budgets, post_budgets
from rice_stream_client.api.totals import get_totals
from rice_stream_client.models import PostBudgetsNewBudget

url, token = sys.argv[1:]
with AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True) as client:
    totals = get_totals.sync_detailed(client=client, window="24h")
    assert (totals.status_code, totals.parsed.total.prompts) == (200, 0), totals
    wanted = PostBudgetsNewBudget(name="made", tenant_id="acme", period="month", limit_kwh=3)
    made = post_budgets.sync_detailed(client=client, body=wanted)
    assert (made.status_code, made.parsed.name, made.parsed.limit) == (201, "made", 3.0), made
    assert post_budgets.sync_detailed(client=client, body=wanted).status_code == 409
    [row] = get_budgets.sync(client=client).rows
    assert row.name == "made", row
print("read and written by", client.__class__.__name__)
"""


def main() -> int:
    """The exit code."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        python = folder / "venv" / "bin" / "python"
        _run(sys.executable, "-m", "venv", str(folder / "venv"))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", GENERATOR)
        client = folder / "client"
        options = ["--path", str(DOCUMENT), "--output-path", str(client)]
        _run(str(python.parent / "openapi-python-client"), "generate", *options)
        (client / "use.py").write_text(USE)
        return _used(folder, python, client)


def _used(folder: Path, python: Path, client: Path) -> int:
    url = f"sqlite:///{folder / 'rice.db'}"
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    tokens = Database()
    token = tokens.make("editor", {"acme"})
    door = Door(tokens=tokens, database_url=url)
    with served_on_loopback(door.app) as port:
        command = [str(python), "use.py", f"http://127.0.0.1:{port}", token]
        code = subprocess.run(command, cwd=client, check=False).returncode
    door.product.close()
    return code


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())
