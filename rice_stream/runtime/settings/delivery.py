"""Settings about where alerts are sent: what encrypts the secrets of channels, and which internal receivers may be reached."""

from pathlib import Path

from pydantic import SecretStr

from rice_stream.runtime.settings.section import CommaList, Section


class DeliverySettings(Section):
    """Of `rice-stream serve` and of commands that set channels."""

    channels_file: Path | None = None
    secrets_key: SecretStr | None = None
    alert_allowed_hosts: CommaList = ()
