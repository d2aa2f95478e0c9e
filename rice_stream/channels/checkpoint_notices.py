"""What is told of a checkpoint of the audit trail: all of its signed note, so that whoever keeps the message keeps it. Pure."""

from datetime import datetime

from rice_stream.channels.letters import NOTICE_TYPE, Letter
from rice_stream.instants import epoch_us, rfc3339

_KEEP = "Keep this message: with it anybody can show later that nothing before it was rewritten."
_IN_A_FILE = (
    "In a file they are what `--checkpoint` of `rice-stream audit verify` and `audit check` takes: origin, size, root, an empty"
    " line, and the signature, each on a line of its own."
)


def checkpoint_notice(note: str, made_at: datetime) -> Letter:
    """Origin, size, root and signatures one by one, and for programs the note as it is. `note`: of `transparency`."""
    text, _, signatures = note.rpartition("\n\n")
    origin, size, root, *_ = text.split("\n")
    return Letter(
        event_type=NOTICE_TYPE,
        title=f"Checkpoint of the audit trail at {size} entries",
        time=rfc3339(epoch_us(made_at)),
        lines=(_KEEP, _IN_A_FILE),
        facts=(
            ("Origin", origin),
            ("Size", size),
            ("Root", root),
            *(("Signature", line) for line in signatures.splitlines()),
        ),
        path="/admin?section=audit",
        key=f"checkpoint:{origin}",
        data={"origin": origin, "size": int(size), "note": note},
    )
