"""All pages put into the application, in the order of the navigation."""

from functools import partial
from itertools import chain

from fastapi import FastAPI

from rice_stream.api.console.dashboard import Dashboard
from rice_stream.api.console.pages import (
    admin,
    budgets,
    channels,
    covering,
    explore,
    models,
    overview,
    periods,
    preferences,
    quality,
    reconciling,
    record,
    restating,
)
from rice_stream.api.console.warming import steps_of_database, warming
from rice_stream.api.product import Product

_PAGES = (
    overview,
    explore,
    budgets,
    models,
    quality,
    record,
    periods,
    covering,
    reconciling,
    restating,
    admin,
    channels,
    preferences,
)


def install(app: FastAPI, product: Product, *, by_provider: bool) -> None:
    """Add the routes, and answer browsers with pages where something fails."""
    dashboard = Dashboard(product, by_provider=by_provider)
    dashboard.assets.install(app)
    for page in _PAGES:
        page.install(app, dashboard)
    app.state.problem_page = dashboard.problem
    app.state.warming = partial(warming, chain(dashboard.compiling(), steps_of_database(product)))
