"""`rice-stream factors list|show|add|diff|fetch`: dated sets of carbon intensities, PUEs, prices and evidence."""

import json
import time
from pathlib import Path
from typing import Any

import click

from rice_stream.canonical_json import canonical_json
from rice_stream.cli.base import STDERR, CommandGroup, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table
from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us
from rice_stream.ledger.factor_sets import add_factors
from rice_stream.reference.sets.factor_set import DIGEST_SHOWN, FactorSet
from rice_stream.reports.factor_sets import factor_set, factor_set_differences, factor_sets, tables_kept
from rice_stream.reports.moments import instant
from rice_stream.runtime.factor_files import read_factor_file
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.opening_reference import open_reference
from rice_stream.store.scope import EVERYTHING


@click.group(cls=CommandGroup)
def factors() -> None:
    """Dated sets of carbon intensities, PUEs, prices and evidence, which all workers take from an instant on.

    Example: rice-stream factors add grid-2027.yaml --effective-from 2027-01-01
    """


@factors.command("list")
@json_option
@pass_session
def list_(session: Session, *, as_json: bool) -> None:
    """All sets, in the order in which they are laid over the built-in tables, and the versions of these that records rest on.

    Example: rice-stream factors list
    """
    engine = open_store(session.settings)
    rows = factor_sets(engine, EVERYTHING, now_us=time.time_ns() // 1000)
    built_in = open_reference(session.settings).version
    kept = tables_kept(engine, EVERYTHING)
    _show_sets(rows, {"factor_sets": rows, "built_in": built_in, "tables": kept}, as_json=as_json)
    if not as_json:
        in_use = {True: "these are used now", False: ""}
        cells = [[row["version"], row["kept_at"], in_use[row["version"] == built_in]] for row in kept]
        table(["tables below the sets", "first used", ""], cells)


@factors.command()
@click.argument("digest")
@json_option
@pass_session
def show(session: Session, digest: str, *, as_json: bool) -> None:
    """One set with its rows. DIGEST may be its first digits, or a set's name for its latest edition.

    Example: rice-stream factors show ec1cdc198382
    """
    found = factor_set(open_store(session.settings), EVERYTHING, digest, now_us=time.time_ns() // 1000)

    def human() -> None:
        table(["field", "value"], [[name, value] for name, value in found.items() if name != "rows"])
        table(["row"], [[_text(row)] for row in found["rows"]])

    answer({"factor_set": found}, as_json=as_json, human=human)


@factors.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--effective-from",
    metavar="TIME",
    help="For events that end at or after this instant; default: the file's, or in a few seconds, when all workers know.",
)
@json_option
@pass_session
def add(session: Session, file: Path, effective_from: str | None, *, as_json: bool) -> None:
    """Check the set of a YAML file, and let events that end from an instant on be estimated with it.

    What is recorded keeps its estimate: the past changes only by `restate`. The same file again adds nothing. A set of the
    same kind and name takes the place of the one before; one without rows withdraws it.

    Example: rice-stream factors add grid-2027.yaml --effective-from 2027-01-01
    """
    settings = session.settings
    parsed, engine = read_factor_file(file), open_store(settings)
    added = add_factors(
        engine,
        parsed,
        open_reference(settings),
        scope=settings.rci_scope,
        effective_from=effective_from,
        by=session.actor,
    )
    found = factor_set(engine, EVERYTHING, added.stored.digest, now_us=time.time_ns() // 1000)
    row = {name: value for name, value in found.items() if name != "rows"}
    if not added.is_new:
        STDERR.print("this set is there already: nothing was added")
    _show_sets([row], {"factor_set": row, "added": added.is_new}, as_json=as_json)


@factors.command()
@click.argument("a")
@click.argument("b")
@json_option
@pass_session
def diff(session: Session, a: str, b: str, *, as_json: bool) -> None:
    """Rows in which B differs from A, each a digest, its first digits, a name, or a FILE.

    Example: rice-stream factors diff grid-2026 grid-2027.yaml
    """
    document = factor_set_differences(open_store(session.settings), EVERYTHING, _named(a), _named(b))

    def human() -> None:
        columns = ["change", "key", "before", "after", "%"]
        cells = [
            [row["change"], ", ".join(map(_cell, row["key"].values())), *_differing(row), row["change_percent"]]
            for row in document["rows"]
        ]
        table(columns, cells)

    answer(document, as_json=as_json, human=human)


@factors.command()
@click.option("--from", "start", required=True, metavar="TIME", help="Date or RFC 3339 instant at which to begin.")
@click.option(
    "--to", "end", required=True, metavar="TIME", help="Date or instant at which to end; itself not included."
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where the set is written.",
)
@json_option
@pass_session
def fetch(session: Session, start: str, end: str, out: Path, *, as_json: bool) -> None:
    """Ask the live feed what it says by now of past hours, and write the final values as a set, to be added and trued up by.

    Hours that are still estimates are left out. Nothing is added to the database.

    Example: rice-stream factors fetch --from 2026-11-01 --to 2026-12-01 --out final.yaml
    """
    # Loaded here: the other commands about factors ask nobody.
    from rice_stream.reference.sets.parsing import parse_factor_file
    from rice_stream.runtime.opening_feeds import final_values_file

    bounds = [at for name, text in (("--from", start), ("--to", end)) if (at := instant(name, text)) is not None]
    file, found = final_values_file(session.settings, *map(epoch_us, bounds))
    if not found.rows:
        raise UsageError("the feed has no final value of any of these hours yet: nothing was written")
    digest = parse_factor_file(file, str(out)).factor_set.digest
    try:
        out.write_text(json.dumps(file, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise UsageError(f"--out: {out} cannot be written ({error.strerror})") from error
    document = {"file": str(out), "digest": digest, "hours": found.hours, "missing_hours": found.missing}
    cells = [[region, hours, found.missing[region]] for region, hours in found.hours.items()]
    answer(document, as_json=as_json, human=lambda: table(["region", "hours", "hours without a final value"], cells))


def _named(text: str) -> str | FactorSet:
    path = Path(text)
    return read_factor_file(path).factor_set if path.is_file() else text


def _show_sets(rows: list[dict[str, Any]], document: dict[str, Any], *, as_json: bool) -> None:
    def human() -> None:
        names = ["kind", "name", "state", "effective_from", "row_count", "source", "licence", "published"]
        cells = [[row["digest"][:DIGEST_SHOWN], *(row[name] for name in names)] for row in rows]
        table(["digest", *(name.replace("_", " ") for name in names)], cells)

    answer(document, as_json=as_json, human=human)


def _differing(row: dict[str, Any]) -> list[str]:
    """What a row was and is, without what it is known by, and of one that was changed without what stayed."""
    before, after = row["before"] or {}, row["after"] or {}
    names = [name for name in before | after if name not in row["key"] and before.get(name) != after.get(name)]
    return [", ".join(f"{name} {_cell(side[name])}" for name in names if name in side) for side in (before, after)]


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value).decode()


def _text(value: dict[str, Any]) -> str:
    return canonical_json(value).decode()
