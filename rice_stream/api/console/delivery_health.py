"""What every page says of deliveries that do not arrive."""

import logging

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.kept import Figures
from rice_stream.api.product import Product
from rice_stream.errors import RiceError
from rice_stream.reports.deliveries import delivery_health

log = logging.getLogger(__name__)


def health_shown(product: Product, caller: Caller) -> Figures | None:
    """As `delivery_health` answers; None: all is well, or the database does not say (the page itself says that it is away)."""
    try:
        found = delivery_health(product.engine(), caller.scope(Right.READ), product.now())
    except RiceError as error:
        log.warning("a page does not say whether deliveries arrive: %s", error)
        return None
    return found if found["failing"] or found["disabled"] or found["overdue"] else None
