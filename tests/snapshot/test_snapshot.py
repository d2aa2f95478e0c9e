"""What rice_stream answers from outside is what it answered before: the guard of every change of its layout.

The inputs are fixed (`inputs/`), and so is the clock; the answers are compared with `golden/`. Whole numbers and texts
must be the same. Other numbers may differ by a part in 10^12: numpy picks its vector instructions by the processor, and
the last bit depends on them. Of names (commands, options, settings, tables, columns, fields of answers) more are
welcome, fewer are not. Times at which something was done are left out, and so are the paths of modules, which
`explain` names among its sources.

`python -m tests.snapshot` writes the golden files anew. It is only for a deliberate change of behaviour, with a line in
CHANGELOG.md.
"""

from typing import Any

import pytest

from tests.snapshot.comparing import GOLDEN, differences, read_golden
from tests.snapshot.outside import everything

PINNED = sorted(path.stem for path in GOLDEN.glob("*.json"))
SHOWN_MAX = 40


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All answers, made once."""
    return dict(everything(tmp_path_factory.mktemp("snapshot")))


@pytest.mark.parametrize("name", PINNED)
def test_every_answer_is_what_it_was_before(answers: dict[str, Any], name: str) -> None:
    """Nothing that is pinned in the golden file is gone or other."""
    found = differences(read_golden(name), answers[name])
    shown = "\n".join(found[:SHOWN_MAX])
    assert not found, f"{len(found)} differences from golden/{name}.json:\n{shown}"


def test_every_answer_is_pinned(answers: dict[str, Any]) -> None:
    """No golden file is missing, and none is left over."""
    assert sorted(answers) == PINNED


def test_a_difference_is_found_wherever_it_is() -> None:
    """A name that is gone, another number, another type, another length; but not a name more or the last bit."""
    pinned = {"rows": [{"tokens": 1, "grams": 0.5, "name": "a"}], "gone": {}}
    assert differences(pinned, {"rows": [{"tokens": 2, "grams": 0.5000001, "name": "b"}]}) == [
        "/gone: is gone",
        "/rows/0/tokens: was 1, is 2",
        "/rows/0/grams: was 0.5, is 0.5000001",
        "/rows/0/name: was 'a', is 'b'",
    ]
    assert differences({"a": 1}, {"a": 1.0}) == ["/a: was 1, is 1.0"]
    assert differences({"a": 1}, {"a": True}) == ["/a: was 1, is True"]
    assert differences([1], [1, 2]) == [": had 1 items, has 2"]
    assert differences({"a": 0.1 + 0.2}, {"a": 0.3, "more": None}) == []
