"""Checkpoints: three lines and more, each in its one form."""

import pytest

from rice_stream.transparency.checkpoints import Checkpoint
from rice_stream.transparency.notes import NoteError

TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def test_the_published_checkpoint_is_read_and_written() -> None:
    """The example of the specification, without and with further lines."""
    checkpoint = Checkpoint.parse(TEXT)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.root.hex()[:8] == "0ac5186a"
    assert str(checkpoint) == TEXT
    assert str(Checkpoint.parse(f"{TEXT}more\n")) == f"{TEXT}more\n"


@pytest.mark.parametrize(
    "text",
    [
        TEXT[:-1],
        TEXT.replace("20852163", "020852163"),
        TEXT.replace("20852163", "-1"),
        TEXT.replace("20852163", "\u0662"),
        TEXT.replace("CsUY", ""),
        TEXT.replace("CsUY", "*sUY"),
        TEXT.replace("example.com/behind-the-sofa", ""),
        f"{TEXT}\nmore\n",
        "example.com/behind-the-sofa\n20852163\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    """A line too few, an empty one, a size in another form, a root of another length."""
    with pytest.raises(NoteError):
        Checkpoint.parse(text)
