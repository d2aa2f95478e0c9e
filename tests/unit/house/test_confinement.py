"""The first line of confinement: whoever reads says for whom, and there is no way to the tables but through who is told so."""

import ast
import re

import pytest

from tests.unit.house.source import MODULES, PACKAGE, name_of, tree

DATABASE = {"engine", "connection"}
NOT_SCOPED = {
    "reports/carbon_ranges.py: CarbonRanges.__init__": "reads factors by their keys: they are nobody's",
    "reports/prompt_names.py: of_keys": "reads factors and bases by their keys: they are nobody's",
}
"""Functions of reports that take a database and no scope, and why."""
OPENERS = {"reading", "writing", "open_engine", "confined", "scoped_writing"}
"""Ways to a transaction that reports have no use for: theirs are `scoped_reading` and `snapshot`."""
API_STORE = {
    "rice_stream.store.engine": "names the type of an engine, and the errors of one",
    "rice_stream.store.scope": "a scope is a value",
    "rice_stream.store.revisions": "whether the schema is ours",
    "rice_stream.store.factor_set_store": "factors, which are no tenant's, that estimates are made with",
    "rice_stream.store.http_tokens": "who is asking",
    "rice_stream.store.live_tokens": "who is asking",
    "rice_stream.store.quarantine": "names which refused items are meant",
    "rice_stream.store.sessions": "who is asking",
    "rice_stream.store.server_keys": "what the server signs with, which is nobody's",
    "rice_stream.store.audit": "the trail of changes, whose readers see all of it",
    "rice_stream.store.scoped": "engines of callers that must not see more than a scope",
}
"""Modules of the store that the API may use besides those that change something, and why none of them reads what is accounted."""
API_WRITES = "api/writes/"
"""Changes are made by the store and by flows; what is read for one is told its scope by `reports`."""
READERS = re.compile(r"reading|scoped_reading|snapshot|load_\w+|consumed_in\w*|records_by_\w+|\w+_query")
"""Names of the store that read what is accounted: not even writes of the API import them."""


def unscoped(source: str) -> list[str]:
    """Public functions and methods that take a database and do not take `scope: Scope` right after it."""
    found = []
    for owner, node in _public(ast.parse(source)):
        arguments = [argument for argument in node.args.args if argument.arg not in ("self", "cls")]
        if not arguments or arguments[0].arg not in DATABASE:
            if DATABASE & {argument.arg for argument in [*arguments, *node.args.kwonlyargs]}:
                found.append(f"{owner}{node.name}: the database comes first")
            continue
        second = arguments[1] if len(arguments) > 1 else None
        annotation = "" if second is None or second.annotation is None else ast.unparse(second.annotation)
        required = len(node.args.defaults) <= len(arguments) - 2
        if second is None or (second.arg, annotation, required) != ("scope", "Scope", True):
            found.append(f"{owner}{node.name}")
    return found


def _public(module: ast.Module) -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    functions: list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]] = []
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            functions.append(("", node))
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            methods = (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
            functions += [(f"{node.name}.", each) for each in methods if each.name == "__init__" or each.name[0] != "_"]
    return functions


def openers(source: str) -> list[str]:
    """How a module comes to a transaction without saying for whom."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found += [alias.name for alias in node.names if alias.name in OPENERS or alias.name == "create_engine"]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found += [f".{node.func.attr}()" for _ in range(node.func.attr in ("connect", "begin", "raw_connection"))]
    return found


def test_every_report_takes_a_scope_right_after_the_database() -> None:
    """Without a default: whoever asks has thought of for whom."""
    found = [f"{name}: {each}" for name, source in _sources("reports/") for each in unscoped(source)]
    assert sorted(found) == sorted(NOT_SCOPED)


def test_reports_open_transactions_only_where_a_scope_is_told() -> None:
    """`scoped_reading` and `snapshot` are the only doors: they tell the database of the scope as well."""
    assert {name: found for name, source in _sources("reports/") if (found := openers(source))} == {}


def test_the_api_reads_through_reports_only() -> None:
    """What a route answers comes from a function that took the caller's scope."""
    found = {
        name: sorted(others)
        for name, source in _sources("api/")
        if not name.startswith(API_WRITES) and (others := _store_modules(source) - set(API_STORE))
    }
    assert found == {}
    readers = {name: sorted(readers) for name, source in _sources("api/") if (readers := _store_names(source))}
    assert readers == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def totals(engine: Engine, scope: Scope, query: int) -> int: ...", []),
        ("def totals(engine: Engine, query: int) -> int: ...", ["totals"]),
        ("def totals(engine: Engine, scope: Scope = EVERYTHING) -> int: ...", ["totals"]),
        ("def totals(engine: Engine, *, scope: Scope) -> int: ...", ["totals"]),
        ("def totals(query: int, connection: Connection) -> int: ...", ["totals: the database comes first"]),
        ("class Pages:\n    def rows(self, connection: Connection) -> int: ...", ["Pages.rows"]),
        ("def _inner(connection: Connection) -> int: ...\ndef pure(rows: int) -> int: ...", []),
    ],
)
def test_the_rule_notices(source: str, found: list[str]) -> None:
    """A scope that is missing, may be left out, or comes in another place."""
    assert unscoped(source) == found


@pytest.mark.parametrize(
    "source",
    [
        "from rice_stream.store.engine import reading",
        "import sqlalchemy\nsqlalchemy.create_engine(url)\nengine.connect()",
    ],
)
def test_other_doors_are_noticed(source: str) -> None:
    """By name, or by opening a connection right there."""
    assert openers(source)


def _store_modules(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("rice_stream.store"):
            found |= (
                {node.module} if node.module != "rice_stream.store" else {f"{node.module}.{a.name}" for a in node.names}
            )
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("rice_stream.store")}
    return found


def _store_names(source: str) -> set[str]:
    """Reading functions of the store that a module imports."""
    return {
        alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("rice_stream.store")
        for alias in node.names
        if READERS.fullmatch(alias.name)
    }


def _sources(room: str) -> list[tuple[str, str]]:
    assert (PACKAGE / room).is_dir()
    return [(name_of(path), ast.unparse(tree(path))) for path in MODULES if name_of(path).startswith(room)]
