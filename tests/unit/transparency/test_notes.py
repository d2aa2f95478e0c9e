"""Signed notes: the ones that are published, and everything that is none."""

import base64

import pytest

from rice_stream.transparency.notes import NoteError, NoteKey, SignedNote, signed, split_notes

KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
OTHER = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NOTE = (
    f"{TEXT}\n\u2014 PeterNeumann"
    " x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""The test data of Go's package of notes."""


def test_the_published_note_is_written_and_read() -> None:
    """By the published private key, and with it the public one."""
    assert str(signed(TEXT, "PeterNeumann", SEED)) == NOTE
    assert str(NoteKey.of_seed("PeterNeumann", SEED)) == KEY
    assert str(SignedNote.parse(NOTE)) == NOTE
    assert SignedNote.parse(NOTE).signers([NoteKey.parse(OTHER), NoteKey.parse(KEY)]) == (NoteKey.parse(KEY),)


def test_every_change_of_a_key_is_noticed() -> None:
    """Of any character, and any part of it."""
    wrong = [KEY[:place] + chr(ord(KEY[place]) + 1) + KEY[place + 1 :] for place in range(len(KEY))]
    wrong += [KEY[start:end] for start in range(0, len(KEY), 7) for end in range(start, len(KEY), 5)]
    wrong.append("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    for text in wrong:
        with pytest.raises(NoteError):
            NoteKey.parse(text)


def test_a_note_with_several_signatures_counts_those_that_are_known() -> None:
    """While a key is changed both sign; a witness may add its own. A signature that names a known key has to be by it."""
    note = signed(TEXT, "PeterNeumann", SEED, bytes(32))
    new = NoteKey.of_seed("PeterNeumann", bytes(32))
    assert note.signers([new]) == (new,)
    assert note.signers([NoteKey.parse(KEY), new]) == (NoteKey.parse(KEY), new)
    witnessed = SignedNote.parse(f"{note}\u2014 witness AAAAAAAA\n")
    assert witnessed.signers([new]) == (new,)
    with pytest.raises(
        NoteError, match=r"signed by PeterNeumann \(c74f20a3\), PeterNeumann .*, and by none of the known"
    ):
        note.signers([NoteKey.parse(OTHER)])
    changed = SignedNote.parse(str(note).replace("answer", "Answer"))
    with pytest.raises(NoteError, match=r"the signature of PeterNeumann \(c74f20a3\) does not fit"):
        changed.signers([NoteKey.parse(KEY), new])


@pytest.mark.parametrize(
    "written",
    [
        "",
        TEXT,
        f"{TEXT}\n",
        NOTE[:-1],
        NOTE.replace("\u2014", "-"),
        NOTE.replace("PeterNeumann ", "Peter+Neumann "),
        NOTE.replace("x08go", "*08go"),
        NOTE.replace("problem,", "problem,\t"),
        f"{TEXT}\n\u2014 name AAAA\n",
        NOTE + NOTE.splitlines(keepends=True)[-1] * 100,
        "x" * 1_000_001,
    ],
)
def test_what_is_no_note_is_refused(written: str) -> None:
    """Without signatures, cut off, with others' dashes, control characters, or far too large."""
    with pytest.raises(NoteError):
        SignedNote.parse(written)


def test_what_cannot_be_signed_is_refused() -> None:
    """A text without an end, and a name with a space."""
    for text, name in (("abc", "name"), (TEXT, "my name"), (TEXT, ""), ("a\rb\n", "name")):
        with pytest.raises(NoteError):
            signed(text, name, SEED)


def test_notes_that_come_one_after_the_other_are_told_apart() -> None:
    """With empty lines within and between them."""
    two = signed("a\n\nb\n", "n", SEED, bytes(32))
    assert split_notes(f"\n{NOTE}\n\n{two}{NOTE}") == [NOTE, str(two), NOTE]
    assert split_notes("") == []
