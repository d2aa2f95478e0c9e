"""Where the host of PACT is."""

PREFIX = "/pact/"
TOKEN = "/pact/auth/token"  # noqa: S105
"""Anybody may ask it, with a token of ours as secret; open to nobody else."""
FOOTPRINTS = "/pact/3/footprints"
EVENTS = "/pact/3/events"
