"""Loading the reference tables of the settings."""

from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference
from rice_stream.runtime.settings.settings import Settings


def open_reference(settings: Settings) -> Reference:
    """The shipped tables, with the user's over them."""
    return load_reference(settings.reference_dir)
