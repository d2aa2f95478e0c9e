"""The dashboard's pages in a real Chromium whose processor is four times slower, nothing cached, over the ledger of its tests.

Medians of five loads by the admin. The ratio is to what is promised: first contentful paint within 1 s, interactive within
1.5 s, 400 KB of everything.
"""

import statistics
from contextlib import closing
from typing import Any

from benchmarks.harness import Row
from tests.support.browsing import PAGE_BYTES_MAX, Chromium, Timings
from tests.support.console_pages import LEDGER_PAGES
from tests.support.console_serving import ADMIN, Console, filled

LOADS = 3
SLOWER = 4.0


def run() -> list[dict[str, Any]]:
    """Three rows for each page."""
    with filled() as console, closing(Chromium()) as chromium:
        return [row.as_dict() for page in LEDGER_PAGES for row in _page(chromium, console, page.name, page.path())]


def _page(chromium: Chromium, console: Console, name: str, path: str) -> list[Row]:
    seen: list[Timings] = []
    sizes: list[float] = []

    def load() -> None:
        with chromium.visit(console, ADMIN) as visit:
            visit.slow_down(SLOWER)
            visit.open(path)
            seen.append(visit.timings())
            sizes.append(visit.bytes)

    for _ in range(LOADS):
        chromium.run(load)
    painted = statistics.median(each.first_contentful_paint_ms for each in seen)
    interactive = statistics.median(each.interactive_ms for each in seen)
    return [
        Row.against(f"{name}: first contentful paint", painted, "ms", "promised", 1_000),
        Row.against(f"{name}: interactive", interactive, "ms", "promised", 1_500),
        Row.against(f"{name}: all of it", max(sizes) / 1000, "KB", "promised", PAGE_BYTES_MAX / 1000),
    ]
