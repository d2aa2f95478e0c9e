"""What the demo's screen is kept up to date with."""

from pathlib import Path

from rice_stream.reports.figures import NOTHING
from rice_stream.sandbox.demo.watch import RATES_MAX, Watch
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from rice_stream.store.writers import open_writer
from tests.support.fakes import NOON_US, chunk_of, event, fake_pipeline


def test_the_watch_tells_what_is_not_stored_yet(tmp_path: Path) -> None:
    """Events confirmed before the store was read and not in it are the lag; repeats and refusals are no lag."""
    engine = open_engine(f"sqlite:///{tmp_path / 'rice.db'}")
    migrate(engine)
    watch = Watch(engine, sent=lambda: 5)
    assert watch.latest.figures == NOTHING
    writer = open_writer(engine)
    events = [event(), event(), event(event_id="e-2", output_tokens=-1)]
    fake_pipeline(writer, engine).process([chunk_of(events)], NOON_US)
    writer.close()
    assert watch.refresh().waiting == 2
    assert watch.latest.figures.totals.prompts == 1
    assert len(watch.latest.rates_per_s) <= RATES_MAX
    engine.dispose()
