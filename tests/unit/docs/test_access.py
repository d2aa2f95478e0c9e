"""docs/access.md says of every table who sees its rows."""

import re

from rice_stream.store.row_access import ACCESS
from tests.support.places import ROOT


def test_every_table_that_the_api_may_read_is_told_of() -> None:
    told = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")
    rows = [line for line in told.splitlines() if line.startswith("| `")]
    named = {name for line in rows for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert named == {name for name, access in ACCESS.items() if access.rights} - {"alembic_version"}
