"""The estimator of the settings with the factor sets of the database.

Apart from `opening_estimator.py`, because a command that asks no database must not load what speaks to one.
"""

from rice_stream.meter.estimator_at import Estimator
from rice_stream.runtime.opening_estimator import open_estimator
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine
from rice_stream.store.factor_set_store import FollowedSets


def open_estimator_with_sets(settings: Settings, engine: Engine, method_name: str | None = None) -> Estimator:
    """Tables, policy and method of the settings, or the named method, with the sets that the database has now.

    StoreUnavailableError: the database, which must be one that sees everything, did not answer.
    """
    return open_estimator(settings, method_name).with_sets(FollowedSets(engine)(0))
