"""Reading the settings: `RICE_*` in the environment, or a TOML file (`--config` / `RICE_CONFIG`); the environment wins."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rice_stream.errors import UsageError
from rice_stream.runtime.settings.settings import PREFIX, Settings

_NOT_SETTINGS = frozenset({"RICE_CONFIG", "RICE_REQUIRE_SERVICES"})
"""Names the settings file; is read by the test suite alone."""


def load_settings(config: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the file and the environment. UsageError lists every problem at once, by name.

    A `RICE_*` variable that is no setting is a problem too: a typo must not be a silent default.
    """
    environment = os.environ if environment is None else environment
    config = config or (Path(environment["RICE_CONFIG"]) if environment.get("RICE_CONFIG") else None)
    values, problems = _merged(config, environment)
    settings = None
    try:
        settings = Settings(**values)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            field = str(problem["loc"][0]) if problem["loc"] else "settings"
            problems.append(f"{PREFIX}{field.upper()}: {problem['msg'].removeprefix('Value error, ')}")
    else:
        problems += settings.contradictions()
    if problems or settings is None:
        listed = "\n  ".join(problems)
        raise UsageError(f"{len(problems)} problem(s) in the settings:\n  {listed}\nAll settings: docs/operations.md")
    return settings


def _merged(config: Path | None, environment: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Field -> value, the environment's over the file's; and a problem for each name that is no setting."""
    known = set(Settings.model_fields)
    written = _read_file(config) if config else {}
    problems = [f"{name} (in {config}): there is no such setting" for name in written if name not in known]
    values = {name: value for name, value in written.items() if name in known}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name in _NOT_SETTINGS:
            continue
        field = name.removeprefix(PREFIX).lower()
        if field in known:
            values[field] = text
        else:
            problems.append(f"{name}: there is no such setting")
    return values, problems


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return {name.lower(): value for name, value in tomllib.loads(path.read_text("utf-8")).items()}
    except OSError as error:
        raise UsageError(f"cannot read the settings file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the settings file {path} is not TOML: {error}") from error
