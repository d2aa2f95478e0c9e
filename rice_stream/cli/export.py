"""`rice-stream export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rice_stream.cli.base import BAD_NEWS, STDERR, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table
from rice_stream.errors import UsageError

if TYPE_CHECKING:
    from rice_stream.reports.exports.orders import ExportOrder
    from rice_stream.store.scope import Scope


@click.command()
@click.argument("kind", required=False)
@click.option("--tenant", metavar="NAME", help="Whose month.")
@click.option("--month", metavar="YYYY-MM", help="The month, in the tenant's time zone.")
@click.option(
    "--format",
    "form",
    metavar="FORM",
    help="csv, parquet, xlsx, pdf or json.  [default: what the ending of FILE says, else the kind's first]",
)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@click.option(
    "--by", multiple=True, metavar="NAME", help="chargeback: rows also by team, project, user, model and others."
)
@click.option(
    "--as",
    "amounts",
    type=click.Choice(["reported", "restated"]),
    default="restated",
    show_default=True,
    help="With all corrections, or as it was reported.",
)
@click.option(
    "--as-of", metavar="TIME", help="With what was recorded and corrected until this instant.  [default: now]"
)
@click.option("--carbon-price-per-tonne", metavar="X", help="chargeback: what a tonne of CO2e costs.")
@click.option("--currency", metavar="EUR", help="chargeback: the currency of that price.")
@click.option(
    "--focus-version", metavar="1.2", help="focus: the version of the specification, 1.4 or 1.2.  [default: 1.4]"
)
@click.option(
    "--own-provider",
    "own_providers",
    multiple=True,
    metavar="NAME",
    help="scope-pack, msm, envizi: prompts of this provider ran on accelerators of one's own, and so Scope 2; netzero: left out.",
)
@click.option("--company-name", metavar="NAME", help="pact: whose product it is.  [default: the tenant]")
@click.option("--company-domain", metavar="DOMAIN", help="pact: the domain in its URNs.")
@click.option("--part", metavar="PART", help="msm: emissions or activity.  [default: emissions]")
@click.option("--functional-unit", metavar="UNIT", help="sci: per token, 1000-tokens or prompt.  [default: token]")
@click.option(
    "--manifest",
    "again",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Make the file of this manifest again, and say whether it is the same.",
)
@json_option
@pass_session
def export(
    session: Session, /, *, kind: str | None, out: Path, again: Path | None, as_json: bool, **asked: Any
) -> None:
    """Write a month of a tenant as a file to hand on, and beside it FILE.manifest.json, which makes it again.

    KIND is chargeback, focus, scope-pack, sci, pact, prompts, msm, netzero, envizi or spruce. Made again by its manifest, a file
    has the same bytes, on another day as well; where a library has changed it says so, and that what the file says is the same.
    Exit 1: it does not say the same any more.

    Example: rice-stream export chargeback --tenant acme --month 2026-10 --format xlsx --out october.xlsx
    """
    from rice_stream.reports.exports.making import make_export, write_manifest
    from rice_stream.reports.exports.manifests import differences_of
    from rice_stream.runtime.opening import open_store

    if kind == "scope-pack":
        asked["threshold_percent"] = session.settings.restatement_threshold_percent
    order, scope, before = _asked(kind, again, out, asked)
    with STDERR.status("exporting"):
        manifest = make_export(open_store(session.settings), scope, order, out)
    beside = out.with_name(f"{out.name}.manifest.json")
    write_manifest(manifest, beside)
    document = {
        "file": str(out),
        "rows": manifest["file"]["rows"],
        "sha256": manifest["file"]["sha256"],
        "content_sha256": manifest["content_sha256"],
        "manifest": str(beside),
        **({} if before is None else differences_of(before, manifest)),
    }
    answer(document, as_json=as_json, human=lambda: _show(document))
    if not document.get("same_content", True):
        raise SystemExit(BAD_NEWS)


def _asked(
    kind: str | None, again: Path | None, out: Path, asked: dict[str, Any]
) -> "tuple[ExportOrder, Scope, dict[str, Any] | None]":
    from datetime import UTC, datetime

    from rice_stream.instants import epoch_us
    from rice_stream.reports.exports.kinds import form_of
    from rice_stream.reports.exports.manifests import order_of
    from rice_stream.reports.exports.orders import ExportOptions, ExportOrder
    from rice_stream.reports.moments import as_of_instant, moment
    from rice_stream.store.scope import EVERYTHING

    tenant, month, form, as_of = (asked.pop(name) for name in ("tenant", "month", "form", "as_of"))
    if again is not None:
        if kind is not None or tenant is not None or month is not None or form is not None:
            raise UsageError("--manifest says it all: leave out KIND, --tenant, --month and --format")
        return order_of(again.read_text(encoding="utf-8"))
    if kind is None or tenant is None or month is None:
        raise UsageError("say KIND, --tenant and --month; or --manifest for a file that was made before")
    names = tuple(name.strip() for listed in asked.pop("by") for name in listed.split(",") if name.strip())
    when = as_of_instant("--as-of", moment("--as-of", as_of), datetime.now(UTC))
    order = ExportOrder(
        kind=kind,
        tenant=tenant,
        month=month,
        form=form_of(kind, form or _ending(out)),
        options=ExportOptions(
            by=tuple(dict.fromkeys(names)), **{**asked, "own_providers": tuple(asked["own_providers"])}
        ),
        as_of_us=None if when is None else epoch_us(when),
    )
    return order, EVERYTHING, None


def _ending(out: Path) -> str | None:
    """The form that the name of a file says; None: none of ours."""
    from typing import get_args

    from rice_stream.reports.exports.orders import Form

    ending = out.suffix.removeprefix(".").lower()
    return ending if ending in get_args(Form) else None


def _show(document: dict[str, Any]) -> None:
    rows: list[list[object]] = [[name, document[name]] for name in ("rows", "sha256", "content_sha256", "manifest")]
    if "same_bytes" in document:
        rows.append(["same bytes", "yes" if document["same_bytes"] else "no"])
        rows.append(["same content", "yes" if document["same_content"] else "no"])
    table(["file", document["file"]], rows)
    if document.get("differs"):
        table(["what differs", "was", "is"], [[one["what"], one["was"], one["is"]] for one in document["differs"]])
