"""The pages that a browser is shown, each with the route that answers it: a page that is missing here fails a test."""

import re
from dataclasses import dataclass
from urllib.parse import quote

from tests.support.console_names import Names
from tests.support.console_serving import ADMIN, AUDITOR, EDITOR, OF_A_TENANT, ROLES


@dataclass(frozen=True)
class ShownPage:
    """One page, or one state of it. `at` is its address, with the names of `console_names` in braces, such as `{northwind}` or
    `{budget research}`."""

    name: str
    route: str
    """As the application has it, such as `/prompts/{event_id}`."""
    at: str
    for_roles: tuple[str, ...] = ROLES
    status_for_others: int = 403
    """Or 404: what it shows is not there for them."""
    status_when_empty: int = 200
    of_database: bool = False
    """It also says which database it is, or when it was changed by that one's clock: the two differ."""
    of_ledger: bool = True
    """False: it is the same whatever the ledger holds."""

    def path(self, names: Names | None = None) -> str:
        """What is asked for where the ledger has these names; None: plain ones."""
        known = names or Names()

        def stored(found: re.Match[str]) -> str:
            of_budget, name = found.groups()
            return quote(known.of_budget(name) if of_budget else known.of(name), safe="")

        return re.sub(r"\{(budget )?(.+?)\}", stored, self.at)


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
    ShownPage("budgets", "/budgets", "/budgets"),
    ShownPage("budget", "/budgets", "/budgets?name={budget research}&tenant={northwind}", status_when_empty=404),
    ShownPage(
        "rolling budget",
        "/budgets",
        "/budgets?name={budget trading}&tenant={acme-energy}",
        for_roles=(ADMIN, EDITOR, AUDITOR),
        status_for_others=404,
        status_when_empty=404,
    ),
    ShownPage("new budget", "/budgets", "/budgets?new=true"),
    ShownPage(
        "new budget with a suggestion",
        "/budgets",
        "/budgets?new=true&tenant={northwind}&team={research}&period=month",
    ),
    ShownPage(
        "change a budget",
        "/budgets",
        "/budgets?name={budget research}&tenant={northwind}&change=true",
        status_when_empty=404,
    ),
    ShownPage("periods", "/periods", "/periods"),
    ShownPage("periods of a tenant", "/periods", "/periods?tenant={northwind}&year=2026"),
    ShownPage(
        "close a month",
        "/periods",
        "/periods?tenant={northwind}&close=2026-10",
        for_roles=(ADMIN, EDITOR),
        status_when_empty=404,
        of_database=True,
    ),
    ShownPage("periods nothing", "/periods", "/periods?year=2020"),
    *(
        ShownPage(
            f"admin, {section}", "/admin", f"/admin?section={section}", for_roles=(ADMIN, AUDITOR), of_database=True
        )
        for section in ("tokens&new=true&ended=true", "audit", "roles", "names", "factors", "erasing", "system")
    ),
    ShownPage(
        "channels",
        "/channels",
        "/channels?tenant={helix-pharma}",
        for_roles=(ADMIN, EDITOR, AUDITOR),
        status_for_others=404,
    ),
    ShownPage(
        "channels, a delivery",
        "/channels",
        "/channels?delivery=1",
        for_roles=(ADMIN, EDITOR, AUDITOR),
        status_for_others=404,
        status_when_empty=404,
    ),
    ShownPage("what channel", "/channels", "/channels?new=true"),
    ShownPage("new channel", "/channels", "/channels?new=true&type=webhook"),
    ShownPage("change a channel", "/channels", "/channels?change=4", status_when_empty=404),
    ShownPage("channels, narrowed", "/channels", "/channels?state=dead&channel={acme-oncall}&since=2026-01-01"),
    ShownPage(
        "record",
        "/prompts/{event_id:path}",
        "/prompts/northwind-pinned-1?tenant={northwind}",
        for_roles=(ADMIN, EDITOR, AUDITOR, OF_A_TENANT),
        status_for_others=404,
        status_when_empty=404,
    ),
    ShownPage("reference", "/reference", "/reference", of_ledger=False),
    ShownPage("kind of problem", "/problems/{slug}", "/problems/not-found", of_ledger=False),
)
LEDGER_PAGES = tuple(page for page in PAGES if page.of_ledger)
NO_PAGES: dict[str, str] = {"/periods/checkpoint": "the signed note of a closed month, as text"}
"""Routes of browsers that answer with something else, and why."""
