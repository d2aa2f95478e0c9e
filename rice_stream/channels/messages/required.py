"""What a channel cannot be told without."""

from rice_stream.channels.definition import Secrets
from rice_stream.errors import UsageError


def required_address(secrets: Secrets) -> str:
    """The channel's address. UsageError: it has none."""
    if secrets.address is None:
        raise UsageError("url: the channel has no address; set it again")
    return secrets.address


def required_key(secrets: Secrets) -> str:
    """The key in force. UsageError: the channel has none."""
    if not secrets.keys:
        raise UsageError("secret: the channel has none; set it again")
    return secrets.keys[0]
