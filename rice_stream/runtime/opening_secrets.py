"""Opening what encrypts the secrets of channels."""

from typing import TYPE_CHECKING

from rice_stream.runtime.settings.settings import Settings

if TYPE_CHECKING:
    from rice_stream.runtime.secret_box import FernetBox


def open_secret_box(settings: Settings) -> "FernetBox":
    """The box of RICE_SECRETS_KEY. UsageError: the setting has an entry that is no key."""
    from rice_stream.runtime.secret_box import FernetBox  # what decrypts takes a while to load, and few need it

    key = settings.secrets_key
    return FernetBox.parse(None if key is None else key.get_secret_value())
