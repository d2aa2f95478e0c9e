"""Product footprints as a host of PACT 3 answers them: of closed months, as they were reported, so that none ever changes.

A footprint's id says which tenant's month it is of, so that one is found without looking through all.
"""

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select, text

from rice_stream.errors import NotFoundError
from rice_stream.instants import datetime_of, rfc3339
from rice_stream.reports.exports.orders import ExportOptions, ExportOrder
from rice_stream.reports.exports.pact import company_id, month_footprints
from rice_stream.reports.pages import not_a_position, packed, unpacked
from rice_stream.store import schema
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_key_in
from rice_stream.store.scoped import scoped_reading

MONTHS_AT_ONCE = 60
"""Months that one page looks at: a filter that fits little has more pages, some of them empty."""
VALID_YEARS = 3
"""After the end of the reference period, where a footprint does not say otherwise."""
_HEAD = 6
_CLOSED = ("soft_closed", "closed")


class FootprintCompany(NamedTuple):
    """Whose footprints they are: a domain for URNs, and a name; None: each tenant's own."""

    domain: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class FootprintFilter:
    """Which footprints: of several values of one field any, of several fields all; empty: each."""

    product_ids: tuple[str, ...] = ()
    company_ids: tuple[str, ...] = ()
    geographies: tuple[str, ...] = ()
    classifications: tuple[str, ...] = ()
    status: str | None = None
    valid_on: datetime | None = None
    valid_after: datetime | None = None
    valid_before: datetime | None = None

    def takes_month(self, month: "PublishedMonth", publisher: FootprintCompany) -> bool:
        """What is known before its footprints are made. Footprints have no geography and no classification."""
        if self.geographies or self.classifications or self.status not in (None, "Active"):
            return False
        if self.company_ids and company_id(publisher.domain, month.tenant_id) not in self.company_ids:
            return False
        begins = datetime_of(month.high_us)
        ends = _years_later(begins, VALID_YEARS)
        return (
            (self.valid_on is None or begins <= self.valid_on <= ends)
            and (self.valid_after is None or begins > self.valid_after)
            and (self.valid_before is None or ends < self.valid_before)
        )

    def takes(self, footprint: dict[str, Any]) -> bool:
        """The rest."""
        return not self.product_ids or not set(self.product_ids).isdisjoint(footprint["productIds"])


class PublishedMonth(NamedTuple):
    """A month of a tenant whose figures no longer change."""

    tenant_key: int
    tenant_id: str
    month: str
    high_us: int
    closed_us: int


def published_page(
    engine: Engine,
    scope: Scope,
    publisher: FootprintCompany,
    asked: FootprintFilter,
    *,
    after: bytes | None,
    limit: int,
) -> dict[str, Any]:
    """A page of footprints, by tenant and the latest month first: `{"rows", "next"}`; who sees some teams only sees none."""
    rows: list[dict[str, Any]] = []
    looked_at = 0
    place = None if after is None else _place(after)
    for month in _closed_months(engine, scope):
        order = (month.tenant_id, -_number(month.month))
        if place is not None and order < place[:2]:
            continue
        if not asked.takes_month(month, publisher):
            continue
        first = place[2] if place is not None and order == place[:2] else 0
        if looked_at == MONTHS_AT_ONCE:
            return {"rows": rows, "next": _position(month, 0)}
        looked_at += 1
        for number, footprint in enumerate(_footprints(engine, scope, publisher, month)):
            if number < first or not asked.takes(footprint):
                continue
            if len(rows) == limit:
                return {"rows": rows, "next": _position(month, number)}
            rows.append(footprint)
    return {"rows": rows, "next": None}


def published_footprint(engine: Engine, scope: Scope, publisher: FootprintCompany, footprint_id: str) -> dict[str, Any]:
    """The footprint of an id. NotFoundError: there is none that may be seen."""
    try:
        head = uuid.UUID(footprint_id).bytes[:_HEAD]
    except ValueError:
        head = b""
    for month in _closed_months(engine, scope):
        if head and _head(month) == head:
            for footprint in _footprints(engine, scope, publisher, month):
                if footprint["id"] == footprint_id.lower():
                    return footprint
    raise NotFoundError("there is no footprint of this id that you may see")


def _footprints(
    engine: Engine, scope: Scope, publisher: FootprintCompany, month: PublishedMonth
) -> Iterator[dict[str, Any]]:
    options = ExportOptions(amounts="reported", company_name=publisher.name, company_domain=publisher.domain)
    order = ExportOrder(kind="pact", tenant=month.tenant_id, month=month.month, form="json", options=options)
    footprints, _ = month_footprints(engine, scope, order)
    for footprint in footprints:
        yield {**footprint, "id": _id(month, footprint["id"]), "created": rfc3339(month.closed_us)}


def _closed_months(engine: Engine, scope: Scope) -> list[PublishedMonth]:
    if scope.teams:
        return []
    period, tenant = schema.period.c, schema.tenant.c
    query = (
        select(
            *(period.tenant_key, tenant.tenant_id, period.month, period.high_us),
            *(period.closed_us, period.soft_closed_us, period.marked_us),
        )
        .join_from(schema.period, schema.tenant, period.tenant_key == tenant.tenant_key)
        .where(period.state.in_(_CLOSED), text(tenant_key_in(scope, "period.tenant_key")))
    )
    with scoped_reading(engine, scope) as connection:
        rows = connection.execute(query, scope_parameters(scope)).all()
    found = [
        PublishedMonth(
            row.tenant_key, row.tenant_id, row.month, row.high_us, row.soft_closed_us or row.closed_us or row.marked_us
        )
        for row in rows
    ]
    return sorted(found, key=lambda month: (month.tenant_id, -_number(month.month)))


def _id(month: PublishedMonth, known: str) -> str:
    """A UUID of version 8: the month, and a digest of what the exported footprint is known by."""
    tail = hashlib.sha256(uuid.UUID(known).bytes).digest()[: 16 - _HEAD]
    made = bytearray(_head(month) + tail)
    made[6] = made[6] & 0x0F | 0x80
    made[8] = made[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(made)))


def _head(month: PublishedMonth) -> bytes:
    return month.tenant_key.to_bytes(4, "big") + _number(month.month).to_bytes(2, "big")


def _number(month: str) -> int:
    """Months since the year 0."""
    year, _, of_year = month.partition("-")
    return 12 * int(year) + int(of_year) - 1


def _position(month: PublishedMonth, number: int) -> bytes:
    return packed(-_number(month.month), number) + month.tenant_id.encode()


def _place(position: bytes) -> tuple[str, int, int]:
    month, number = unpacked(position, 2)
    try:
        return position[16:].decode(), month, number
    except UnicodeDecodeError as error:
        raise not_a_position() from error


def _years_later(moment: datetime, years: int) -> datetime:
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:  # 29 February
        return moment.replace(year=moment.year + years, month=3, day=1)
