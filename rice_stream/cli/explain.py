"""`rice-stream explain`."""

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from rice_stream.cli.base import BAD_NEWS, STDERR, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table
from rice_stream.reports.moments import instant
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.opening_estimator import open_method, token_defaults
from rice_stream.store.scope import EVERYTHING


@click.command()
@click.argument("event_id")
@click.option("--tenant", help="Needed when several tenants have an event of this id.")
@click.option("--ended-at", metavar="TIME", help="Needed when a tenant has several of this id.")
@json_option
@pass_session
def explain(session: Session, /, event_id: str, *, tenant: str | None, ended_at: str | None, as_json: bool) -> None:
    """The arithmetic of one record, step by step, from what is stored with it.

    Exit code 1 when the record does not hold what its own factors give.

    Example: rice-stream explain req-7f3a --tenant acme
    """
    from rice_stream.reports.explanation import explain as explain_record

    document = explain_record(
        open_store(session.settings),
        EVERYTHING,
        event_id,
        tenant,
        defaults=token_defaults(session.settings),
        ended_at=instant("--ended-at", ended_at),
        open_method=partial(open_method, session.settings),
    )
    answer(document, as_json=as_json, human=lambda: _show_explanation(document))
    if document["agrees"] is False:
        sys.exit(BAD_NEWS)


def _show_explanation(document: dict[str, Any]) -> None:
    table(["record", ""], [[name, value] for name, value in document["record"].items() if value is not None])
    click.echo()
    sources = short_sources([step["source"] for step in document["steps"]])
    names = ["name", "value", "unit", "formula"]
    rows = [[*(_exact(step[name]) for name in names), sources.get(step["source"], "")] for step in document["steps"]]
    table(["step", *names[1:], "source"], rows)
    click.echo()
    table(["source", ""], [[short, source] for source, short in sources.items()])
    for remark in document["remarks"]:
        STDERR.print(remark)


def short_sources(sources: Sequence[str | None]) -> dict[str | None, str]:
    """Source -> `[1]`, `[2]` ... in the order in which steps name them: many steps have one long source."""
    return {source: f"[{number}]" for number, source in enumerate(dict.fromkeys(filter(None, sources)), start=1)}


def _exact(value: object) -> str:
    """A step's value as it is: rounding it for display would make the next step look wrong."""
    return f"{value:.10g}" if isinstance(value, float) else str(value)
