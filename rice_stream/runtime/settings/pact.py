"""Settings about the host of PACT 3: whose footprints `rice-stream serve` publishes."""

from typing import Annotated

from pydantic import Field

from rice_stream.runtime.settings.section import Section

_DOMAIN = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$"


class PactSettings(Section):
    """`RICE_PACT_*`, of `rice-stream serve`."""

    pact_company_domain: Annotated[str, Field(pattern=_DOMAIN, max_length=253)] | None = None
    pact_company_name: Annotated[str, Field(min_length=1, max_length=256)] | None = None
