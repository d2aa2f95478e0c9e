"""What stands where an event names no tenant, model or place. Loads nothing, so that reports need not load the formats."""

UNKNOWN = "unknown"
UNKNOWN_TENANT = UNKNOWN
"""Where nothing names a tenant. Never dropped: the event counts, under a name that stands out."""
