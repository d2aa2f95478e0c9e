"""`rice-stream audit checkpoint|checkpoints|keys|prove|verify|check`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rice_stream.cli.base import BAD_NEWS, STDERR, Session, answer, json_option, pass_session, say
from rice_stream.cli.tables import table
from rice_stream.errors import UsageError

if TYPE_CHECKING:
    from rice_stream.transparency.notes import NoteKey

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@json_option
@pass_session
def checkpoint(session: Session, /, *, as_json: bool) -> None:
    """Sign what the audit trail is now, where entries have come since the last time, and publish it.

    The first one makes the key that signs; RICE_SECRETS_KEY encrypts it. `rice-stream serve` does this by itself every
    RICE_CHECKPOINT_EVERY_S seconds where there is something new.

    Example: rice-stream audit checkpoint
    """
    from rice_stream.ledger.checkpoints import make_checkpoints

    _made(session, make_checkpoints, as_json=as_json)


@click.command()
@click.option("--rotate", is_flag=True, help="Put a new key in force. A checkpoint is signed with both, and published.")
@json_option
@pass_session
def keys(session: Session, /, *, rotate: bool, as_json: bool) -> None:
    """The public keys of checkpoints, the one in force last: what others need to check signatures.

    Example: rice-stream audit keys
    """
    from rice_stream.instants import rfc3339
    from rice_stream.ledger.checkpoints import note_key, rotate_key
    from rice_stream.runtime.opening import open_store
    from rice_stream.store.engine import reading
    from rice_stream.store.signing_keys import signing_keys

    if rotate:
        _made(session, rotate_key, as_json=as_json)
        return
    with reading(open_store(session.settings)) as connection:
        found = [
            {
                "key": str(note_key(key)),
                "created_at": rfc3339(key.created_at_us),
                "retired_at": None if key.retired_at_us is None else rfc3339(key.retired_at_us),
            }
            for key in signing_keys(connection)
        ]
    rows = [[each["key"], each["created_at"], each["retired_at"] or "in force"] for each in found]
    answer({"keys": found}, as_json=as_json, human=lambda: table(["key", "made", "retired"], rows))


def _made(session: Session, make: Any, *, as_json: bool) -> None:
    from uuid import uuid4

    from rice_stream.ledger.publishing import publish_checkpoints
    from rice_stream.reports.checkpoints import checkpoints, place_rows
    from rice_stream.runtime.checkpoint_places import checkpoint_places
    from rice_stream.runtime.opening import open_store
    from rice_stream.runtime.opening_secrets import open_secret_box
    from rice_stream.store.scope import EVERYTHING

    settings = session.settings
    engine = open_store(settings)
    made = make(engine, open_secret_box(settings), origin=settings.checkpoint_origin, by=session.actor)
    published = publish_checkpoints(engine, checkpoint_places(settings), uuid4().hex)
    latest = checkpoints(engine, EVERYTHING, limit=1, kind="audit")
    places = place_rows(engine, EVERYTHING)
    document = {
        "made": made is not None,
        "checkpoint": latest[0] if latest else None,
        "published": published,
        "places": places,
    }

    def human() -> None:
        if not latest:
            say("The audit trail is empty: there is nothing to sign.")
            return
        if made is None:
            say(f"Nothing was added since checkpoint {latest[0]['id']}:\n")
        say(latest[0]["note"])
        for place in places:
            if place["problem"] is not None:
                say(f"Not published to {place['place']}: {place['problem']}")

    answer(document, as_json=as_json, human=human)
    if any(place["problem"] is not None for place in places):
        sys.exit(BAD_NEWS)


@click.command()
@click.option("--before", type=int, metavar="ID", help="Those before this one: the next page.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="The latest N.")
@json_option
@pass_session
def checkpoints(session: Session, /, before: int | None, limit: int, *, as_json: bool) -> None:
    """Checkpoints that were signed, latest first.

    Example: rice-stream audit checkpoints --limit 5
    """
    from rice_stream.reports.checkpoints import checkpoints as rows_of
    from rice_stream.runtime.opening import open_store
    from rice_stream.store.scope import EVERYTHING

    rows = rows_of(open_store(session.settings), EVERYTHING, before=before, limit=limit)
    columns = ["id", "made_at", "kind", "origin", "size", "root"]
    shown = [[str(row[name]) for name in columns] for row in rows]
    answer({"rows": rows}, as_json=as_json, human=lambda: table(columns, shown))


@click.command()
@click.argument("entry", type=click.IntRange(1), metavar="ID")
@click.option("--since", type=click.IntRange(1), metavar="SIZE", help="Also from the checkpoint of so many entries on.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="A file for the proof.")
@json_option
@pass_session
def prove(session: Session, /, entry: int, since: int | None, out: Path | None, *, as_json: bool) -> None:
    """A file that proves to somebody outside that an entry is in the trail; docs/proofs.md describes it.

    Example: rice-stream audit prove 17 --since 12 --out entry-17.json
    """
    from rice_stream.reports.audit_proofs import audit_proof
    from rice_stream.runtime.opening import open_store
    from rice_stream.store.scope import EVERYTHING

    document = audit_proof(open_store(session.settings), EVERYTHING, entry, since=since)
    answer_proof(document, out, f"entry {entry} is proven", as_json=as_json)


def answer_proof(document: dict[str, Any], out: Path | None, proven: str, *, as_json: bool) -> None:
    """Write a proof to the file, or tell it where there is none; `proven` is what people are told of a file.

    UsageError: the file cannot be written.
    """
    import json

    text = json.dumps(document, ensure_ascii=False, indent=1)
    if out is not None:
        try:
            out.write_text(f"{text}\n", "utf-8")
        except OSError as error:
            raise UsageError(f"--out: cannot write {out} ({error.strerror})") from error
    answer(document, as_json=as_json, human=lambda: say(text if out is None else f"{out}: {proven}"))


@click.command()
@click.option(
    "--checkpoint", "published", type=_FILE, help="Checkpoints that were published: each has to be of this trail."
)
@json_option
@pass_session
def verify(session: Session, /, published: Path | None, *, as_json: bool) -> None:
    """Look at every entry, every checkpoint and every closed month: is anything changed, missing, or not what was signed?

    Exit code 1: it is. The trees of closed months are made again from records and entries, and their totals are recounted; keys of
    all records are made again. What figures rest on is held against its digest, corrections and decisions against the trail.

    Example: rice-stream audit verify --checkpoint checkpoints.txt
    """
    from rice_stream.proof.audit_verification import verify_trail
    from rice_stream.proof.grounds_verification import verify_grounds
    from rice_stream.proof.identity_verification import verify_identities
    from rice_stream.proof.period_verification import verify_months
    from rice_stream.runtime.opening import open_store

    notes = [] if published is None else _notes(published)
    engine = open_store(session.settings)
    with STDERR.status("Reading the audit trail"):
        found = verify_trail(engine, notes)
    with STDERR.status("Making the trees of closed months again"):
        verify_months(engine, found)
    with STDERR.status("Making the keys of records again"):
        verify_identities(engine, found)
    with STDERR.status("Looking at what figures rest on, and at why they were corrected"):
        verify_grounds(engine, found)
    document = found.as_json()

    def human() -> None:
        for problem in document["problems"]:
            say(f"PROBLEM {problem}")
        verdict = "hold" if document["ok"] else "do not hold"
        say(f"{found.entries} entries, {found.checkpoints} checkpoints and {found.months} signed months {verdict}.")

    answer(document, as_json=as_json, human=human)
    if not document["ok"]:
        sys.exit(BAD_NEWS)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--checkpoint", "published", type=_FILE, help="Signed checkpoints that you got from somewhere else.")
@click.option("--key", metavar="KEY|FILE", help="Whose signatures count.  [default: the keys that the file names]")
@json_option
def check(file: Path, published: Path | None, key: str | None, *, as_json: bool) -> None:
    """Check a proof file, without a database. Exit code 1: it does not prove what it says.

    Example: rice-stream audit check entry-17.json --checkpoint mailed.txt --key rice.example+c74f20a3+ARpc2...
    """
    from rice_stream.transparency.proof_files import check_proof_file

    given = [] if key is None else _keys(key)
    checked = check_proof_file(_json(file), keys=given, published=None if published is None else _notes(published))
    document = checked.as_json()
    if not given:
        STDERR.print(
            "Checked with the key that the file names itself: --key takes the one that you got from elsewhere."
        )

    def human() -> None:
        for problem in checked.problems:
            say(f"PROBLEM {problem}")
        say(f"{checked.entries} entries and {checked.months} months are proven.")

    answer(document, as_json=as_json, human=human)
    if checked.problems:
        sys.exit(BAD_NEWS)


def _json(file: Path) -> Any:
    import json

    try:
        return json.loads(_text(file))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: it is no JSON ({error})") from error


def _notes(file: Path) -> list[str]:
    from rice_stream.transparency.notes import split_notes

    notes = split_notes(_text(file))
    if not any("\n\n— " in note for note in notes):
        raise UsageError(f"--checkpoint: there is no signed checkpoint in {file}")
    return notes


def _keys(given: str) -> "list[NoteKey]":
    from rice_stream.transparency.notes import NoteError, NoteKey

    is_file = Path(given).is_file()
    if not is_file and "+" not in given:
        raise UsageError(f"--key: {given!r} is no public key (NAME+HASH+BASE64), and there is no such file")
    texts = _text(Path(given)).split() if is_file else [given]
    try:
        return [NoteKey.parse(text) for text in texts]
    except NoteError as error:
        raise UsageError(f"--key: {error}") from error


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: it is no text in UTF-8") from error
