"""The estimator of the settings with the factor sets of the database.

Apart from `opening_estimator.py`, because a command that asks no database must not load what speaks to one.
"""

from dataclasses import replace
from functools import partial

from rice_stream.errors import UsageError
from rice_stream.meter.estimator_at import Estimator
from rice_stream.reference.kept import content_of, reference_of
from rice_stream.reference.lookup import Reference
from rice_stream.reference.sets.history import ReferenceHistory, effective_sets
from rice_stream.runtime.opening_estimator import open_estimator
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine, reading
from rice_stream.store.factor_set_store import FollowedSets
from rice_stream.store.kept_tables import keep_tables, kept_content


def open_estimator_with_sets(settings: Settings, engine: Engine, method_name: str | None = None) -> Estimator:
    """Tables, policy and method of the settings, or the named method, with the sets that the database has now.

    StoreUnavailableError: the database, which must be one that sees everything, did not answer.
    """
    return open_estimator(settings, method_name).with_sets(FollowedSets(engine)(0))


def open_estimator_of_version(
    settings: Settings, engine: Engine, version: str, method_name: str | None = None
) -> Estimator:
    """The same with the tables of a version, as records and answers name it, at every instant: those of today, or those that were
    kept when records were estimated with them, with the sets that they had over them.

    Raises:
        UsageError: nothing is kept of this version, or it had sets over it that the database does not know.
        ReferenceDataError: this release cannot read what is kept.
    """
    estimator = open_estimator(settings, method_name)
    built_in = _built_in(estimator.reference, engine, version.partition("+")[0])
    sets = ReferenceHistory(built_in, effective_sets(FollowedSets(engine)(0))).sets_of(version)
    if sets is None:
        raise UsageError(f"--factors {version}: no factor sets of this database make this version; {_SEE}")
    return replace(estimator, reference=built_in).with_factors(sets)


def open_estimator_of_latest_sets(
    settings: Settings, engine: Engine, now_us: int, method_name: str | None = None
) -> Estimator:
    """The same with the tables of the settings and the sets that hold at an instant (epoch microseconds), at every instant."""
    estimator = open_estimator(settings, method_name)
    history = ReferenceHistory(estimator.reference, effective_sets(FollowedSets(engine)(0)))
    return estimator.with_factors(history.in_force(now_us))


_SEE = "see `rice-stream factors list` and `totals --json` (meta.versions)"


def _built_in(current: Reference, engine: Engine, version: str) -> Reference:
    if version == current.version:
        return current
    with reading(engine) as connection:
        content = kept_content(connection, version)
    if content is None:
        raise UsageError(f"--factors {version}: nothing is kept of this version; {_SEE}")
    return reference_of(content, version)


def keep_tables_of(engine: Engine, reference: Reference) -> None:
    """Keep the tables in the database, so that their version can be used again. StoreUnavailableError: it did not answer."""
    keep_tables(engine, reference.version, partial(content_of, reference))
