"""What the first views of pages would wait for, made ready beside a server that has just started: templates that are compiled, a
database that is opened, and a connection that has planned what pages ask of a tenant."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Grant
from rice_stream.api.access.shares import share_of_everything
from rice_stream.api.console.around import Around, Surroundings
from rice_stream.api.console.asked import PageParameters
from rice_stream.api.console.kept import Figures, KeptFigures
from rice_stream.api.console.pages.explore_asked import ExploreParameters
from rice_stream.api.console.pages.explore_figures import explored
from rice_stream.api.console.pages.overview_figures import overview_figures
from rice_stream.api.console.views import LiveView
from rice_stream.api.product import Product
from rice_stream.errors import RiceError
from rice_stream.reports.tenants import tenants
from rice_stream.store.scope import EVERYTHING

log = logging.getLogger(__name__)

_AFTER_S = 0.5
"""From the beginning on: a server is ready to be asked before it is warm."""
Step = Callable[[], object]
_LookUp = Callable[[Around], Figures]


@contextmanager
def warming(steps: Iterable[Step], after_s: float = _AFTER_S) -> Iterator[None]:
    """Does one step after the other in a thread; the end waits for the one that is being done, and leaves out the others.

    A step that raises a RiceError leaves out those after it: the first view waits for them instead.
    """
    ends = threading.Event()

    def work() -> None:
        ends.wait(after_s)
        try:
            for step in steps:
                if ends.is_set():
                    return
                step()
        except RiceError as error:
            log.info("first views of pages will take longer: %s", error)

    thread = threading.Thread(target=work, name="rice-warming", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def steps_of_database(product: Product) -> Iterator[Step]:
    """Opens the database as pages do, and looks at the largest pages of one tenant. What is found is forgotten."""
    yield product.wide_engine
    names = tenants(product.engine(), EVERYTHING)
    if names:
        yield from views_of(product, names[0]["tenant_id"])


def views_of(product: Product, tenant: str) -> Iterator[Step]:
    """Views of a tenant's overview and Explore, part by part, as of somebody who sees everything."""
    caller = Caller("warming", "local", (Grant("reader"),), share_of_everything(1.0))
    surroundings = Surroundings(product)
    overview, explore = PageParameters(tenant=tenant), ExploreParameters.model_validate({"tenant": tenant})
    looks: list[tuple[_LookUp, bool]] = [
        (lambda around: overview_figures(product, caller, overview, None, around, "rest"), False),
        (lambda around: overview_figures(product, caller, overview, None, around, "week"), True),
        (lambda around: explored(product, caller, explore, around, "rest"), False),
        (lambda around: explored(product, caller, explore, around, "bars"), True),
        (lambda around: explored(product, caller, explore, around, "latest"), True),
    ]
    for look, is_piece in looks:
        view = LiveView(
            product,
            surroundings,
            caller,
            tenant,
            lambda around, _live, look=look: look(around),  # type: ignore[misc]
            Around.tenants,
            adds_up=True,
            is_piece=is_piece,
        )
        yield partial(KeptFigures(product.now).of_live, tenant, view)
