"""`make screenshots`: the README's pictures of the dashboard, from the ledger of its tests.

The same bytes as long as pages, browser and fonts are the same.
"""

import sys
from contextlib import closing

from tests.support.browsing import THEMES, Chromium
from tests.support.console_serving import ADMIN, Console, filled
from tests.support.places import ROOT

IMAGES = ROOT / "docs" / "images"
PICTURES = {"overview": "/", "explore": "/explore?tenant=northwind&by=team&window=30d"}
WIDTH, HEIGHT, SCALE = 1280, 940, 1.5


def main() -> int:
    """Writes docs/images/NAME-THEME.png."""
    with filled() as console, closing(Chromium()) as chromium:
        for name in PICTURES:
            for theme in THEMES:
                _take(chromium, console, name, theme)
    return 0


def _take(chromium: Chromium, console: Console, name: str, theme: str) -> None:
    path = IMAGES / f"{name}-{theme}.png"

    def take() -> None:
        with chromium.visit(console, ADMIN, width=WIDTH, height=HEIGHT, theme=theme, scale=SCALE) as visit:
            visit.open(PICTURES[name])
            visit.page.screenshot(path=path)

    chromium.run(take)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
