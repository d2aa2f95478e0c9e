"""What a command found, said in a sentence for every reader, as a page says it."""

import re

from rice_stream.wording.amounts import THIN
from rice_stream.wording.times import moment_text

_INSTANT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_PERCENT = re.compile(r"(?<=\d)%")


def found_text(text: str, zone: str | None) -> str:
    """The sentence with its instants in the zone, as `moment_text`, and thin spaces before its percents.

    >>> found_text("up to 2026-11-24T14:04:00Z; 95.0% of it", "Europe/Berlin")
    'up to 24 Nov 2026, 15:04; 95.0\\u202f% of it'
    """
    in_words = _INSTANT.sub(lambda found: moment_text(found[0], zone), text)
    return _PERCENT.sub(f"{THIN}%", in_words)
