"""Settings about what is answered: the time zone in which sums over several tenants are counted."""

from typing import Annotated

from pydantic import AfterValidator

from rice_stream.errors import UsageError
from rice_stream.instants import zone
from rice_stream.runtime.settings.section import Section


def _known(name: str) -> str:
    try:
        zone(name)
    except UsageError as error:
        raise ValueError(f"{name!r} is no IANA time zone; write it as in 'Europe/Berlin'") from error
    return name


class ReportSettings(Section):
    """`RICE_REPORT_*`."""

    report_time_zone: Annotated[str, AfterValidator(_known)] | None = None

    def time_zone_of(self, tenant: str | None, asked: str | None) -> str | None:
        """In which zone days and months of a report begin: what was asked for; else, over several tenants, the setting. None:
        each tenant's own."""
        return asked if asked is not None or tenant is not None else self.report_time_zone
