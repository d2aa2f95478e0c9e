"""Statements of teams' months as letters: the figures of the reports, in the words of channels."""

from collections.abc import Mapping
from datetime import UTC, datetime

from rice_stream.channels.letters import Letter
from rice_stream.channels.statements import statement_letter
from rice_stream.reports.statements import statements
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING


def letters_of(engine: Engine, tenant: str, month: str) -> Mapping[str, Letter]:
    """The statement of each team of a tenant, by its name; `month` as in 2026-10."""
    found = statements(engine, EVERYTHING, tenant, month, datetime.now(UTC))
    return {figures["team_id"]: statement_letter(figures) for figures in found}
