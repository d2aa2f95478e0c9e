"""The half of a pipeline that stores what the other has prepared."""

from rice_stream.store.batch import Batch, CommitResult
from rice_stream.store.identity_rules import RulesChangedError
from rice_stream.store.writer import Writer


class Committing:
    """Stores batches. For one thread at a time."""

    def __init__(self, writer: Writer | None) -> None:
        """None: batches are prepared and not committed."""
        self._writer = writer
        self._rules_changed = False
        """Whether a batch was refused, as it was prepared by rules that hold no longer."""

    def commit(self, batch: Batch) -> CommitResult:
        """The one transaction. StoreUnavailableError: nothing is stored, the same batch may be given again.

        RulesChangedError: nothing is stored, its chunks have to be prepared again.
        """
        self.write(batch)
        [result] = self.commit_written()
        return result

    def may_share(self, batch: Batch) -> bool:
        """See `Writer.may_share`."""
        return self._writer is not None and self._writer.may_share(batch)

    def write(self, batch: Batch) -> Batch:
        """See `Writer.add`: `commit` in two steps, the first of which may be done with several batches."""
        writer = self._its_writer()
        writer.ensure_partitions(batch.records.columns["ended_at_us"])
        try:
            return writer.add(batch)
        except RulesChangedError:
            self._rules_changed = True
            raise

    def commit_written(self) -> list[CommitResult]:
        """See `Writer.commit_added`."""
        return self._its_writer().commit_added()

    def _its_writer(self) -> Writer:
        if self._writer is None:
            raise AssertionError("this pipeline was made to prepare batches only")
        return self._writer
