"""Checkpoints of a tree (C2SP `tlog-checkpoint`): whose tree it is, its size and its root, as the text of a signed note.

https://c2sp.org/tlog-checkpoint says what they look like; tools for transparency logs read them.
"""

import base64
import binascii
import re
from dataclasses import dataclass

from rice_stream.transparency.merkle import HASH_BYTES
from rice_stream.transparency.notes import NoteError

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_LINES_MIN = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a tree was: the unique name of the tree (`origin`), its number of leaves, its root, and further lines if any."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read the text of a note. NoteError: it is no checkpoint."""
        *lines, end = text.split("\n")
        if end or len(lines) < _LINES_MIN or not all(lines):
            raise NoteError("a checkpoint has three lines or more, none of them empty: origin, size, root")
        origin, size, encoded, *extensions = lines
        if not _NUMBER.fullmatch(size):
            raise NoteError(f"the second line of a checkpoint is the size of the tree in digits, not {size[:40]!r}")
        try:
            root = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            root = b""
        if len(root) != HASH_BYTES:
            raise NoteError(
                f"the third line of a checkpoint is the root, {HASH_BYTES} bytes as base64, not {encoded[:60]!r}"
            )
        return cls(origin, int(size), root, tuple(extensions))

    def __str__(self) -> str:
        """The text of the note, with a newline at its end."""
        root = base64.b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, self.size, root, *self.extensions))
