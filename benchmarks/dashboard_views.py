"""Server time of the dashboard's pages beside the bare route: one viewer at a time, each view of another tenant.

Pages as a browser that runs scripts asks for them, and the parts that it fetches later, each a request of its own; of those pages
also as they are sent as a whole.
"""

import asyncio
import random
from collections.abc import Sequence
from functools import partial

from benchmarks.harness import Row
from benchmarks.http_load import Question, once
from rice_stream.api.console.later import COOKIE, RUNS

VIEWS_OF_A_TENANT = 40
VIEWS_OF_ALL = 8
"""The first of them works its figures out; they take long, and so the following ones are shown them."""
_PAGES = ("/", "/explore", "/budgets", "/models", "/quality", "/periods")
_PARTS = (
    "/?part=week",
    "/explore?part=bars",
    "/explore?part=latest",
    "/periods?part=corrections",
    "/?part=all",
    "/explore?part=all",
    "/periods?part=all",
)
_RUNS_SCRIPTS = f"Cookie: {COOKIE}={RUNS}\r\n"


def of_pages(explanations: Sequence[str], tenant: Question, port: int, token: str) -> list[Row]:
    """A row for each page, of a tenant and of all of them; `tenant` draws one, `explanations` are paths of the API."""
    links = [link.replace("/v1", "", 1).replace("/explain", "") for link in explanations]
    pages: dict[str, Question] = {
        f"{path} of a tenant": partial(_of_a_tenant, path, tenant) for path in (*_PAGES, *_PARTS)
    }
    pages["/prompts/{event_id}"] = lambda r: r.choice(links)
    pages |= {f"{path} of all tenants": partial(_as_it_is, path) for path in _PAGES}
    rows = []
    for name, question in pages.items():
        views = VIEWS_OF_ALL if name.endswith("of all tenants") else VIEWS_OF_A_TENANT
        bare = asyncio.run(_viewed(lambda _: "/bare", VIEWS_OF_A_TENANT, port, token))
        asked = asyncio.run(_viewed(question, views, port, token))
        rows.append(Row.against(f"page {name}, p95", 1_000 * asked, "ms", "SELECT 1, p95", 1_000 * bare))
    return rows


def _of_a_tenant(path: str, tenant: Question, random_: random.Random) -> str:
    return f"{path}{'&' if '?' in path else '?'}{tenant(random_)}"


def _as_it_is(path: str, _: random.Random) -> str:
    return path


async def _viewed(question: Question, views: int, port: int, token: str) -> float:
    """The 95th percentile of the seconds of some views, one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    random_ = random.Random(1)
    times = [await once(question(random_), reader, writer, token, _RUNS_SCRIPTS) for _ in range(views)]
    writer.close()
    return sorted(times)[int(0.95 * (len(times) - 1))]
