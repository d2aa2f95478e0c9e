"""The pages that a browser is shown, each with the route that answers it: a page that is missing here fails a test."""

import re
from dataclasses import dataclass
from urllib.parse import quote

from tests.support.console_names import Names
from tests.support.console_serving import ROLES


@dataclass(frozen=True)
class ShownPage:
    """One page, or one state of it. `at` is its address, with the names of `console_names` in braces."""

    name: str
    route: str
    """As the application has it, such as `/prompts/{event_id}`."""
    at: str
    for_roles: tuple[str, ...] = ROLES
    """Others are told that they may not see it."""
    status_when_empty: int = 200
    of_ledger: bool = True
    """False: it is the same whatever the ledger holds."""

    def path(self, names: Names | None = None) -> str:
        """What is asked for where the ledger has these names; None: plain ones."""
        known = names or Names()
        return re.sub(r"\{(.+?)\}", lambda found: quote(known.of(found[1]), safe=""), self.at)


PAGES = (
    ShownPage("overview", "/", "/"),
    ShownPage("models", "/models", "/models"),
    ShownPage("models with a move", "/models", "/models?to_region=azure:swedencentral&share=30&also=gpt-5-nano"),
    ShownPage("model card", "/models", "/models?model=gpt-4o"),
    ShownPage("unknown model", "/models", "/models?model={helix-internal-13b-v2}"),
    ShownPage("explore", "/explore", "/explore"),
    ShownPage("explore by hour", "/explore", "/explore?by=model&window=7d&bucket=hour&rows=20"),
    ShownPage("explore nothing", "/explore", "/explore?window=mtd&team=nobody&measure=tokens"),
    ShownPage("quality", "/quality", "/quality"),
    ShownPage("quality of a tenant", "/quality", "/quality?tenant={northwind}&days=7&item=1"),
    ShownPage("reference", "/reference", "/reference", of_ledger=False),
    ShownPage("kind of problem", "/problems/{slug}", "/problems/not-found", of_ledger=False),
)
LEDGER_PAGES = tuple(page for page in PAGES if page.of_ledger)
NO_PAGES: dict[str, str] = {}
"""Routes of browsers that answer with something else, and why."""
