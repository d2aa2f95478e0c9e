"""What the transport uses of aiokafka and Faust beyond their public interfaces: each name, and the tested versions.

`check` runs before the worker connects. Another version, or one where a name has gone or takes other parameters, ends the
start with the package, its version and what to install: without it, events could be lost silently. The functions below
are the only places that touch aiokafka's private state; the overrides of Faust's methods are in `faust_transport` and `app`.

Read at aiokafka 0.14.0 and faust-streaming 0.15.3. To allow a newer version: read what changed in these names, run
tests/simulation and tests/integration/worker with it, and move the bound here and in pyproject.toml.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from rice_stream.errors import UsageError

PARTITION_BYTES_MIN = 16_384
"""Less than this of a partition would make too many fetches."""
INIT = "set by __init__"
"""Instead of parameters: the name is an attribute that the constructor sets."""
MEMBER = "a member"
"""Instead of parameters: a property or an attribute of the class."""

Names = Mapping[str, str]


class Package(NamedTuple):
    """A package, the versions that were tested (`oldest <= version < below`), and by class the names that are used.

    A class is written `module:Class`, and so is a function; a name comes with its parameters, or with INIT or MEMBER.
    """

    name: str
    oldest: str
    below: str
    classes: Mapping[str, Names]

    @property
    def requirement(self) -> str:
        """As pip takes it."""
        return f"{self.name}>={self.oldest},<{self.below}"


AIOKAFKA = Package(
    "aiokafka",
    "0.14",
    "0.15",
    {
        "aiokafka.conn:AIOKafkaConnection": {"_create_reader_task": "self", "_protocol": INIT, "_reader": INIT},
        "aiokafka.conn:AIOKafkaProtocol": {},
        "aiokafka.conn:io": {},
        "aiokafka.consumer.consumer:AIOKafkaConsumer": {
            "_subscription": INIT,
            "_coordinator": INIT,
            "_fetch_max_wait_ms": INIT,
            "_isolation_level": INIT,
            "_fetch_max_bytes": INIT,
            "_fetcher": INIT,
        },
        "aiokafka.consumer.consumer:Fetcher": {},
        "aiokafka.consumer.fetcher:Fetcher": {
            "_fetch_max_wait_ms": INIT,
            "_max_partition_fetch_bytes": INIT,
            "_proc_fetch_request": "self assignment node_id request",
            "_records": INIT,
        },
        "aiokafka.consumer.fetcher:FetchResult": {
            "_partition_records": INIT,
            "_topic_partition": INIT,
            "_update_position": "self",
            "check_assignment": "self tp",
            "getall": "self max_records",
            "has_more": "self",
        },
        "aiokafka.consumer.fetcher:PartitionRecords": {
            "_consumer_record": "self tp record",
            "_records": INIT,
            "_tp": INIT,
            "_unpack_records": "self",
            "next_fetch_offset": INIT,
        },
        "aiokafka.consumer.fetcher:MemoryRecords": {},
        "aiokafka.record.default_records:_DefaultRecordBatchPy": {
            "_buffer": INIT,
            "_pos": INIT,
            "_read_msg": "self decode_varint",
            "next_offset": MEMBER,
        },
        "aiokafka.record.legacy_records:LegacyRecordBatch": {},
        "aiokafka.record._crecords.default_records:gzip_decode": {},
        "aiokafka.record._crecords.default_records:snappy_decode": {},
        "aiokafka.record._crecords.default_records:lz4_decode": {},
        "aiokafka.record._crecords.default_records:zstd_decode": {},
        "aiokafka.consumer.group_coordinator:GroupCoordinator": {"check_errors": "self"},
        "aiokafka.consumer.subscription_state:Subscription": {"assignment": MEMBER},
        "aiokafka.consumer.subscription_state:Assignment": {"tps": MEMBER, "state_value": "self tp"},
        "aiokafka.consumer.subscription_state:TopicPartitionState": {
            "has_valid_position": MEMBER,
            "highwater": INIT,
            "lso": INIT,
            "position": MEMBER,
        },
    },
)
FAUST = Package(
    "faust-streaming",
    "0.15.3",
    "0.16",
    {
        "faust.app.base:App": {"_create_directories": "self"},
        "faust.transport.drivers.aiokafka:Consumer": {
            "_acked": INIT,
            "_add_gap": "self tp offset_from offset_to",
            "_buffered_partitions": INIT,
            "_committed_offset": INIT,
            "_get_active_partitions": "self",
            "_getmany": "self active_partitions timeout",
            "_new_consumer_thread": "self",
            "_new_offset": "self tp",
            "_read_offset": INIT,
            "_thread": INIT,
            "_unacked_messages": INIT,
            "_wait_next_records": "self timeout",
            "ack": "self message",
            "can_resume_flow": INIT,
            "flow_active": MEMBER,
            "getmany": "self timeout",
            "on_partitions_assigned": "self assigned generation_id",
            "on_partitions_revoked": "self revoked",
            "perform_seek": "self",
            "verify_event_path": "self now tp",
        },
        "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread": {
            "_consumer": MEMBER,
            "_create_worker_consumer": "self transport",
            "_ensure_consumer": "self",
            "_fetch_records": "self consumer active_partitions timeout max_records",
            "call_thread": "self fun args kwargs",
        },
    },
)


def check(packages: tuple[Package, ...] = (AIOKAFKA, FAUST), version_of: Callable[[str], str] = version) -> None:
    """UsageError when a package has another version than was tested, or lacks a name that the transport uses."""
    for package in packages:
        try:
            installed = version_of(package.name)
        except PackageNotFoundError:
            installed = None
        problem = _problem(package, installed)
        if problem is not None:
            raise UsageError(
                f"{problem}; install what this version of rice-stream works with: pip install '{package.requirement}'"
            )


def _problem(package: Package, installed: str | None) -> str | None:
    if installed is None:
        return f"the package {package.name} is not installed"
    if not _numbers(package.oldest) <= _numbers(installed) < _numbers(package.below):
        return f"{package.name} {installed} is installed, which has not been tested with the worker"
    missing = next((name for path, names in package.classes.items() for name in _missing(path, names)), None)
    return (
        None if missing is None else f"{package.name} {installed} is installed, and has no {missing} as it is used here"
    )


def _numbers(text: str) -> tuple[int, ...]:
    """`0.15.3rc1` as (0, 15, 3): enough to tell the releases apart that a range names."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _missing(path: str, names: Names) -> Iterator[str]:
    module, _, name = path.partition(":")
    try:
        owner = getattr(import_module(module), name)
    except (ImportError, AttributeError):
        yield path
        return
    yield from (f"{path}.{name}" for name, kind in names.items() if not _is_there(owner, name, kind))


def _is_there(owner: type, name: str, kind: str) -> bool:
    if kind == INIT:
        constructors = (vars(base).get("__init__") for base in owner.__mro__)
        return any(name in code.co_names for made in constructors if (code := getattr(made, "__code__", None)))
    found = inspect.getattr_static(owner, name, None)
    if kind == MEMBER:
        return found is not None or any(name in vars(base).get("__annotations__", {}) for base in owner.__mro__)
    return callable(found) and list(inspect.signature(found).parameters) == kind.split()


# --- aiokafka's private state -----------------------------------------------------------------------------------------


def positions(consumer: Any) -> dict[Any, int]:
    """Where an AIOKafkaConsumer's reading stands, by partition; partitions without a position are left out."""
    assignment = consumer._subscription.subscription.assignment
    states = {tp: assignment.state_value(tp) for tp in (assignment.tps if assignment is not None else ())}
    return {tp: state.position for tp, state in states.items() if state.has_valid_position}


def check_coordination(consumer: Any) -> None:
    """Raise the KafkaError that ended the group's coordination, if one did."""
    consumer._coordinator.check_errors()


def read_committed(consumer: Any, *, fetch_max_wait_ms: int) -> None:
    """Before the consumer starts: leave out what a transaction has taken back, and let no fetch wait longer than that.

    Faust passes neither option on.
    """
    consumer._isolation_level = "read_committed"
    consumer._fetch_max_wait_ms = fetch_max_wait_ms


def bound_fetches(consumer: Any, *, bytes_max: int) -> None:
    """Before the consumer starts: one answer of a broker brings about so many bytes at most, of all partitions together."""
    consumer._fetch_max_bytes = bytes_max


def bound_partitions(consumer: Any, *, partition_bytes_max: int, bytes_max: int) -> None:
    """What aiokafka keeps of each partition until it is handed over: less, the more partitions there are.

    A broker gives at least one batch, however large, so this stops no partition.
    """
    assignment = consumer._subscription.subscription.assignment
    share = bytes_max // max(len(assignment.tps) if assignment is not None else 1, 1)
    consumer._fetcher._max_partition_fetch_bytes = min(partition_bytes_max, max(share, PARTITION_BYTES_MIN))
