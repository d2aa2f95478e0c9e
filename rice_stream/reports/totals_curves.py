"""Sums by name over stretches of time, for charts: what `totals` answers by the same names and buckets, without a row for each."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from rice_stream.reports.sums import Group
from rice_stream.reports.totals import asked_of
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.reports.totals_rows import CARBON_MID, bucket_text, name_order
from rice_stream.reports.totals_sums import groups_and_parts_once
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot


class Curve(NamedTuple):
    """Exact sums of MEASURES of one name (the values of the fields besides the bucket), whole and by bucket as answers call it.

    `names` None: of all others beyond the `top` of the query.
    """

    names: Group | None
    whole: list[int]
    by_bucket: Mapping[str, list[int]]


class Curves(NamedTuple):
    """Those with most carbon first, all others last, and how many names there are."""

    curves: list[Curve]
    names_total: int


def curves(engine: Engine, scope: Scope, query: TotalsQuery, now: datetime) -> Curves:
    """Of a query with a bucket; names, order and sums are those of the rows that `totals` answers. UsageError: as from there."""
    bucket = query.bucket
    if bucket is None:
        raise ValueError("curves are over time: the query has no bucket")
    with snapshot(engine, scope) as connection:
        asked, _, _ = asked_of(connection, scope.within(query.tenant), query, now)
        found = groups_and_parts_once(asked)
    place = query.fields.index(bucket)
    texts: dict[object, str] = {}
    by_names: dict[Group, dict[str, list[int]]] = {}
    for group, sums in found.groups.items():
        at = group[place]
        text = texts.get(at)
        if text is None:
            text = texts[at] = bucket_text(bucket, at)
        by_names.setdefault((*group[:place], *group[place + 1 :]), {})[text] = sums
    each = [Curve(names, _added(by_bucket.values()), by_bucket) for names, by_bucket in by_names.items()]
    each.sort(key=lambda curve: (-curve.whole[CARBON_MID], name_order(curve.names or ())))
    top = len(each) if query.top is None else query.top
    return Curves([*each[:top], *_others(each[top:])], len(each))


def _others(curves: list[Curve]) -> list[Curve]:
    if not curves:
        return []
    listed: dict[str, list[list[int]]] = {}
    for curve in curves:
        for bucket, sums in curve.by_bucket.items():
            listed.setdefault(bucket, []).append(sums)
    by_bucket = {bucket: several[0] if len(several) == 1 else _added(several) for bucket, several in listed.items()}
    return [Curve(None, _added(by_bucket.values()), by_bucket)]


def _added(several: Iterable[list[int]]) -> list[int]:
    return list(map(sum, zip(*several, strict=True)))
