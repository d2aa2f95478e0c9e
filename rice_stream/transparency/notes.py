"""Signed notes (C2SP `signed-note`): a text for people and programs, and signatures of Ed25519 below it.

https://c2sp.org/signed-note says what they look like; Go's `golang.org/x/mod/sumdb/note` reads and writes the same.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SEED_BYTES = 32
"""Of a private key."""
_ED25519 = b"\x01"
_HASH_BYTES = 4
_DASH = "\u2014 "
_LENGTH_MAX, _SIGNATURES_MAX = 1_000_000, 100
_DEL = 0x7F


class NoteError(ValueError):
    """It is no signed note, no key, or not signed by whom it should be; says why."""


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key of Ed25519 (32 bytes), and the name of whoever signs with it."""

    name: str
    key: bytes

    @classmethod
    def of_seed(cls, name: str, seed: bytes) -> "NoteKey":
        """The public key of a private one. NoteError: the name cannot be one; ValueError: the seed has not 32 bytes."""
        if not _is_name(name):
            raise NoteError(f"{name!r} is no name of a key: no spaces, no plus sign, and not empty")
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> "NoteKey":
        """A key as it is written: NAME+HASH+BASE64. NoteError: it is none, or one of another kind."""
        name, _, rest = text.strip().partition("+")
        key_hash, _, encoded = rest.partition("+")
        decoded = _decoded(encoded)
        if not _is_name(name) or decoded is None or len(decoded) != len(_ED25519) + SEED_BYTES:
            raise NoteError(f"{text.strip()[:100]!r} is no public key: NAME+HASH+BASE64, of Ed25519")
        if decoded[:1] != _ED25519:
            raise NoteError(f"key {name}: of kind {decoded[0]}; only those of Ed25519 (1) can be used")
        key = cls(name, decoded[1:])
        if key_hash != key.hash.hex():
            raise NoteError(f"key {name}: its hash is {key.hash.hex()} and not {key_hash}; it was not copied whole")
        return key

    @property
    def hash(self) -> bytes:
        """By which signatures name the key: 4 bytes."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:_HASH_BYTES]

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"{self.name}+{self.hash.hex()}+{base64.b64encode(_ED25519 + self.key).decode()}"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One line of signature: who signed, by which key, and the signature's bytes."""

    name: str
    key_hash: bytes
    signature: bytes

    def __str__(self) -> str:
        """The line, without its end."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_hash + self.signature).decode()}"


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text, which ends with a newline, and at least one signature."""

    text: str
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, written: str) -> "SignedNote":
        """Read a note. NoteError: it is none."""
        if len(written) > _LENGTH_MAX:
            raise NoteError(f"it has {len(written)} characters, which is too long for a note")
        if any((each < " " and each != "\n") or ord(each) == _DEL for each in written):
            raise NoteError("it holds control characters, which no note does")
        text, gap, lines = written.rpartition("\n\n")
        if not gap or not lines.endswith("\n"):
            raise NoteError("a note is a text, an empty line, and lines of signatures that begin with a long dash")
        signatures = tuple(_signature(line) for line in lines[:-1].split("\n"))
        if len(signatures) > _SIGNATURES_MAX:
            raise NoteError(f"it has {len(signatures)} signatures, which is too many for a note")
        return cls(text + "\n", signatures)

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"{self.text}\n" + "".join(f"{each}\n" for each in self.signatures)

    def signers(self, keys: Iterable[NoteKey]) -> tuple[NoteKey, ...]:
        """Which of the keys have signed it. NoteError: none of them, or a signature that names one of them is not by it.

        Signatures by others, such as those of witnesses, are left alone.
        """
        known = {(key.name, key.hash): key for key in keys}
        found = []
        for each in self.signatures:
            key = known.get((each.name, each.key_hash))
            if key is None or key in found:
                continue
            try:
                Ed25519PublicKey.from_public_bytes(key.key).verify(each.signature, self.text.encode())
            except InvalidSignature as error:
                raise NoteError(
                    f"the signature of {key.name} ({key.hash.hex()}) does not fit: the text was changed"
                ) from error
            found.append(key)
        if not found:
            signers = ", ".join(f"{each.name} ({each.key_hash.hex()})" for each in self.signatures)
            raise NoteError(f"it is signed by {signers}, and by none of the known keys")
        return tuple(found)


def signed(text: str, name: str, *seeds: bytes) -> SignedNote:
    """The text, signed in this name with each of the private keys. NoteError: it cannot be the text of a note, or no name."""
    signatures = []
    for seed in seeds:
        key = NoteKey.of_seed(name, seed)
        signature = Ed25519PrivateKey.from_private_bytes(seed).sign(text.encode())
        signatures.append(NoteSignature(name, key.hash, signature))
    note = SignedNote(text, tuple(signatures))
    if SignedNote.parse(str(note)) != note:
        raise NoteError("the text of a note ends with a newline")
    return note


def split_notes(written: str) -> list[str]:
    """The notes of a text in which they come one after the other, with or without empty lines between them; unread as yet."""
    notes: list[list[str]] = []
    after_signature = True
    for line in written.splitlines(keepends=True):
        if after_signature and not line.startswith(_DASH):
            if not line.strip():
                continue
            notes.append([])
        if notes:
            notes[-1].append(line)
        after_signature = line.startswith(_DASH) if notes else True
    return ["".join(lines) for lines in notes]


def _signature(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    decoded = _decoded(encoded)
    if not line.startswith(_DASH) or not _is_name(name) or decoded is None or len(decoded) <= _HASH_BYTES:
        raise NoteError(f"{line[:100]!r} is no line of a signature: a long dash, a name, and base64")
    return NoteSignature(name, decoded[:_HASH_BYTES], decoded[_HASH_BYTES:])


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(each.isspace() or each < " " for each in name)


def _decoded(encoded: str) -> bytes | None:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
