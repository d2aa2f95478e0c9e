"""`rice-stream audit list`; the commands about checkpoints and proofs are in `audit_proofs`."""

import click

from rice_stream.cli import audit_proofs
from rice_stream.cli.base import CommandGroup, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table

_LIMIT_DEFAULT = 100


@click.group(cls=CommandGroup)
def audit() -> None:
    """Who changed what, from what to what, and when; and proof that nobody changed it afterwards.

    Example: rice-stream audit list --tenant acme
    """


@audit.command("list")
@click.option("--tenant", metavar="TENANT", help="Changes of what is this tenant's alone.")
@click.option("--action", metavar="ACTION", help="Such as `budget.set` or `token.create`.")
@click.option("--before", type=int, metavar="ID", help="Those before this entry: the next page.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=_LIMIT_DEFAULT, show_default=True, help="The latest N."
)
@json_option
@pass_session
def list_(
    session: Session, /, tenant: str | None, action: str | None, before: int | None, limit: int, *, as_json: bool
) -> None:
    """Changes, latest first. Nobody can alter or remove an entry.

    Example: rice-stream audit list --action budget.set --limit 20
    """
    from rice_stream.canonical_json import canonical_json
    from rice_stream.reports.audit import audit_entries
    from rice_stream.runtime.opening import open_store
    from rice_stream.store.audit import Actor
    from rice_stream.store.scope import EVERYTHING

    engine = open_store(session.settings)
    document = audit_entries(engine, EVERYTHING, tenant=tenant, action=action, before=before, limit=limit)

    def human() -> None:
        columns = ["id", "at", "by", "tenant", "action", "subject", "before", "after"]
        table(
            columns,
            [
                [
                    str(row["id"]),
                    row["at"],
                    str(Actor(row["actor"]["kind"], row["actor"]["name"])),
                    row["tenant_id"] or "",
                    row["action"],
                    row["subject"]["id"],
                    *("" if row[name] is None else canonical_json(row[name]).decode() for name in ("before", "after")),
                ]
                for row in document["rows"]
            ],
        )

    answer(document, as_json=as_json, human=human)


for _command in (
    audit_proofs.checkpoint,
    audit_proofs.checkpoints,
    audit_proofs.keys,
    audit_proofs.prove,
    audit_proofs.verify,
    audit_proofs.check,
):
    audit.add_command(_command)
