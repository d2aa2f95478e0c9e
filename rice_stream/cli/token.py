"""`rice-stream token create|list|revoke`."""

import time
from typing import Any

import click

from rice_stream.cli.base import STDERR, CommandGroup, Session, answer, json_option, pass_session, say
from rice_stream.cli.tables import table
from rice_stream.errors import UsageError
from rice_stream.instants import rfc3339
from rice_stream.quantities import NAME_LENGTH_MAX
from rice_stream.runtime.opening import open_store
from rice_stream.store.http_tokens import ALL_TENANTS, ROLES, HttpToken, create_token, list_tokens, revoke_token

_DAY_US = 86_400_000_000


@click.group(cls=CommandGroup)
def token() -> None:
    """Tokens of those who use the HTTP server: create, list, revoke.

    Example: rice-stream token create --name gateway --role ingest --tenant acme
    """


@token.command("create")
@click.option("--name", required=True, help="What the token is for; no other that is in use may have it.")
@click.option("--role", required=True, type=click.Choice(ROLES), help="`ingest` may send events, and no more.")
@click.option(
    "--tenant", "tenants", multiple=True, help="Tenant that it is for; repeat it for several.  [default: all]"
)
@click.option("--team", "teams", multiple=True, help="Team that it is for; repeat it for several.  [default: all]")
@click.option("--expires-days", type=click.FloatRange(min=0, min_open=True, max=36_500), help="[default: never]")
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
    from rice_stream.api.access.secrets import digest_of, new_token, prefix_of

    for option, names in (("--name", [name]), ("--tenant", tenants), ("--team", teams)):
        for value in names:
            _check_name(option, value)
    if ALL_TENANTS in tenants and len(tenants) > 1:
        raise UsageError(f"--tenant: {ALL_TENANTS} is every tenant; leave the others out")
    every = not tenants or ALL_TENANTS in tenants
    secret = new_token(role)
    now_us = time.time_ns() // 1000
    made = create_token(
        open_store(session.settings),
        HttpToken(
            id=0,
            name=name,
            role=role,
            prefix=prefix_of(secret),
            digest=digest_of(secret),
            tenants=None if every else frozenset(tenants),
            teams=frozenset(teams),
            requests_per_s=rate,
            concurrency=concurrency,
            created_at_us=now_us,
            expires_at_us=None if expires_days is None else now_us + round(expires_days * _DAY_US),
        ),
    )

    def human() -> None:
        say(secret)
        scope = "every tenant" if every else ", ".join(sorted(tenants))
        STDERR.print(
            f"Token {made.id} ({name}, {role}, {scope}). It is not shown again; the server takes it within a second."
        )

    answer({"token": secret, **_described(made, now_us)}, as_json=as_json, human=human)


@token.command("list")
@json_option
@pass_session
def list_(session: Session, *, as_json: bool) -> None:
    """All tokens, with the beginning of each; those that have ended as well.

    Example: rice-stream token list
    """
    now_us = time.time_ns() // 1000
    rows = [_described(one, now_us) for one in list_tokens(open_store(session.settings))]

    def human() -> None:
        names = ("id", "name", "role", "state", "prefix", "tenants", "teams", "expires_at", "last_used_at")
        table(
            [name.removesuffix("_at").replace("_", " ") for name in names],
            [[_cell(row[name]) for name in names] for row in rows],
        )

    answer({"tokens": rows}, as_json=as_json, human=human)


@token.command("revoke")
@click.argument("token_id", type=int, metavar="ID")
@json_option
@pass_session
def revoke(session: Session, token_id: int, *, as_json: bool) -> None:
    """End a token. Servers take note within a few seconds; the row stays in the list.

    Example: rice-stream token revoke 3
    """
    now_us = time.time_ns() // 1000
    row = _described(revoke_token(open_store(session.settings), token_id, now_us), now_us)
    answer(row, as_json=as_json, human=lambda: STDERR.print(f"Token {row['id']} ({row['name']}) is revoked."))


def _check_name(option: str, value: str) -> None:
    if not value.strip() or len(value) > NAME_LENGTH_MAX or "\x00" in value:
        raise UsageError(f"{option}: must have 1 to {NAME_LENGTH_MAX} characters, and no NUL")


def _described(token: HttpToken, now_us: int) -> dict[str, Any]:
    """The token as answers have it; never the secret or its digest."""
    expired = token.expires_at_us is not None and token.expires_at_us <= now_us
    return {
        "id": token.id,
        "name": token.name,
        "prefix": token.prefix,
        "role": token.role,
        "tenants": ALL_TENANTS if token.tenants is None else sorted(token.tenants),
        "teams": sorted(token.teams),
        "requests_per_s": token.requests_per_s,
        "concurrency": token.concurrency,
        "state": "revoked" if token.revoked_at_us is not None else "expired" if expired else "active",
        "created_at": rfc3339(token.created_at_us),
        **{
            name: None if value is None else rfc3339(value)
            for name, value in (
                ("expires_at", token.expires_at_us),
                ("revoked_at", token.revoked_at_us),
                ("last_used_at", token.last_used_at_us),
            )
        },
    }


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "all"
    return "" if value is None else "all" if value == ALL_TENANTS else str(value)
