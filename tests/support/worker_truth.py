"""What was sent, and what must therefore be in the store: every comparison here is `==`.

The truth is kept by the sender alone. Energy and carbon of an event come from the same pure pipeline, run once over
the distinct events, undisturbed, in this process; everything else is added up here with Python's own integers.
"""

import functools
import json
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from rice_stream.events.records import RawRecord
from rice_stream.meter.shared_ranges import SharedRange, total_range
from rice_stream.pipeline.chunks import Chunk
from rice_stream.proof.verification import verify
from rice_stream.runtime.opening_pipeline import open_pipeline
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import open_engine, reading
from rice_stream.store.factor_spreads import ENDS, factor_spreads, kinds_of
from rice_stream.store.migrate import migrate
from tests.support.waiting import wait_until
from tests.support.worker_harness import Deployment

Event = dict[str, Any]
Key = tuple[str, str]
"""(tenant_id, event_id)"""
TOKENS = ("input_tokens", "cache_read_input_tokens", "output_tokens", "reasoning_output_tokens")
AMOUNTS = ("it_energy_uwh", "facility_energy_uwh", "carbon_low_ugco2e", "carbon_mid_ugco2e", "carbon_high_ugco2e")
MEASURES = ("prompts", *TOKENS, *AMOUNTS)
CONFIRM_DEADLINE_S = 120.0


class RefusedItem(NamedTuple):
    """Where an item lies that must be in quarantine."""

    topic: str
    partition: int
    offset: int
    item: int


@dataclass
class Truth:
    """Every event that was sent (once, however often it was sent) and every item that is no event."""

    events: dict[Key, Event] = field(default_factory=dict)
    refused: set[RefusedItem] = field(default_factory=set)

    def add(self, event: Event) -> None:
        """It was sent; the same again changes nothing."""
        known = self.events.setdefault((event["tenant_id"], event["event_id"]), event)
        assert known == event, "a test sends each event id with one content"


class Sender:
    """Produces records to a deployment's topics and keeps the truth about them."""

    def __init__(self, deployment: Deployment, *, partitions: int = 4, **config: object) -> None:
        self.truth = Truth()
        self.topic = deployment.topic
        self.partitions = partitions
        self._failures: list[KafkaError] = []
        self._random = random.Random(1)
        settings: dict[str, Any] = {
            "bootstrap.servers": deployment.bootstrap_servers,
            "enable.idempotence": True,
            "message.timeout.ms": round(CONFIRM_DEADLINE_S * 1000),
            "linger.ms": 5,
            "log_level": 0,
            **config,
        }
        self._producer = Producer(settings)

    def send_event(self, event: Event, **where: Any) -> None:
        """One event as one plain JSON record."""
        self.send(encoded(event), events=[event], **where)

    def send(
        self,
        value: bytes | None,
        *,
        events: Iterable[Event] = (),
        refused_items: Sequence[int] = (),
        topic: str | None = None,
        partition: int | None = None,
        headers: dict[str, bytes] | None = None,
        on_place: Callable[[str, int, int], None] | None = None,
    ) -> None:
        """Any record, with what it holds; `on_place` gets the topic, partition and offset that the broker gave it."""
        for event in events:
            self.truth.add(event)

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._failures.append(error)
                return
            place = str(message.topic()), int(message.partition() or 0), int(message.offset() or 0)
            self.truth.refused.update(RefusedItem(*place, item) for item in refused_items)
            if on_place is not None:
                on_place(*place)

        partition = self._random.randrange(self.partitions) if partition is None else partition
        wanted: dict[str, Any] = {"partition": partition, "headers": headers, "on_delivery": delivered}
        while True:
            try:
                self._producer.produce(topic or self.topic, value, **wanted)
            except BufferError:
                self._producer.poll(0.05)
            else:
                break
        self._producer.poll(0)

    def use_partitions(self, count: int) -> None:
        """From here on send to more of them; waits until the producer knows that they are there."""
        known = self._producer.list_topics

        def there() -> bool:
            return len(known(self.topic, timeout=30).topics[self.topic].partitions) >= count

        wait_until(there, CONFIRM_DEADLINE_S, "the new partitions")
        self.partitions = count

    def confirm(self) -> None:
        """Wait until the broker has everything."""
        wait_until(lambda: self._producer.flush(0.5) == 0, CONFIRM_DEADLINE_S, "the broker to confirm all records")
        assert not self._failures, self._failures[0]


def encoded(event: object) -> bytes:
    """JSON bytes."""
    return json.dumps(event).encode()


class EventMaker:
    """Endless different events from a seed: several tenants, teams, users, models and regions, times hours apart."""

    def __init__(self, seed: int, *, prefix: str = "e", now_s: float | None = None) -> None:
        self._random = random.Random(seed)
        self._prefix = prefix
        self._now_s = time.time() if now_s is None else now_s
        self._count = 0

    def __call__(self, **changes: Any) -> Event:
        """The next one; a change to `...` leaves a field out."""
        draw = self._random
        self._count += 1
        inputs = draw.randrange(4000)
        outputs = draw.randrange(900)
        event: Event = {
            "schema_version": "1",
            "event_id": f"{self._prefix}-{self._count}",
            "ended_at": rfc3339(self._now_s - draw.uniform(0, 20 * 3600)),
            "tenant_id": f"tenant-{draw.randrange(6)}",
            "team_id": draw.choice([None, "search", "support", "ads"]),
            "project_id": draw.choice([None, "ranker"]),
            "user_id": draw.choice([None, "u-1", "u-2", "u-3"]),
            "provider": "openai",
            "request_model": draw.choice(["gpt-4o", "gpt-4o-mini", "llama-3.1-70b", "nobody-knows-this-one"]),
            "input_tokens": draw.choice([inputs, inputs, inputs, None]),
            "output_tokens": outputs,
            "inference_region": draw.choice(["azure:swedencentral", "aws:us-east-1", None, "moon-base-1"]),
        }
        if event["input_tokens"]:
            event["cache_read_input_tokens"] = draw.choice([None, 0, event["input_tokens"] // 2])
        if draw.random() < 0.05:
            event["gateway_cache_hit"] = True
        if draw.random() < 0.05:
            event["status"] = "error"
        return {name: value for name, value in {**event, **changes}.items() if value is not ...}


def rfc3339(epoch_s: float) -> str:
    """`2026-11-22T19:00:03.480000Z`"""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def ended_at_us(event: Event) -> int:
    """The event's time in whole microseconds since the epoch."""
    since = datetime.fromisoformat(event["ended_at"]) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def measures_of(events: Iterable[Event], folder: Path) -> dict[Key, dict[str, int]]:
    """(tenant, event id) -> its measures. The amounts come from one undisturbed run of the pipeline's pure half."""
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "truth.db"
    if not database.exists():
        database.write_bytes(_migrated_sqlite())
    url = f"sqlite:///{database}"
    engine = open_engine(url)
    pipeline, writer = open_pipeline(load_settings(environment={"RICE_DATABASE_URL": url}), engine)
    given = list(events)
    records = [RawRecord("truth", 0, offset, encoded(event)) for offset, event in enumerate(given)]
    found: dict[Key, dict[str, int]] = {}
    if records:
        batch = pipeline.prepare([Chunk("truth", 0, records)], time.time_ns() // 1000)
        assert len(batch.records) == len(given)
        assert not batch.refused
        names = {key: name for name, key in Dimensions(engine).tenants({e["tenant_id"] for e in given}).items()}
        columns = [batch.records.columns[name].tolist() for name in ("tenant_key", *AMOUNTS, "factor_key")]
        event_ids = map(bytes.decode, batch.records.event_ids)
        for event_id, (tenant_key, *amounts) in zip(event_ids, zip(*columns, strict=True), strict=True):
            found[names[tenant_key], event_id] = dict(zip((*AMOUNTS, "factor_key"), amounts, strict=True))
    for event in given:
        tokens = {name: event.get(name) or 0 for name in TOKENS}
        found[event["tenant_id"], event["event_id"]] |= {"prompts": 1, **tokens}
    writer.close()
    engine.dispose()
    return found


@functools.cache
def _migrated_sqlite() -> bytes:
    """An empty database at the head of the migrations, which take longer than all else here."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "template.db")
        engine = open_engine(f"sqlite:///{path}")
        migrate(engine)
        engine.dispose()
        return path.read_bytes()


def range_of(measures: Iterable[Mapping[str, int]], folder: Path) -> SharedRange:
    """The range of the total of some of what `measures_of` gave for the same folder."""
    sums: dict[int, list[int]] = {}
    for each in measures:
        before = sums.get(each["factor_key"], [0] * len(ENDS))
        sums[each["factor_key"]] = [a + each[name] for a, name in zip(before, ENDS, strict=True)]
    engine = open_engine(f"sqlite:///{folder / 'truth.db'}")
    with reading(engine) as connection:
        spreads = factor_spreads(connection, sums)
    engine.dispose()
    return total_range(kinds_of(sums, spreads))


def assert_exact(deployment: Deployment, truth: Truth) -> None:
    """Records, all totals, quarantine, progress and committed offsets are exactly what was sent."""
    measures = measures_of(truth.events.values(), deployment.folder / "truth")
    assert_records(deployment, truth, measures)
    assert_totals(deployment, truth, measures)
    assert_quarantine(deployment, truth)
    assert_read_to_the_end(deployment)
    assert deployment.recorded() == len(truth.events)
    assert deployment.value("SELECT COUNT(*) FROM conflict") == 0
    # The product's own proof must come to the same conclusion.
    proof = verify(deployment.engine)
    assert proof["ok"], proof["differences"]
    assert proof["records"] == len(truth.events)


def assert_records(deployment: Deployment, truth: Truth, measures: Mapping[Key, Mapping[str, int]]) -> None:
    """One record for each event, with its own tokens and amounts."""
    names = ("tenant_id", "event_id", "team_id", "project_id", "user_id", *TOKENS, *AMOUNTS)
    rows = deployment.rows(f"SELECT {', '.join(names)} FROM prompt_emission")
    stored = {(row[0], row[1]): row[2:] for row in rows}
    assert len(rows) == len(stored), "an event was recorded twice"
    missing = truth.events.keys() - stored.keys()
    extra = stored.keys() - truth.events.keys()
    assert not missing, f"{len(missing)} of {len(truth.events)} events lost, among them {sorted(missing)[:3]}"
    assert not extra, f"{len(extra)} records of nothing that was sent, among them {sorted(extra)[:3]}"
    for key, event in truth.events.items():
        said = [event.get(name) for name in names[2 : 5 + len(TOKENS)]]
        assert stored[key] == (*said, *(measures[key][name] for name in AMOUNTS)), key


def assert_totals(deployment: Deployment, truth: Truth, measures: Mapping[Key, Mapping[str, int]]) -> None:
    """Every row of every totals table is the sum of its events; users have totals when they are watched."""
    watched = watched_users(deployment)
    minutes: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    slots: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    users: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    tenant_days: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    days: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for key, event in truth.events.items():
        second = ended_at_us(event) // 1_000_000
        tenant, slot = event["tenant_id"], second - second % 900
        minutes[tenant, second - second % 60].update(measures[key])
        charged = (event.get("team_id") or "", event.get("project_id") or "")
        slots[tenant, slot, *charged].update(measures[key])
        tenant_days[tenant, second - second % 86_400].update(measures[key])
        days[tenant, second - second % 86_400, *charged].update(measures[key])
        if (tenant, event.get("user_id")) in watched:
            users[tenant, slot, event["user_id"]].update(measures[key])
    sums = ", ".join(f"SUM(m.{name})" for name in MEASURES)
    named = "JOIN tenant t ON t.tenant_key = m.tenant_key"
    attributed = "JOIN attribution a ON a.tenant_key = m.tenant_key AND a.attribution_key = m.attribution_key"
    used = "JOIN principal p ON p.tenant_key = m.tenant_key AND p.principal_key = m.user_key"
    for expected, keys, source in (
        (minutes, "t.tenant_id, m.minute_start_s", f"minute_total m {named}"),
        (slots, "t.tenant_id, m.slot_start_s, a.team_id, a.project_id", f"slot_total m {named} {attributed}"),
        (users, "t.tenant_id, m.slot_start_s, p.name", f"user_slot_total m {named} {used}"),
        (tenant_days, "t.tenant_id, m.day_start_s", f"tenant_day_total m {named}"),
        (days, "t.tenant_id, m.day_start_s, a.team_id, a.project_id", f"day_total m {named} {attributed}"),
    ):
        count = keys.count(",") + 1
        rows = deployment.rows(f"SELECT {keys}, {sums} FROM {source} GROUP BY {keys}")
        stored = {row[:count]: tuple(int(value) for value in row[count:]) for row in rows}
        true = {key: tuple(total[name] for name in MEASURES) for key, total in expected.items()}
        wrong = sorted(key for key in true.keys() | stored.keys() if true.get(key) != stored.get(key))
        assert not wrong, (
            f"{source}: {len(wrong)} of {len(true)} rows differ, first {wrong[0]}: stored {stored.get(wrong[0])},"
            f" true {true.get(wrong[0])}"
        )


def watched_users(deployment: Deployment) -> set[tuple[str, str]]:
    """(tenant, user) of those whose own totals are kept."""
    named = "JOIN tenant t ON t.tenant_key = w.tenant_key"
    used = "JOIN principal p ON p.tenant_key = w.tenant_key AND p.principal_key = w.user_key"
    return {
        (row[0], row[1]) for row in deployment.rows(f"SELECT t.tenant_id, p.name FROM watched_user w {named} {used}")
    }


def assert_quarantine(deployment: Deployment, truth: Truth) -> None:
    """Each refused item is there once, and nothing else."""
    rows = deployment.rows('SELECT topic, "partition", "offset", item FROM quarantine')
    assert sorted(rows) == sorted(tuple(refused) for refused in truth.refused)


def assert_read_to_the_end(deployment: Deployment) -> None:
    """The group's offsets stand at the end of every partition, and the store knows of every offset up to there."""
    ends = deployment.ends()
    assert deployment.committed_offsets() == {place: end or None for place, end in ends.items()}
    rows = deployment.rows('SELECT topic, "partition", first_offset, last_offset FROM kafka_progress')
    assert sorted(rows) == sorted((*place, 0, end - 1) for place, end in ends.items() if end)
