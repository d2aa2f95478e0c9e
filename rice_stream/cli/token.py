"""`rice-stream token create|list|rotate|revoke`."""

import time
from typing import TYPE_CHECKING

import click

from rice_stream.cli.base import STDERR, CommandGroup, Session, answer, json_option, pass_session, say
from rice_stream.cli.tables import table
from rice_stream.errors import UsageError
from rice_stream.reports.tokens import described_revocation, described_token, tokens
from rice_stream.runtime.opening import open_store
from rice_stream.store.http_tokens import ALL_TENANTS, ROLES, revoke_token
from rice_stream.store.scope import EVERYTHING

if TYPE_CHECKING:
    from rice_stream.api.access.issuing import IssuedToken


@click.group(cls=CommandGroup)
def token() -> None:
    """Tokens of those who use the HTTP server: create, list, rotate, revoke.

    Example: rice-stream token create --name gateway --role ingest --tenant acme
    """


@token.command("create")
@click.option("--name", required=True, help="What the token is for; no other that is in use may have it.")
@click.option("--role", required=True, type=click.Choice(ROLES), help="`ingest` may send events, and no more.")
@click.option(
    "--tenant", "tenants", multiple=True, help="Tenant that it is for; repeat it for several.  [default: all]"
)
@click.option("--team", "teams", multiple=True, help="Team that it is for; repeat it for several.  [default: all]")
@click.option(
    "--expires-days",
    type=click.FloatRange(min=0, min_open=True, max=36_500),
    metavar="D",
    help="[default: 90; never for the role ingest]",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True, max=1_000_000),
    metavar="N",
    help="Requests a second, on average.  [default: RICE_HTTP_REQUESTS_PER_S]",
)
@click.option(
    "--concurrency", type=click.IntRange(1, 256), metavar="N", help="Requests at the same time.  [default: 64]"
)
@json_option
@pass_session
def create(
    session: Session,
    /,
    name: str,
    role: str,
    tenants: tuple[str, ...],
    teams: tuple[str, ...],
    *,
    expires_days: float | None,
    rate: float | None,
    concurrency: int | None,
    as_json: bool,
) -> None:
    """Make a token. It is shown this once; the database keeps a digest of it.

    Example: rice-stream token create --name gateway --role ingest --tenant acme --tenant globex --expires-days 90
    """
    from rice_stream.api.access.issuing import AskedToken, issue

    if ALL_TENANTS in tenants and len(tenants) > 1:
        raise UsageError(f"--tenant: {ALL_TENANTS} is every tenant; leave the others out")
    every = not tenants or ALL_TENANTS in tenants
    asked = AskedToken(
        name, role, None if every else frozenset(tenants), frozenset(teams), expires_days, rate, concurrency
    )
    _answer_issued(issue(open_store(session.settings), asked, EVERYTHING, session.actor), as_json=as_json)


@token.command("list")
@json_option
@pass_session
def list_(session: Session, *, as_json: bool) -> None:
    """All tokens, with the beginning of each; those that have ended as well.

    Example: rice-stream token list
    """
    rows = tokens(open_store(session.settings), EVERYTHING)

    def human() -> None:
        names = ("id", "name", "role", "state", "prefix", "tenants", "teams", "expires_at", "last_used_at")
        table(
            [name.removesuffix("_at").replace("_", " ") for name in names],
            [[_cell(row[name]) for name in names] for row in rows],
        )

    answer({"tokens": rows}, as_json=as_json, human=human)


@token.command("rotate")
@click.argument("token_id", type=int, metavar="ID")
@click.option(
    "--overlap-hours",
    type=click.FloatRange(min=0, max=720),
    default=24.0,
    show_default=True,
    metavar="H",
    help="How long the old token goes on; 0 ends it at once.",
)
@json_option
@pass_session
def rotate(session: Session, token_id: int, *, overlap_hours: float, as_json: bool) -> None:
    """Make a token in the place of another: it allows the same, lasts as long, and is shown this once.

    Example: rice-stream token rotate 3 --overlap-hours 48
    """
    from rice_stream.api.access.issuing import rotate as rotate_token

    engine = open_store(session.settings)
    _answer_issued(
        rotate_token(engine, token_id, EVERYTHING, session.actor, overlap_hours=overlap_hours), as_json=as_json
    )


@token.command("revoke")
@click.argument("token_id", type=int, metavar="ID")
@json_option
@pass_session
def revoke(session: Session, token_id: int, *, as_json: bool) -> None:
    """End a token, and those that were made with it. Servers take note within a few seconds; the rows stay in the list.

    Example: rice-stream token revoke 3
    """
    revoked = revoke_token(open_store(session.settings), token_id, EVERYTHING, session.actor)
    row = described_revocation(revoked, time.time_ns() // 1000)

    def human() -> None:
        made = ", ".join(map(str, row["also_revoked"]))
        STDERR.print(
            f"Token {row['id']} ({row['name']}) is revoked." + (f" So are those it made: {made}." if made else "")
        )
        if row["replaced_by"] is not None:
            STDERR.print(
                f"Token {row['replaced_by']} has its place and goes on: revoke it as well where this one leaked."
            )

    answer(row, as_json=as_json, human=human)


def _answer_issued(issued: "IssuedToken", *, as_json: bool) -> None:
    row = described_token(issued.token, time.time_ns() // 1000)

    def human() -> None:
        say(issued.secret)
        scope = "every tenant" if row["tenants"] == ALL_TENANTS else ", ".join(row["tenants"])
        ends = f", until {row['expires_at']}" if row["expires_at"] else ""
        STDERR.print(
            f"Token {row['id']} ({row['name']}, {row['role']}, {scope}{ends}). It is not shown again; the server takes it"
            " within a second."
        )

    if issued.warning is not None:
        STDERR.print(f"Warning: {issued.warning} (--expires-days).")
    answer({"token": issued.secret, **row}, as_json=as_json, human=human)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "all"
    return "" if value is None else "all" if value == ALL_TENANTS else str(value)
