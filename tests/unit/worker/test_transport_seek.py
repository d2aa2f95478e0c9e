"""Going back to what the group has committed, where aiokafka would stay: at partitions without a committed offset."""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from faust.types import TP

from rice_stream.worker.consumer_thread import BEGINNING, ChunkConsumerThread
from rice_stream.worker.faust_transport import ChunkConsumer


class Client:
    """As much of AIOKafkaConsumer as is asked: partition 0 is committed up to 7, partition 1 up to 0, 2 not at all."""

    def __init__(self) -> None:
        self.flow_active = True
        self.sought: dict[int, int | str] = {}
        self.partitions = {TopicPartition("events", number) for number in range(3)}

    def assignment(self) -> set[TopicPartition]:
        return self.partitions

    async def committed(self, tp: TopicPartition) -> int | None:
        return {0: 7, 1: 0}.get(tp.partition)

    async def position(self, tp: TopicPartition) -> int:
        return 3

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.put = {tp.partition: offset for tp, offset in offsets.items()}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.sought[tp.partition] = offset

    async def seek_to_beginning(self, tp: TopicPartition) -> bool:
        assert isinstance(tp, TopicPartition), "aiokafka takes its own only"
        self.sought[tp.partition] = "beginning"
        return True


def go_back(client: Client, positions: dict[Any, int | None] | None = None) -> dict[Any, Any]:
    thread: Any = SimpleNamespace(consumer=client)
    return asyncio.run(ChunkConsumerThread._seek_back(thread, client, positions))


def test_every_partition_is_sought_also_where_nothing_is_committed() -> None:
    """What was fetched and dropped amid a rebalance lies behind the position: staying there would lose it."""
    client = Client()
    assert go_back(client) == {("events", 0): 7, ("events", 1): 0, ("events", 2): None}
    assert client.sought == {0: 7, 1: 0, 2: "beginning"}


def test_a_rebalance_in_between_leaves_out_what_was_not_sought() -> None:
    """The answer tells the consumer that it has to go back again."""
    client = Client()
    client.flow_active = False
    assert go_back(client) == {}
    assert client.sought == {}


def test_only_the_partitions_that_are_asked_for_are_sought_and_from_where_they_are_to_be_read() -> None:
    """A partition that was set aside goes back to its first record that is not stored; the others stay where they are."""
    client = Client()
    asked: dict[Any, int | None] = {TP("events", 0): 5, TP("events", 2): None, TP("taken away", 0): 3}
    assert go_back(client, asked) == {("events", 0): 5, ("events", 2): None}
    assert client.sought == {0: 5, 2: "beginning"}


def test_a_log_that_was_made_again_is_read_from_its_beginning_and_the_group_is_put_there() -> None:
    """Otherwise the worker that has the partition next would go on where the group stood in the log before."""
    client = Client()
    assert go_back(client, {TP("events", 0): BEGINNING}) == {("events", 0): None}
    assert client.sought == {0: "beginning"}
    assert client.put == {0: 3}


def test_fausts_look_for_stuck_partitions_asks_for_no_position() -> None:
    """Right after a rebalance there is none, and the worker would end with an AssertionError of aiokafka's."""
    without_thread: Any = SimpleNamespace()
    ChunkConsumer.verify_event_path(without_thread, 0.0, TP("events", 0))
