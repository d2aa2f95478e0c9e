"""Opening the rules by which the database's records are read; the settings may propose new ones."""

import logging
from typing import Literal

from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.versions import settings_text
from rice_stream.instants import rfc3339
from rice_stream.runtime.settings.formats import DATED
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.attribution_store import propose_version
from rice_stream.store.engine import Engine
from rice_stream.store.identity_rules import StoredRules

log = logging.getLogger(__name__)

Proposes = Literal["always", "if set", "never"]
"""Whether other settings than those in force become a new version. `if set`: only where any of them is given, so that a
command in a shell without them does not take them away from the workers. Where there is no version, any is the first,
unless `never`."""


def open_rules(
    settings: Settings, engine: Engine, formats: FormatOptions | None = None, proposes: Proposes = "always"
) -> StoredRules:
    """The database's rules, with `formats` (in the place of the settings') for what no version says."""
    if proposes != "never":
        given = proposes == "always" or not DATED.isdisjoint(settings.model_fields_set)
        _propose(engine, settings_text(settings.format_options()), may_change=given)
    return StoredRules(engine, formats or settings.format_options())


def _propose(engine: Engine, wanted: str, *, may_change: bool) -> None:
    version = propose_version(engine, wanted, may_change=may_change)
    if version is not None and version.valid_from_us:
        log.warning(
            "the settings of who is charged and what counts were changed: they hold for events that end at %s or later,"
            " and those before are read as before",
            rfc3339(version.valid_from_us),
        )
    elif version is not None:
        log.info("the settings of who is charged and what counts hold from the beginning")
