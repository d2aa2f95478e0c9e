"""What stands for a file where a partition's number stands for what came from Kafka.

Events without an id of their own get one from the file's name, this number and the line. Files of one name lie in many
folders, so the number comes from what the file begins with; and logs grow between two ingestions, so it comes from a
part that does not change by that: the first line, and in CSV the header and the first row below it.
"""

import hashlib
from typing import Literal, NamedTuple

Growth = Literal["lines", "rows", "none"]
"""How a file grows: by a line below a line, by a row below a header, or not at all (one document, one message, Parquet)."""


class FileIdentity(NamedTuple):
    """`partition` stands for the file.

    `earlier` are numbers that versions of this program gave it that took the first two lines, or as much of them as was
    there. A file that is stored under one of them keeps it, or its events would count again under other ids.
    """

    partition: int
    earlier: tuple[int, ...] = ()


def identify(head: bytes, growth: Growth) -> FileIdentity:
    """The identity of a file that begins with `head`, unzipped."""
    first_two = b"\n".join(head.split(b"\n", 2)[:2])
    lines = [line.strip() for line in head.split(b"\n") if line.strip()]
    if growth == "none" or not lines:
        # The first line of a document is often a bracket alone.
        return FileIdentity(_number(first_two))
    if growth == "rows":
        return _with_earlier(b"\n".join(lines[:2]), [first_two, first_two.removesuffix(b"\r")])
    first, line_end, _ = head.partition(b"\n")
    return _with_earlier(lines[0] + b"\n", [first_two, first, first + line_end])


def _with_earlier(start: bytes, earlier: list[bytes]) -> FileIdentity:
    partition = _number(start)
    numbers = dict.fromkeys(map(_number, earlier))
    return FileIdentity(partition, tuple(number for number in numbers if number != partition))


def _number(start: bytes) -> int:
    """31 bits: what a partition's column holds."""
    return int.from_bytes(hashlib.blake2b(start, digest_size=4).digest(), "big") >> 1
