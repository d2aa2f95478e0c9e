"""`rice-stream check`: is everything there that a worker needs? Each problem comes with what to do about it."""

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import SecretStr

from rice_stream import __version__
from rice_stream.errors import RiceError, ServiceUnavailableError, UsageError
from rice_stream.events.formats.reading.versions import AttributionVersion, settings_text
from rice_stream.instants import SECOND_US, epoch_us, rfc3339
from rice_stream.kafka.client import describe_topics
from rice_stream.kafka.lag import LagProbe
from rice_stream.runtime.database_role import confinement_problem, open_view_problem
from rice_stream.runtime.loopback import is_loopback
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.opening_estimator import open_method
from rice_stream.runtime.opening_kafka import kafka_config
from rice_stream.runtime.opening_reference import open_reference
from rice_stream.runtime.settings.section import Rows
from rice_stream.runtime.settings.settings import PREFIX, Settings
from rice_stream.store.attribution_store import load_versions
from rice_stream.store.database_facts import clock_us, masked_url, missing_file, server_version, time_zones, view_names
from rice_stream.store.engine import Engine, reading, store_errors
from rice_stream.store.revisions import current_revision, head_revision
from rice_stream.store.role_facts import RoleFacts, role_facts
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.scoped import API_ROLE, confined, within

MASK = "********"
CLOCK_SKEW_MAX_S = 5.0
"""Windows move with the clock: two clocks further apart than this give answers that do not fit together."""

VIEWS = ("prompt_emission", "rolling_totals", "hourly_totals")
_LIBRARIES = ("faust-streaming", "aiokafka", "confluent-kafka", "sqlalchemy", "psycopg", "numpy", "msgspec", "tzdata")
_MIGRATE = "run `rice-stream migrate`"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `unreachable`: a service did not answer, so nothing else is known of it."""

    name: str
    ok: bool
    detail: str
    what_to_do: str | None = None
    unreachable: bool = False


def run_checks(settings: Settings, *, now: Callable[[], datetime], more: Iterable[Check] = ()) -> dict[str, Any]:
    """`{"ok", "reachable", "checks", "settings", "changed", "versions"}`; never raises for what it is meant to find.

    `now` is asked beside the database's clock; `more` are checks of others. `changed` names settings not at their default.
    """
    versions: dict[str, str | None] = _own_versions()
    checks = [*_estimation(settings, versions), *_kafka(settings), *_database(settings, versions, now), *more]
    listed = [{name: value for name, value in asdict(check).items() if name != "unreachable"} for check in checks]
    return {
        "ok": all(check.ok for check in checks),
        "reachable": not any(check.unreachable for check in checks),
        "checks": listed,
        "settings": effective_settings(settings),
        "changed": [_in_environment(name) for name in settings.changed()],
        "versions": versions,
    }


def _good(name: str, detail: str) -> Check:
    return Check(name, ok=True, detail=detail)


def _problem(name: str, detail: str, what_to_do: str, *, unreachable: bool = False) -> Check:
    return Check(name, ok=False, detail=detail, what_to_do=what_to_do, unreachable=unreachable)


# --- settings --------------------------------------------------------------------------------------------------------


def effective_settings(settings: Settings) -> dict[str, Any]:
    """Every setting by the name that it has in the environment; passwords and tokens masked."""
    shown: dict[str, Any] = {}
    for name in settings.names():
        value = getattr(settings, name)
        if name == "database_url":
            value = masked_url(value.get_secret_value(), MASK)
        elif isinstance(value, SecretStr):
            value = MASK
        elif name.endswith("_url") and value is not None:
            value = _masked_address(value)
        elif isinstance(value, Rows):
            value = list(value.written)
        elif isinstance(value, tuple):
            value = list(value)
        shown[_in_environment(name)] = value if isinstance(value, bool | int | float | list | dict) else _text(value)
    return shown


def _in_environment(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _masked_address(url: str) -> str:
    """An address without what may be a secret in it: user, password, query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")
    return urlunsplit(
        parts._replace(netloc=f"{MASK}@{host[2]}" if host[1] else host[2], query=MASK if parts.query else "")
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _own_versions() -> dict[str, str | None]:
    libraries = {name: version(name) for name in _LIBRARIES}
    return {"rice_stream": __version__, "python": platform.python_version(), **libraries}


# --- what an estimate needs ------------------------------------------------------------------------------------------


def _estimation(settings: Settings, versions: dict[str, str | None]) -> Iterator[Check]:
    try:
        reference = open_reference(settings)
    except UsageError as error:
        yield _problem("reference tables", str(error), "correct the named file; RICE_REFERENCE_DIR says where it lies")
    else:
        versions["factors"] = reference.version
        own = f", with {settings.reference_dir} on top" if settings.reference_dir else ""
        yield _good("reference tables", f"{reference.version}{own}")
    try:
        method = open_method(settings)
    except RiceError as error:
        yield _problem("method", str(error), "choose another RICE_METHOD, or install rice-stream again")
    else:
        versions["method"] = method.version
        yield _good("method", method.version)


# --- Kafka -----------------------------------------------------------------------------------------------------------


def _kafka(settings: Settings) -> Iterator[Check]:
    servers = settings.kafka_bootstrap_servers
    try:
        topics = describe_topics(kafka_config(settings), (*settings.events_topics, settings.alerts_topic))
    except UsageError as error:
        yield _problem("broker", str(error), "correct the RICE_KAFKA_* settings")
        return
    except ServiceUnavailableError as error:
        yield _problem(
            "broker", str(error), "start the broker, or correct RICE_KAFKA_BOOTSTRAP_SERVERS", unreachable=True
        )
        return
    yield _good("broker", f"{servers} answers")
    for topic, partitions in topics.items():
        if partitions is None:
            yield _problem(f"topic {topic}", "does not exist", f"create the topic {topic}, or name another")
        else:
            yield _good(f"topic {topic}", f"{partitions} partition(s)")
    if all(topics[topic] is not None for topic in settings.events_topics):
        yield _lag(settings)


def _lag(settings: Settings) -> Check:
    probe = LagProbe(kafka_config(settings), settings.kafka_group_id, settings.events_topics)
    try:
        lags = probe.lag()
    except ServiceUnavailableError as error:
        return _problem("consumer lag", str(error), "may the group of RICE_KAFKA_GROUP_ID be read?", unreachable=True)
    finally:
        probe.close()
    detail = f"group {settings.kafka_group_id} is {sum(lags.values())} record(s) behind on {len(lags)} partition(s)"
    return _good("consumer lag", detail)


# --- the database ----------------------------------------------------------------------------------------------------


def _database(settings: Settings, versions: dict[str, str | None], now: Callable[[], datetime]) -> Iterator[Check]:
    stated = settings.database_url.get_secret_value()
    url, missing = masked_url(stated, MASK), missing_file(stated)
    if missing is not None:
        # Opening it would make an empty one, and a check changes nothing.
        yield _problem("database", f"there is no file {missing}", _MIGRATE)
        return
    try:
        engine = open_store(settings, migrated=False)
        with store_errors("answer"):
            current, head = current_revision(engine), head_revision()
    except ServiceUnavailableError as error:
        yield _problem(
            "database", f"{url}: {error}", "start the database, or correct RICE_DATABASE_URL", unreachable=True
        )
        return
    except UsageError as error:
        yield _problem("database", str(error), "correct RICE_DATABASE_URL")
        return
    try:
        server = server_version(engine)
        versions["database"] = f"{engine.dialect.name} {server}"
        versions["schema"] = current
        yield _good("database", f"{url} answers ({engine.dialect.name} {server})")
        if current != head:
            found = f"at {current}" if current else "empty"
            yield _problem("schema", f"{found}; this version works with {head}", _MIGRATE)
            return
        yield _good("schema", f"at {current}")
        yield _views(engine)
        facts = role_facts(engine)
        if facts is not None:
            yield _row_security(facts, on_loopback=is_loopback(settings.http_host))
        seen = engine if facts is None or not facts.is_held else within(confined(engine), EVERYTHING)
        yield _time_zones(seen)
        yield _clock(engine, now)
        yield from _attribution(settings, seen, now)
    finally:
        engine.dispose()


def _views(engine: Engine) -> Check:
    missing = sorted(set(VIEWS) - view_names(engine))
    if missing:
        return _problem("views", f"missing: {', '.join(missing)}", _MIGRATE)
    return _good("views", ", ".join(VIEWS))


def _row_security(facts: RoleFacts, *, on_loopback: bool) -> Check:
    """Whether PostgreSQL holds the API to the scopes of its callers; on loopback it need not."""
    problem = confinement_problem(facts)
    found = open_view_problem(facts) or (None if on_loopback else problem)
    if found is not None:
        return _problem("row-level security", *found)
    if problem is not None:
        return _good("row-level security", f"not of use here, and need not be on loopback: {problem.what}")
    return _good("row-level security", f"{facts.login} is held to the scope of each caller, as {API_ROLE}")


def _time_zones(engine: Engine) -> Check:
    """Every time zone in use has rules here and its months in the table that the month to date comes from."""
    zones = time_zones(engine)
    unknown = sorted(name for name in zones.of_all if not _is_known(name))
    if unknown:
        return _problem("time zones", f"no rules for {', '.join(unknown)}", "install the Python package tzdata again")
    without = sorted(zones.of_tenants - zones.with_months)
    if without:
        what = "run `rice-stream tenant set TENANT --time-zone ZONE` for a tenant of each"
        return _problem("time zones", f"no months are kept for {', '.join(without)}", what)
    return _good("time zones", f"{', '.join(sorted(zones.of_all)) or 'none in use'}; rules {version('tzdata')}")


def _is_known(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def _attribution(settings: Settings, engine: Engine, now: Callable[[], datetime]) -> Iterator[Check]:
    """What decides who is charged, where it is not what is set here: the database's goes before."""
    with reading(engine) as connection:
        versions = load_versions(connection)
    if not versions:
        return
    now_us = epoch_us(now())
    latest = versions[-1]
    before = [version for version in versions if version.valid_from_us <= now_us]
    if latest.settings != settings_text(settings.format_options()):
        yield _good(
            "attribution",
            f"not as set here; in force since {_start(latest)}: {latest.settings}; a worker that starts with the"
            " settings shown here makes them hold for events from then on",
        )
    elif latest.valid_from_us > now_us:
        yield _good("attribution", f"as set here from {_start(latest)} on; until then {before[-1].settings}")


def _start(version: AttributionVersion) -> str:
    return rfc3339(version.valid_from_us) if version.valid_from_us else "the beginning"


def _clock(engine: Engine, now: Callable[[], datetime]) -> Check:
    if engine.dialect.name == "sqlite":
        return _good("clock", "the database runs on this machine's clock")
    before_us = epoch_us(now())
    theirs_us = clock_us(engine)
    after_us = epoch_us(now())
    apart_s = max(before_us - theirs_us, theirs_us - after_us, 0) / SECOND_US
    detail = f"the database's clock and this machine's are {apart_s:.1f} s apart"
    if apart_s > CLOCK_SKEW_MAX_S:
        return _problem("clock", detail, "set both clocks by NTP: windows and month to date go by the database's")
    return _good("clock", detail)
