"""The pages that a browser is shown, each with the route that answers it: a page that is missing here fails a test."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ShownPage:
    """One page, or one state of it."""

    name: str
    route: str
    """As the application has it, such as `/prompts/{event_id}`."""
    path: str
    """What is asked for; names of the ledger are those of `console_names`."""


PAGES = (
    ShownPage("reference", "/reference", "/reference"),
    ShownPage("kind of problem", "/problems/{slug}", "/problems/not-found"),
)
NO_PAGES = {
    "/": "leads on to the first page",
}
"""Routes of browsers that answer with something else, and why."""
