"""What takes workers long by nature is short in tests: a constant of theirs is changed, or the clock that they go by moved on."""

from tests.support.places import ROOT
from tests.support.worker_harness import Deployment


def run_first(deployment: Deployment, code: str) -> None:
    """Every command of the deployment runs this from now on, before anything else."""
    (deployment.folder / "sitecustomize.py").write_text(code)
    deployment.environment["PYTHONPATH"] = f"{deployment.folder}:{ROOT}"


def set_constant(deployment: Deployment, module: str, name: str, value: object) -> None:
    """In every command of the deployment from now on. What the constant is for users is tested beside its module."""
    run_first(deployment, f"import {module}\nassert hasattr({module}, {name!r})\n{module}.{name} = {value!r}\n")


class DatabaseClock:
    """The clock of a deployment's PostgreSQL, by which its workers judge; they look at it twice a second here.

    For sessions that begin later: made before the workers are.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.move_on(0)
        with deployment.engine.begin() as connection:
            name = connection.dialect.identifier_preparer.quote(str(deployment.engine.url.database))
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET search_path = public, pg_catalog")
        set_constant(deployment, "rice_stream.worker.ledger_clock", "MEASURE_INTERVAL_S", 0.5)

    def move_on(self, seconds: int) -> None:
        """From now on it is so many seconds later than by the machine's clock."""
        with self._deployment.engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE OR REPLACE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE"
                f" AS $$SELECT pg_catalog.clock_timestamp() + interval '{seconds} s'$$"
            )
