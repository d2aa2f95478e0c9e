"""Live carbon intensity: what the three feeds ask for and answer, as one internal record. Pure; no network here.

`intensities.fetch` fetches what these sources request. A feed is optional: without one, or where it has no value,
the tables answer.

Shapes: Electricity Maps API v3, WattTime API v3, GB carbon intensity API (NESO).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote, urlencode

from rice_stream.errors import ServiceUnavailableError
from rice_stream.instants import SECOND_US, us_from_iso

LB_PER_MWH_TO_G_PER_KWH = 0.45359237
"""1 lb = 453.59237 g exactly, 1 MWh = 1000 kWh."""
MAX_RCI_GCO2E_PER_KWH = 2000.0
"""As in the tables: more is a unit mistake."""
HOUR_US = 3_600_000_000


class LiveFeedError(ServiceUnavailableError):
    """A feed did not answer, refused, or answered something that cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class LiveRecord:
    """The intensity of one zone over [start_us, end_us), UTC microseconds.

    `scope`: lifecycle or direct. `signal`: average or marginal. `kind`: actual or forecast. `factor_set` names the
    feed's own version of its factors, where it tells.
    """

    provider: str
    zone: str
    start_us: int
    end_us: int
    rci_gco2e_per_kwh: float
    scope: str
    signal: str
    accounting: str
    estimated: bool
    kind: str
    retrieved_at_us: int
    factor_set: str


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """One GET."""

    url: str
    headers: Mapping[str, str]


class LiveSource(Protocol):
    """One feed: how to ask it for a stretch of time, and how to read its reply."""

    @property
    def name(self) -> str:
        """Names the feed in records and messages."""
        ...

    def request(self, zone: str, start_us: int, end_us: int) -> LiveRequest:
        """The GET that answers for the zone from start to end."""
        ...

    def parse(self, reply: object, zone: str, retrieved_at_us: int) -> list[LiveRecord]:
        """The records of a decoded JSON reply. Raises LiveFeedError for one that cannot be used."""
        ...


@dataclass(frozen=True, slots=True)
class ElectricityMaps:
    """Electricity Maps v3, past-range endpoint. `scope` is its emissionFactorType."""

    token: str
    scope: str = "lifecycle"
    base_url: str = "https://api.electricitymaps.com/v3"
    name: str = "electricitymaps"

    def request(self, zone: str, start_us: int, end_us: int) -> LiveRequest:
        query = {
            "zone": zone,
            "start": _iso(start_us),
            "end": _iso(end_us),
            "emissionFactorType": self.scope,
            # Without this an unknown zone is answered for the place of the caller.
            "disableCallerLookup": "true",
        }
        return LiveRequest(
            f"{self.base_url}/carbon-intensity/past-range?{urlencode(query)}", {"auth-token": self.token}
        )

    def parse(self, reply: object, zone: str, retrieved_at_us: int) -> list[LiveRecord]:
        """A reply of latest, history, past-range or forecast. A null intensity is a gap, not a zero."""
        body = _mapping(reply, self.name)
        if body.get("zone") != zone:
            raise LiveFeedError(
                f"{self.name}: asked for zone {zone!r}, answered for {body.get('zone')!r}; check the zone's key"
            )
        points = next((body[key] for key in ("data", "history", "forecast") if key in body), [body])
        return [
            self._record(point, zone, retrieved_at_us, kind="forecast" if "forecast" in body else "actual")
            for point in _points(points, self.name)
            if point.get("carbonIntensity") is not None
        ]

    def _record(self, point: Mapping[str, object], zone: str, retrieved_at_us: int, *, kind: str) -> LiveRecord:
        start_us = _time(point.get("datetime"), self.name)
        scope = point.get("emissionFactorType", self.scope)
        if scope != self.scope:
            raise LiveFeedError(f"{self.name}: asked for {self.scope} factors, answered with {scope!r}")
        return LiveRecord(
            provider=self.name,
            zone=zone,
            start_us=start_us,
            end_us=start_us + HOUR_US,
            rci_gco2e_per_kwh=_intensity(point.get("carbonIntensity"), self.name),
            scope=self.scope,
            signal="average",
            accounting="location",
            estimated=bool(point.get("isEstimated", False)),
            kind=kind,
            retrieved_at_us=retrieved_at_us,
            factor_set=str(point.get("updatedAt") or ""),
        )


@dataclass(frozen=True, slots=True)
class WattTime:
    """WattTime v3. `signal_type` co2_aoer is the average, co2_moer the marginal rate; both direct. The token is a bearer
    token of GET /login, which the caller renews (30 minutes)."""

    token: str
    signal_type: str = "co2_aoer"
    base_url: str = "https://api.watttime.org"
    name: str = "watttime"

    def request(self, zone: str, start_us: int, end_us: int) -> LiveRequest:
        query = {"region": zone, "start": _iso(start_us), "end": _iso(end_us), "signal_type": self.signal_type}
        return LiveRequest(
            f"{self.base_url}/v3/historical?{urlencode(query)}", {"Authorization": f"Bearer {self.token}"}
        )

    def parse(self, reply: object, zone: str, retrieved_at_us: int) -> list[LiveRecord]:
        body = _mapping(reply, self.name)
        meta = _mapping(body.get("meta"), self.name)
        if meta.get("units") != "lbs_co2_per_mwh":
            raise LiveFeedError(f"{self.name}: unit {meta.get('units')!r} is not known; expected lbs_co2_per_mwh")
        if meta.get("region") != zone:
            raise LiveFeedError(f"{self.name}: asked for region {zone!r}, answered for {meta.get('region')!r}")
        period_us = round(_number(meta.get("data_point_period_seconds", 300), self.name) * SECOND_US)
        model = meta.get("model")
        return [
            LiveRecord(
                provider=self.name,
                zone=zone,
                start_us=_time(point.get("point_time"), self.name),
                end_us=_time(point.get("point_time"), self.name) + period_us,
                rci_gco2e_per_kwh=_intensity(point.get("value"), self.name, LB_PER_MWH_TO_G_PER_KWH),
                scope="direct",
                signal="marginal" if meta.get("signal_type") == "co2_moer" else "average",
                accounting="location",
                estimated=False,
                kind="actual",
                retrieved_at_us=retrieved_at_us,
                factor_set=str(model.get("date") or "") if isinstance(model, Mapping) else "",
            )
            for point in _points(body.get("data"), self.name)
            if point.get("value") is not None
        ]


@dataclass(frozen=True, slots=True)
class GreatBritain:
    """The GB carbon intensity API of NESO: no key, CC BY 4.0, direct factors, half hours."""

    base_url: str = "https://api.carbonintensity.org.uk"
    name: str = "neso"

    def request(self, zone: str, start_us: int, end_us: int) -> LiveRequest:
        if zone != "GB":
            raise LiveFeedError(f"{self.name}: knows the zone 'GB' only, not {zone!r}")
        return LiveRequest(
            f"{self.base_url}/intensity/{quote(_iso(start_us), safe=':')}/{quote(_iso(end_us), safe=':')}", {}
        )

    def parse(self, reply: object, zone: str, retrieved_at_us: int) -> list[LiveRecord]:
        """Half hours with their actual value, else the forecast. A reply of null means that nothing matched."""
        if reply is None:
            return []
        records = []
        for point in _points(_mapping(reply, self.name).get("data"), self.name):
            intensity = _mapping(point.get("intensity"), self.name)
            kind = "actual" if intensity.get("actual") is not None else "forecast"
            if intensity.get(kind) is not None:
                records.append(
                    LiveRecord(
                        provider=self.name,
                        zone=zone,
                        start_us=_time(point.get("from"), self.name),
                        end_us=_time(point.get("to"), self.name),
                        rci_gco2e_per_kwh=_intensity(intensity.get(kind), self.name),
                        scope="direct",
                        signal="average",
                        accounting="location",
                        estimated=kind == "forecast",
                        kind=kind,
                        retrieved_at_us=retrieved_at_us,
                        factor_set="",
                    )
                )
        return records


def record_at(records: Sequence[LiveRecord], at_us: int) -> LiveRecord | None:
    """The record that holds at a time, an actual one before a forecast; None where none does."""
    holding = [record for record in records if record.start_us <= at_us < record.end_us]
    return min(holding, key=lambda record: (record.kind != "actual", -record.retrieved_at_us), default=None)


def _mapping(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise LiveFeedError(f"{name}: expected a JSON object, got {type(value).__name__}")
    return value


def _points(value: object, name: str) -> list[Mapping[str, object]]:
    if not isinstance(value, list):
        raise LiveFeedError(f"{name}: expected a list of values, got {type(value).__name__}")
    return [_mapping(point, name) for point in value]


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise LiveFeedError(f"{name}: {value!r} is not a number")
    return float(value)


def _intensity(value: object, name: str, factor: float = 1.0) -> float:
    rci = _number(value, name) * factor
    if not 0 <= rci <= MAX_RCI_GCO2E_PER_KWH:
        raise LiveFeedError(f"{name}: {rci:g} gCO2e/kWh is outside 0 to {MAX_RCI_GCO2E_PER_KWH:g}")
    return rci


def _time(value: object, name: str) -> int:
    try:
        return us_from_iso(str(value).replace("Z", "+00:00"))
    except ValueError as error:
        raise LiveFeedError(f"{name}: {value!r} is not a time") from error


def _iso(at_us: int) -> str:
    """Whole minutes, as every feed accepts them."""
    return datetime.fromtimestamp(at_us / 1e6, tz=UTC).strftime("%Y-%m-%dT%H:%MZ")
