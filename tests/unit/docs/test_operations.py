"""docs/operations.md has every command, error, exit code and quarantine reason of the code, and no other."""

import ast
import importlib
import re
from collections.abc import Iterator

import click

from rice_stream.cli import cli
from rice_stream.cli.base import BAD_NEWS
from rice_stream.errors import RiceError
from rice_stream.events import door_refusals, records
from rice_stream.events.formats.reading import items
from rice_stream.pipeline import culprits
from tests.support.docs_reading import codes, first_codes, rows, section, text_of
from tests.support.places import ROOT

PAGE = "docs/operations.md"
CTRL_C = 130
SOURCES = sorted((ROOT / "rice_stream").rglob("*.py"))


def commands(group: click.Group = cli, prefix: str = "rice-stream") -> Iterator[tuple[str, click.Command]]:
    """Every command that can be run, by what one types."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def test_every_command_is_documented() -> None:
    """The page lists what `--help` lists, sub-commands included, and nothing that does not exist."""
    documented = first_codes(section(text_of(PAGE), "## Commands"))
    assert sorted(documented) == sorted(name for name, _ in commands())


def _all_subclasses(kind: type[RiceError]) -> Iterator[type[RiceError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _all_subclasses(child)


def errors() -> dict[str, int]:
    """Every error class of the package and the exit code it ends a command with."""
    for path in SOURCES:
        if re.search(r"^class \w+Error\(", path.read_text("utf-8"), flags=re.MULTILINE):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return {kind.__name__: kind.exit_code for kind in _all_subclasses(RiceError)}


def test_every_error_is_documented_with_its_exit_code() -> None:
    """Whatever the message, the page says what kind of error it is and what to do."""
    table = [cells for cells in rows(section(text_of(PAGE), "## Exit codes and errors")) if len(cells) == 4]
    documented = {codes(cells[0])[0]: int(cells[1]) for cells in table}
    assert documented == errors()
    assert all(len(cells[3]) > 10 for cells in table)


def test_every_exit_code_is_documented() -> None:
    """0, bad news, Ctrl-C, and those of the errors: no other code leaves the command line by our hand."""
    table = [cells for cells in rows(section(text_of(PAGE), "## Exit codes and errors")) if len(cells) == 2]
    assert {int(cells[0]) for cells in table} == {0, BAD_NEWS, CTRL_C, *errors().values()}


def quarantine_reasons() -> set[str]:
    """Reason codes that the code can give, read out of its text: literal reasons of refused items and of the model."""
    found: set[str] = set()
    for path in SOURCES:
        text = path.read_text("utf-8")
        if any(f"{maker}(" in text for maker in (*_MAKERS, "_reason_code", "NotStorableError")):
            found |= _reasons_in(ast.parse(text))
    return found


_MAKERS = {"Refused": 2, "Refusal": 0, "RefusedError": 0}
"""What is made with a reason, and at which place among its arguments."""


def _reasons_in(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _MAKERS:
            found |= _words(node.args[_MAKERS[node.func.id]])
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "self.reason":
            found |= _words(node.value)
        elif isinstance(node, ast.FunctionDef) and node.name == "reason_of":
            returned = (part.value for part in ast.walk(node) if isinstance(part, ast.Return))
            found = found.union(*(_words(value.elts[0]) for value in returned if isinstance(value, ast.Tuple)))
        elif isinstance(node, ast.FunctionDef) and node.name == "_reason_code":
            values = (part.value for part in ast.walk(node) if isinstance(part, ast.Return))
            found = found.union(*(_returned(value) for value in values if value is not None))
    return found


def _words(node: ast.expr) -> set[str]:
    """A literal, one or the other of two, or a constant of the formats or of what cannot be stored."""
    if isinstance(node, ast.IfExp):
        return _words(node.body) | _words(node.orelse)
    if isinstance(node, ast.Name) and node.id.isupper():
        value = next(
            (
                getattr(module, node.id)
                for module in (items, records, culprits, door_refusals)
                if hasattr(module, node.id)
            ),
            None,
        )
        return {value} if isinstance(value, str) else set()
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def _returned(node: ast.expr) -> set[str]:
    """A literal, or the values and the default of `{...}.get(key, default)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Dict):
        found = set().union(*(_words(value) for value in node.func.value.values))
        return found.union(*(_words(argument) for argument in node.args[1:]))
    return _words(node)


def test_every_quarantine_reason_is_documented() -> None:
    """A refused event has a reason that the page explains; a reason on the page can occur."""
    reasons = quarantine_reasons()
    assert {"empty_value", "inconsistent_tokens", "missing_model", "older_than_retention"} <= reasons
    assert set(first_codes(section(text_of(PAGE), "## Quarantine"))) == reasons


def test_the_health_paths_are_those_that_the_worker_serves() -> None:
    """What a probe is pointed at exists."""
    documented = set(first_codes(section(text_of(PAGE), "## Health")))
    served = set(re.findall(r'"(/(?:healthz|readyz|metrics))"', text_of("rice_stream/worker/health.py")))
    assert documented | {"/metrics"} == served
