"""Budgets from a YAML file: the one given on the command line, and the worker's RICE_BUDGETS_FILE."""

import time
from pathlib import Path

from rice_stream.alerting.budgets import set_budgets
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.parsing import parse_budget_file
from rice_stream.errors import UsageError
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.audit import Actor
from rice_stream.store.engine import Engine


def read_budgets_file(path: Path) -> list[Budget]:
    """The budgets of a YAML file. UsageError: it is not YAML, or lists every problem of every budget."""
    # Loaded here: the other commands about budgets read no file.
    import yaml

    try:
        loaded = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{path} is not YAML: {error}") from error
    return parse_budget_file(loaded)


def apply_budgets_file(settings: Settings, engine: Engine) -> None:
    """Set the budgets of RICE_BUDGETS_FILE; budgets that it does not name stay as they are."""
    path = settings.budgets_file
    if path is None:
        return
    try:
        budgets = read_budgets_file(path)
    except OSError as error:
        raise UsageError(f"RICE_BUDGETS_FILE: cannot read {path}: {error.strerror}") from error
    set_budgets(engine, budgets, time.time_ns() // 1000, Actor("worker", "RICE_BUDGETS_FILE"))
