"""A server in front of the command line's ledger."""

from tests.support.api_running import api
from tests.support.cli_running import filled_database, ledger, shell

__all__ = ["api", "filled_database", "ledger", "shell"]
