"""Opening what encrypts the secrets of channels."""

from rice_stream.runtime.secret_box import FernetBox
from rice_stream.runtime.settings.settings import Settings


def open_secret_box(settings: Settings) -> FernetBox:
    """The box of RICE_SECRETS_KEY. UsageError: the setting has an entry that is no key."""
    key = settings.secrets_key
    return FernetBox.parse(None if key is None else key.get_secret_value())
