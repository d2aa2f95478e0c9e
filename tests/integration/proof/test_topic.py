"""`verify --against-topic` on real Kafka: the log proves the records, whatever was lost, changed or made up."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from rice_stream.errors import ServiceUnavailableError
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.versions import settings_text
from rice_stream.events.records import RawRecord, SkippedBatch
from rice_stream.instants import DAY_US, epoch_us
from rice_stream.kafka.config import KafkaConfig
from rice_stream.kafka.record_fetch import KafkaFetch
from rice_stream.kafka.topic_log import TopicLog, open_log
from rice_stream.meter.requests import TokenDefaults
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.quarantine_replay import replay
from rice_stream.proof.topic_verification import verify_against_topic
from rice_stream.proof.verification import verify
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.runtime.settings.settings import Settings
from rice_stream.sandbox.stack.kafka import KafkaServer
from rice_stream.store.attribution_store import propose_version
from rice_stream.store.identity_rules import StoredRules
from rice_stream.store.pruning import drop_conflicts, drop_quarantined
from rice_stream.store.quarantine import Choice
from rice_stream.store.retention import drop_records_before, move_horizon
from rice_stream.store.retention_plan import month_floor_us
from tests.support.databases import Databases
from tests.support.fakes import NOON_US, OPERATOR, FakeMethod, fake_pipeline, value_of
from tests.support.reports_store import NOON, Store, at, open_store, picked
from tests.support.services import TopicFactory
from tests.support.untimed import MIDNIGHT_US, reply

DEFAULTS = TokenDefaults(100, 10)
PARTITIONS = 2


@dataclass
class Ledger:
    """A topic and the store that accounts for it, as a worker would, but a step at a time."""

    store: Store
    kafka: KafkaServer
    topic: str
    settings: Settings
    read_to: dict[int, int] = field(default_factory=dict)

    def send(self, *payloads: Any, partition: int = 0, headers: dict[str, str | bytes | None] | None = None) -> None:
        """Bytes as they are, anything else as JSON; confirmed by the broker."""
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap_servers, "log_level": 0})
        for payload in payloads:
            value = payload if isinstance(payload, bytes) else value_of(payload)
            producer.produce(self.topic, value, partition=partition, headers=headers)
        assert producer.flush(30) == 0

    def log(self) -> AbstractContextManager[TopicLog]:
        """The topic's log as it is now."""
        return open_log(KafkaConfig(self.kafka.bootstrap_servers), self.settings.kafka_group_id, [self.topic])

    def work(self) -> None:
        """Process what has not been processed."""
        with self.log() as log:
            for piece in log.read():
                number = piece.range.partition
                new = [record for record in piece.records if record.offset > self.read_to.get(number, -1)]
                if new:
                    self.store.pipeline.process([Chunk(self.topic, number, new)], NOON_US)
                    self.read_to[number] = new[-1].offset

    def verify(self) -> dict[str, Any]:
        """The whole answer."""
        with self.log() as log:
            return verify_against_topic(self.store.engine, log, method=FakeMethod(), defaults=DEFAULTS)

    def differences(self) -> list[tuple[Any, ...]]:
        """(table, problem, measure, stored, recomputed) of each."""
        return picked(self.verify()["differences"], "table", "problem", "measure", "stored", "recomputed")

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.kafka.bootstrap_servers, "log_level": 0})


@pytest.fixture
def ledger(sqlite: Databases, kafka: KafkaServer, topic_factory: TopicFactory) -> Iterator[Ledger]:
    """On SQLite: most of this is about Kafka."""
    with open_store(sqlite.emptied()) as store:
        yield make_ledger(store, kafka, topic_factory)


def make_ledger(store: Store, kafka: KafkaServer, topic_factory: TopicFactory) -> Ledger:
    topic = topic_factory(partitions=PARTITIONS, name="verify")
    environment = {"RICE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "RICE_EVENTS_TOPICS": topic}
    return Ledger(store, kafka, topic, load_settings(environment=environment))


def send_all_kinds(ledger: Ledger) -> None:
    """9 events, 6 of them distinct: repeats across partitions, an array, refusals, a contradiction, missing names."""
    plain = at("2026-11-22T11:00:00Z", event_id="plain", user_id="u", api_key_id="k", source="/s", provider="p")
    ledger.send(plain, at("2026-11-22T11:00:01Z", event_id="bare", team_id=..., input_tokens=None), b"nonsense")
    ledger.send([at("2026-11-22T11:00:02Z", event_id="a"), {"no": "event"}, at("2026-11-22T11:00:03Z", event_id="b")])
    ledger.send(plain, partition=1)
    ledger.send(at("2026-11-22T11:00:04Z", event_id="other", tenant_id="globex", inference_region="eu"), partition=1)
    ledger.send({**plain, "output_tokens": 77}, partition=1)
    headers: dict[str, str | bytes | None] = {
        "ce_specversion": b"1.0",
        "ce_id": b"ce",
        "ce_source": b"/g",
        "ce_type": b"t",
    }
    ledger.send(at("2026-11-22T11:00:05Z", event_id=..., source=...), partition=1, headers=headers)
    ledger.send(at("2026-11-22T11:00:05Z", event_id=..., source=...), partition=1, headers=headers)


def test_metered_energy_agrees_with_its_records(store: Store, kafka: KafkaServer, topic_factory: TopicFactory) -> None:
    """Through Kafka and back, on every database: amounts are those of the joules, and a changed one is found."""
    ledger = make_ledger(store, kafka, topic_factory)
    metered = at("2026-11-22T11:00:00Z", event_id="m", energy_joules=9_000.0)
    ledger.send(
        metered, at("2026-11-22T11:00:01Z", event_id="e"), at("2026-11-22T11:00:02Z", event_id="x", energy_joules=-1)
    )
    ledger.send(metered, {**metered, "energy_joules": 1.0}, partition=1)
    ledger.work()
    answer = ledger.verify()
    assert (answer["differences"], answer["against_topic"]["amounts_checked"]) == ([], 5)
    assert ledger.store.rows("SELECT metered_energy_uj FROM prompt_emission WHERE basis = 'measured'") == [
        {"metered_energy_uj": 9_000_000_000}
    ]
    ledger.store.execute("UPDATE prompt_record SET metered_energy_uj = 1 WHERE event_id = 'm'")
    assert {measure for _, _, measure, _, _ in ledger.differences()} >= {"it_energy_uwh", "carbon_mid_ugco2e"}


def test_a_log_and_the_records_made_from_it_agree(
    store: Store, kafka: KafkaServer, topic_factory: TopicFactory
) -> None:
    """Counts of everything that was sent, and equal sums for each tenant on both sides; on every database."""
    ledger = make_ledger(store, kafka, topic_factory)
    send_all_kinds(ledger)
    ledger.work()
    answer = ledger.verify()
    assert (answer["differences"], answer["differences_total"]) == ([], 0)
    found = answer["against_topic"]
    counts = ("events", "distinct_events", "records", "conflicts", "quarantined", "records_not_in_log")
    assert {name: found[name] for name in counts} == {
        "events": 9,
        "distinct_events": 6,
        "records": 6,
        "conflicts": 1,
        "quarantined": 2,
        "records_not_in_log": 0,
    }
    assert (found["amounts_checked"], found["amounts_unchecked"], found["log_is_complete"]) == (9, 0, True)
    acme, globex = found["tenants"]
    assert (acme["log"], globex["log"]) == (acme["stored"], globex["stored"])
    assert (acme["tenant_id"], acme["log"]["prompts"], acme["log"]["input_tokens"]) == ("acme", 5, 40)
    assert globex["log"]["carbon_mid_ugco2e"] == 20 * 125_000
    assert picked(found["partitions"], "log_end", "read_to", "lag") == [(4, 3, 0), (5, 4, 0)]
    assert verify(ledger.store.engine)["ok"]


def test_a_log_that_spans_a_change_of_who_is_charged_agrees(ledger: Ledger) -> None:
    """Each event is compared as the database says for when it ended, whatever the settings of who verifies."""
    engine = ledger.store.engine
    plain, by_model = FormatOptions(), FormatOptions(attributes={"tenant_id": ("model",), "user_id": ("call_type",)})
    propose_version(engine, settings_text(plain), now_us=NOON_US)
    propose_version(engine, settings_text(by_model), now_us=NOON_US)
    rules = StoredRules(engine, plain)
    ledger.store.pipeline = fake_pipeline(ledger.store.writer, engine, rules=rules)
    call = {"call_type": "acompletion", "model": "small", "prompt_tokens": 5, "completion_tokens": 7}
    ends_s = (NOON_US // 1_000_000 - 60, NOON_US // 1_000_000 + 60)
    ledger.send(*({**call, "litellm_call_id": f"call-{end}", "startTime": end, "endTime": end} for end in ends_s))
    ledger.work()
    assert ledger.differences() == []
    tenants = ledger.store.rows("SELECT tenant_id FROM tenant ORDER BY tenant_id")
    assert [row["tenant_id"] for row in tenants] == ["small", "unknown"]


def test_a_lost_record_is_found_by_its_place_in_the_log(ledger: Ledger) -> None:
    """Deleted together with its totals, so that nothing else would notice."""
    ledger.send(at("2026-11-22T11:00:00Z"), at("2026-11-22T12:30:00Z", event_id="lost"))
    ledger.work()
    ledger.store.execute("DELETE FROM prompt_record WHERE event_id = 'lost'")
    [difference] = ledger.verify()["differences"]
    assert difference == {
        "table": "prompt_record",
        "key": {
            "tenant_id": "acme",
            "event_id": "lost",
            "topic": ledger.topic,
            "partition": 0,
            "offset": 1,
            "item": 0,
        },
        "problem": "missing",
        "measure": "record",
        "stored": None,
        "recomputed": 1,
    }


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("output_tokens = 6", [("output_tokens", 6, 5)]),
        ("ended_at_us = ended_at_us + 1", [("ended_at_us", 1_795_345_200_000_001, 1_795_345_200_000_000)]),
        ("user_key = NULL", [("user_id", "", "u")]),
        ("carbon_high_ugco2e = 1", [("carbon_high_ugco2e", 1, 20 * 125_000 * 2)]),
        ("it_energy_uwh = it_energy_uwh - 1", [("it_energy_uwh", 20 * 250_000 - 1, 20 * 250_000)]),
    ],
)
def test_a_changed_record_is_found_with_what_the_log_says(
    ledger: Ledger, change: str, expected: list[tuple[Any, ...]]
) -> None:
    """Tokens, times and names against the event; amounts against the record's own factors. One difference, not more."""
    ledger.send(at("2026-11-22T11:00:00Z", user_id="u"), at("2026-11-22T11:00:09Z"))
    ledger.work()
    assert ledger.store.execute(f"UPDATE prompt_record SET {change} WHERE user_key IS NOT NULL") == 1
    found = [difference[2:] for difference in ledger.differences()]
    # Tokens that were changed give other amounts as well, which are not those that are stored.
    assert [entry for entry in found if not entry[0].endswith(("uwh", "ugco2e")) or entry in expected] == expected


def test_a_record_that_was_made_up_is_found(ledger: Ledger) -> None:
    """A record that nobody sent, copied with a key of its own."""
    ledger.send(at("2026-11-22T11:00:00Z"))
    ledger.work()
    columns = [row["name"] for row in ledger.store.rows("SELECT name FROM pragma_table_info('prompt_record')")]
    copied = ", ".join("randomblob(16)" if name == "event_key" else name for name in columns)
    ledger.store.execute(f"INSERT INTO prompt_record ({', '.join(columns)}) SELECT {copied} FROM prompt_record")
    differences = ledger.differences()
    assert ("prompt_record", "extra", "prompts", 2, 1) in differences
    assert {difference[1] for difference in differences} == {"extra"}


def test_a_record_that_contradicts_all_of_the_log_is_found(ledger: Ledger) -> None:
    """What the log holds of a key is known as a contradiction only, so the record came from elsewhere."""
    event = at("2026-11-22T11:00:00Z", event_id="e")
    ledger.store.pipeline.process([Chunk("gone.jsonl", 0, [_raw("gone.jsonl", event)])], NOON_US)
    ledger.store.execute("DELETE FROM kafka_progress")
    ledger.send({**event, "output_tokens": 9})
    ledger.work()
    assert ledger.differences() == [("prompt_record", "extra", "record", 1, None)]


def test_a_refusal_that_is_not_in_quarantine_is_found(ledger: Ledger) -> None:
    """Every item that is no event has its row."""
    ledger.send(b"nonsense", at("2026-11-22T11:00:00Z"))
    ledger.work()
    assert ledger.differences() == []
    ledger.store.execute("DELETE FROM quarantine")
    assert ledger.differences() == [("quarantine", "missing", "reason", None, "not_json")]


def test_one_row_stands_for_the_further_refused_items_of_a_record(ledger: Ledger) -> None:
    """All are counted; a row that is gone, and a record that is gone beside it, are found all the same."""
    ledger.send([0] * 300 + [at("2026-11-22T11:00:00Z")])
    ledger.work()
    found = ledger.verify()
    assert (found["differences"], found["against_topic"]["quarantined"]) == ([], 300)
    ledger.store.execute("DELETE FROM prompt_record")
    assert ("prompt_record", "missing", "record", None, 1) in ledger.differences()
    ledger.store.execute("DELETE FROM quarantine WHERE item >= 100")
    assert ("quarantine", "missing", "reason", None, "further_items") in ledger.differences()


def test_items_behind_one_row_that_this_version_reads_are_in_quarantine_and_not_lost(ledger: Ledger) -> None:
    """As many as the row says: one event more has no excuse."""
    ledger.send([at("2026-11-22T11:00:00Z", event_id=f"e{number}") for number in range(150)])
    ledger.work()
    ledger.store.execute("DELETE FROM prompt_record")
    [row] = ledger.store.rows('SELECT "partition", topic FROM kafka_progress')
    insert = (
        'INSERT INTO quarantine (topic, "partition", "offset", item, digest, reason, detail, payload, received_at_us)'
        " VALUES (:topic, :partition, 0, :item, x'00', :reason, '', :payload, 0)"
    )
    for item in range(100):
        ledger.store.execute(insert, **row, item=item, reason="missing_field", payload="{}")
    ledger.store.execute(insert, **row, item=100, reason="further_items", payload='{"items":49}')
    missing = [difference for difference in ledger.differences() if difference[1] == "missing"]
    assert missing == [("prompt_record", "missing", "record", None, 1)]
    assert ledger.verify()["against_topic"]["quarantined"] == 149


def test_an_event_of_the_future_is_in_quarantine_and_no_difference(ledger: Ledger) -> None:
    """Also once its time has come: it was held when it arrived, and is until somebody replays it."""
    ledger.send(at("2026-11-22T11:00:00Z"), at("2026-12-22T11:00:00Z"))
    ledger.work()
    answer = ledger.verify()
    assert (answer["differences_total"], answer["against_topic"]["quarantined"]) == (0, 1)


def test_what_nobody_has_read_yet_is_lag(ledger: Ledger) -> None:
    """Events past the last stored offset, of one partition and of one that was never read, are no difference."""
    ledger.send(at("2026-11-22T11:00:00Z"))
    ledger.work()
    ledger.send(at("2026-11-22T11:00:01Z"), at("2026-11-22T11:00:02Z"))
    ledger.send(at("2026-11-22T11:00:03Z"), partition=1)
    answer = ledger.verify()
    assert answer["differences_total"] == 0
    assert picked(answer["against_topic"]["partitions"], "read_to", "lag") == [(0, 2), (None, 1)]


def test_what_came_another_way_is_told_and_is_no_difference(ledger: Ledger) -> None:
    """From a file, or out of quarantine with a patch: records that the log does not have."""
    ledger.send(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:00:01Z", tenant_id=...))
    ledger.work()
    ledger.store.add(at("2026-11-22T11:00:02Z"))
    fetch = KafkaFetch(KafkaConfig(ledger.kafka.bootstrap_servers), ledger.settings.kafka_group_id)
    patches = {"tenant_id": "acme"}
    replayed = replay(
        ledger.store.engine, ledger.store.pipeline, Choice(), patches=patches, fetch=fetch, now_us=NOON_US, by=OPERATOR
    )
    fetch.close()
    assert replayed["recorded"] == 1
    answer = ledger.verify()
    assert answer["differences"] == []
    found = answer["against_topic"]
    assert (found["records_not_in_log"], found["recorded_from_elsewhere"], found["quarantined"]) == (2, 2, 1)


def test_what_kafka_or_the_store_no_longer_keeps_is_told_and_left_out(ledger: Ledger) -> None:
    """The first record's offset is gone from the log, the second's record from the store."""
    ledger.send(at("2026-11-22T10:00:00Z"), at("2026-08-22T11:00:01Z"), at("2026-11-22T11:00:02Z"))
    ledger.work()
    drop_records_before(ledger.store.engine, NOON)
    place = TopicPartition(ledger.topic, 0, 1)
    admin = ledger.admin()  # a client that is collected forgets its requests
    admin.delete_records([place])[place].result(timeout=30)
    answer = ledger.verify()
    found = answer["against_topic"]
    assert answer["differences"] == []
    assert (found["older_than_retention"], found["log_is_complete"]) == (1, False)
    assert picked(found["partitions"], "log_start", "no_longer_in_log")[0] == (1, 1)
    assert found["records_not_in_log"] == 1


def test_what_retention_took_from_quarantine_and_conflicts_is_no_difference(ledger: Ledger) -> None:
    """Items that were refused or contradicted once, and whose rows have gone since; what is younger is looked for still."""
    send_all_kinds(ledger)
    ledger.work()
    later_us = epoch_us(datetime.now(UTC)) + DAY_US
    assert drop_quarantined(ledger.store.engine, settled_before_us=0, held_before_us=later_us) > 0
    assert drop_conflicts(ledger.store.engine, later_us) > 0
    answer = ledger.verify()
    assert answer["differences"] == []
    assert min(answer["against_topic"][name] for name in ("quarantined", "conflicts")) > 0
    ledger.store.execute("UPDATE retention SET quarantine_from_us = 1, conflicts_from_us = 1")
    assert {row["table"] for row in ledger.verify()["differences"]} == {"quarantine", "prompt_record"}


def test_records_that_are_about_to_be_dropped_are_in_no_comparison(ledger: Ledger) -> None:
    """The horizon has moved and the month is there still; delivered again, its event is counted as older."""
    old = at("2026-08-22T11:00:01Z")
    ledger.send(old, at("2026-11-22T11:00:02Z"))
    ledger.work()
    move_horizon(ledger.store.engine, month_floor_us(NOON))
    ledger.send(old)
    ledger.work()
    answer = ledger.verify()
    assert answer["differences"] == []
    assert answer["against_topic"]["older_than_retention"] == 2
    assert verify(ledger.store.engine)["ok"]


def test_a_topic_that_was_made_anew_is_told_and_not_compared(ledger: Ledger) -> None:
    """The store has come further than the log goes: offsets mean something else now."""
    ledger.send(at("2026-11-22T11:00:00Z"))
    ledger.work()
    ledger.store.execute("UPDATE kafka_progress SET last_offset = 500")
    ledger.send(at("2026-11-22T11:00:05Z"))
    answer = ledger.verify()
    assert answer["differences_total"] == 0
    assert picked(answer["against_topic"]["partitions"], "made_anew", "lag") == [(True, 0), (False, 0)]
    assert answer["against_topic"]["log_is_complete"] is False


def test_another_default_for_unknown_tokens_is_counted_as_unchecked(ledger: Ledger) -> None:
    """The setting of that time is not stored, so those amounts prove nothing; the others are checked."""
    ledger.send(at("2026-11-22T11:00:00Z", input_tokens=None), at("2026-11-22T11:00:05Z"))
    ledger.work()
    with ledger.log() as log:
        answer = verify_against_topic(ledger.store.engine, log, method=FakeMethod(), defaults=TokenDefaults(1, 1))
    assert answer["differences"] == []
    assert (answer["against_topic"]["amounts_checked"], answer["against_topic"]["amounts_unchecked"]) == (1, 1)


def test_a_topic_that_does_not_exist_is_a_service_error(kafka: KafkaServer) -> None:
    """Named, with the broker's address."""
    config = KafkaConfig(kafka.bootstrap_servers)
    with (
        pytest.raises(ServiceUnavailableError, match=f"no-such-topic.*{config.bootstrap_servers}"),
        open_log(config, "rice-stream", ["no-such-topic"]),
    ):
        pass


def test_records_of_a_batch_that_was_not_unpacked_are_held_and_not_lost(ledger: Ledger) -> None:
    """One row stands for them; a replay leaves it as it is; records beside the batch are missed as ever."""
    ledger.send(*(at(f"2026-11-22T11:00:0{n}Z") for n in range(5)))
    first, *_, last = (_raw(ledger.topic, at(f"2026-11-22T11:00:0{n}Z"))._replace(offset=n) for n in range(5))
    batch: Any = SkippedBatch(1, 3, 1_000, "it is broken")
    ledger.store.pipeline.process([Chunk(ledger.topic, 0, [first, batch, last])], NOON_US)
    assert ledger.differences() == []
    fetch = KafkaFetch(KafkaConfig(ledger.kafka.bootstrap_servers), ledger.settings.kafka_group_id)
    answer = replay(
        ledger.store.engine, ledger.store.pipeline, Choice(), patches={}, fetch=fetch, now_us=NOON_US, by=OPERATOR
    )
    fetch.close()
    assert picked(answer["rows"], "offset", "outcome", "reason") == [(3, "held", "batch_not_unpacked")]
    assert "offsets 1 to 3" in answer["rows"][0]["detail"]
    ledger.store.execute("DELETE FROM prompt_record")
    missing = picked(
        [difference["key"] for difference in ledger.verify()["differences"] if "key" in difference], "offset"
    )
    assert {offset for (offset,) in missing if offset is not None} == {0, 4}


def test_a_record_can_be_fetched_again_by_its_place(ledger: Ledger) -> None:
    """Forwards, backwards, the same again; None past the end and for topics that Kafka does not have."""
    ledger.send(*(at(f"2026-11-22T11:00:0{n}Z") for n in range(5)))
    fetch = KafkaFetch(KafkaConfig(ledger.kafka.bootstrap_servers), ledger.settings.kafka_group_id)
    for offset in (0, 3, 3, 1, 4):
        record = fetch(ledger.topic, 0, offset)
        assert record is not None
        assert (record.offset, record.value) == (offset, value_of(at(f"2026-11-22T11:00:0{offset}Z")))
    assert fetch(ledger.topic, 0, 5) is None
    assert fetch(ledger.topic, 9, 0) is None
    assert fetch("some-file.jsonl", 0, 0) is None
    assert fetch.problem is None
    fetch.close()


def _raw(topic: str, payload: dict[str, Any]) -> RawRecord:
    return RawRecord(topic, 0, 0, value_of(payload))


@pytest.mark.parametrize("kind", ["CreateTime", "LogAppendTime"])
def test_resends_of_requests_without_a_time_agree_with_the_topic(
    store: Store, kafka: KafkaServer, topic_factory: TopicFactory, kind: str
) -> None:
    """Producers' timestamps over midnight, or the broker's own; in two partitions; one contradicts the first."""
    topic = topic_factory(partitions=PARTITIONS, name="verify", config={"message.timestamp.type": kind})
    environment = {"RICE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "RICE_EVENTS_TOPICS": topic}
    ledger = Ledger(store, kafka, topic, load_settings(environment=environment))
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    for number, moment_us in enumerate((MIDNIGHT_US - 1_000, MIDNIGHT_US, MIDNIGHT_US + 1_000)):
        for value in (reply("a"), reply("b", output_tokens=5 + number // 2)):
            producer.produce(topic, value, partition=number % PARTITIONS, timestamp=moment_us // 1000)
            assert producer.flush(30) == 0, "one by one: the broker gives each a time of its own"
    now_us = time.time_ns() // 1000
    with ledger.log() as log:
        for piece in log.read():
            store.pipeline.process([Chunk(topic, piece.range.partition, piece.records)], now_us)
    assert store.rows("SELECT event_id FROM prompt_record ORDER BY event_id") == [{"event_id": "a"}, {"event_id": "b"}]
    answer = ledger.verify()
    assert (answer["differences"], answer["differences_total"]) == ([], 0)
    counts = answer["against_topic"]
    assert (counts["events"], counts["distinct_events"], counts["conflicts"]) == (6, 2, 1)
    assert verify(store.engine)["ok"]
