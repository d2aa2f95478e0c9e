"""What the log, metrics and /readyz say of partitions that wait."""

import logging
from collections.abc import Iterable

from rice_stream.pipeline.chunks import Place
from rice_stream.store.batch import Batch
from rice_stream.worker.health import Telemetry
from rice_stream.worker.partition_guard import PartitionGuard, Pause

log = logging.getLogger(__name__)


class ShownPartitions:
    """Tells who waits, until it is better, or until the partition is another worker's."""

    def __init__(self, guard: PartitionGuard, telemetry: Telemetry) -> None:
        self._guard = guard
        self._metrics = telemetry.metrics
        self._heartbeat = telemetry.heartbeat

    def paused(self, pauses: list[Pause]) -> None:
        """These wait from now on."""
        for (topic, partition), seconds, sentence in pauses:
            log.error("%s It waits %.0f s; other partitions go on.", sentence, seconds)
            self._metrics.partition_pauses.labels(topic, str(partition)).inc()
            self._heartbeat.set_problem(f"partition {topic}/{partition}", sentence)

    def goes_on(self, batch: Batch | None) -> None:
        """A batch is stored: its partitions do not wait."""
        for part in batch.progress if batch is not None else ():
            if not self._guard.is_red((part.topic, part.partition)):
                self._heartbeat.set_problem(f"partition {part.topic}/{part.partition}", None)

    def gave_away(self, places: Iterable[Place]) -> None:
        """These partitions are other workers' now: what is wrong with them is theirs to tell."""
        for topic, partition in places:
            self._guard.forget((topic, partition))
            self._heartbeat.set_problem(f"partition {topic}/{partition}", None)
