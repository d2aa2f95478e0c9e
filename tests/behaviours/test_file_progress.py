"""How far files are, on every database: the latest word stands, also where two runs of one file meet."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine

from rice_stream.store.file_progress import FileProgress, FileProgressStore

TOPIC, PARTITION = "file:events.jsonl", 7


def progress(records: int) -> FileProgress:
    return FileProgress(records, records.to_bytes(16, "big"), records + 1, records + 2, records + 3)


class TestFileProgress:
    """On every database."""

    def test_the_latest_word_stands_until_the_file_is_done(self, engine: Engine) -> None:
        """All of it is replaced, and files do not meet."""
        store = FileProgressStore(engine)
        store.save(TOPIC, PARTITION + 1, progress(9))
        for records in (1, 2, 1):
            store.save(TOPIC, PARTITION, progress(records))
            assert store.load(TOPIC, PARTITION) == progress(records)
        store.forget(TOPIC, PARTITION)
        assert store.load(TOPIC, PARTITION) is None
        assert store.load(TOPIC, PARTITION + 1) == progress(9)
        store.forget(TOPIC, PARTITION + 1)

    def test_two_runs_of_one_file_at_a_time_do_not_collide(self, engine: Engine) -> None:
        """Both note their places again and again, and finish; neither ends in an error of the database."""
        stores = [FileProgressStore(engine) for _ in range(4)]

        def run(number: int, store: FileProgressStore) -> None:
            for batch in range(20):
                store.save(TOPIC, PARTITION, progress(batch))
            if number % 2:
                store.forget(TOPIC, PARTITION)

        with ThreadPoolExecutor(len(stores)) as pool:
            list(pool.map(lambda arguments: run(*arguments), enumerate(stores)))
        stores[0].forget(TOPIC, PARTITION)
        assert stores[0].load(TOPIC, PARTITION) is None
