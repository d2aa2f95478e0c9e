"""Putting the pipeline of the settings together, with the writer that it commits through."""

from functools import partial

from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.meter.live_intensity import LiveLookup, no_live_feed
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.runtime.intensity_scopes import check_recorded_scope
from rice_stream.runtime.opening_estimator import open_estimator, token_defaults
from rice_stream.runtime.opening_factors import keep_tables_of
from rice_stream.runtime.opening_rules import Proposes, open_rules
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import Engine
from rice_stream.store.writer import Writer
from rice_stream.store.writers import open_writer


def open_pipeline(
    settings: Settings,
    engine: Engine,
    live: LiveLookup = no_live_feed,
    formats: FormatOptions | None = None,
    proposes: Proposes = "always",
) -> tuple[Pipeline, Writer]:
    """The pipeline of the settings (`formats` in the place of theirs), writing to `engine`; close the writer in the end.

    What the settings say of who is charged may become a version of its own, as `proposes` says. UsageError: a setting cannot be
    used, or what is recorded was estimated by another scope of intensities.
    """
    check_recorded_scope(settings, engine)
    writer = open_writer(engine)
    dimensions = Dimensions(engine)
    estimator = open_estimator(settings)
    pipeline = Pipeline(
        dimensions=dimensions,
        writer=writer,
        defaults=token_defaults(settings),
        estimator=estimator,
        live=live,
        rules=open_rules(settings, engine, formats, proposes),
        trust=settings.trust_policy(),
        now_us=dimensions.now_us,
        keep_tables=partial(keep_tables_of, engine, estimator.reference),
    )
    return pipeline, writer
