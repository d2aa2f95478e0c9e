"""Settings about what is answered: the time zone in which sums over several tenants are counted."""

from typing import Annotated

from pydantic import AfterValidator

from rice_stream.errors import UsageError
from rice_stream.instants import zone
from rice_stream.reports.time_zones import REPORT_TIME_ZONE
from rice_stream.runtime.settings.section import Section


def _known(name: str) -> str:
    try:
        zone(name)
    except UsageError as error:
        raise ValueError(f"{name!r} is no IANA time zone; write it as in 'Europe/Berlin'") from error
    return name


class ReportSettings(Section):
    """`RICE_REPORT_*`."""

    report_time_zone: Annotated[str, AfterValidator(_known)] = REPORT_TIME_ZONE
