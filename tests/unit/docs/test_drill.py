"""docs/drill.md keeps the last run of each long proof."""

from datetime import UTC, datetime

from tests.drill import PROOFS, Result, report
from tests.support.docs_reading import rows, text_of


def _result(number: int, *, held: bool = True, commit: str = "0123456789ab", day: int = 1) -> Result:
    return Result(PROOFS[number], 7, held, 59.6, datetime(2026, 11, day, tzinfo=UTC), commit)


def _table(text: str) -> dict[str, list[str]]:
    return {cells[0]: cells[2:] for cells in rows(text)}


def test_a_run_of_one_proof_keeps_the_others_with_their_date_and_commit() -> None:
    """A proof is replaced by its own next run, and by no other's."""
    first = report([_result(0), _result(2)], "a machine")
    second = report([_result(2, held=False, commit="fedcba987654", day=2), _result(1)], "a machine", first)
    table = _table(second)
    assert list(table) == [PROOFS[number].name for number in range(3)]
    assert table[PROOFS[0].name] == _table(first)[PROOFS[0].name]
    assert table[PROOFS[2].name][2:] == ["**failed**", "2026-11-02, fedcba987654"]


def test_the_report_is_one_that_the_drill_writes() -> None:
    """Written back without a further run it stays the same: nobody has edited it by hand."""
    text = text_of("docs/drill.md")
    machine = text.split("Machine of the last run: ")[1].split(".\n")[0]
    assert report([], machine, text) == text
