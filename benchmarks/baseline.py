"""The obvious design, honestly made: one event at a time, pydantic, scikit-learn's predict, one ORM insert, one commit."""

import time
from datetime import UTC, datetime

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sqlalchemy import BigInteger, Float, String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.traffic import events
from rice_stream.events.canonical import CanonicalEvent
from rice_stream.sandbox.stack.stack import LocalStack


class _Base(DeclarativeBase):
    pass


class _Prompt(_Base):
    __tablename__ = "obvious_prompt"
    event_id: Mapped[str] = mapped_column(String, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String)
    ended_at_us: Mapped[int] = mapped_column(BigInteger)
    carbon_gco2e: Mapped[float] = mapped_column(Float)


class _Total(_Base):
    __tablename__ = "obvious_total"
    tenant_id: Mapped[str] = mapped_column(String, primary_key=True)
    carbon_gco2e: Mapped[float] = mapped_column(Float, default=0.0)


def obvious_design(servers: LocalStack, count: int) -> float:
    """Events/s, from bytes in memory (no Kafka at all: in its favour) to a committed row and total each."""
    forest = _forest()
    engine = create_engine(servers.database_url)
    _Base.metadata.create_all(engine)
    values = [value for _, value in events(count, seed=99, start=datetime.now(UTC))]
    start = time.perf_counter()
    for value in values:
        event = CanonicalEvent.model_validate_json(value, strict=False)
        prefill_s = float(forest.predict(np.array([[70.0, float(event.input_tokens or 0)]]))[0])
        carbon = (prefill_s + (event.output_tokens or 1) * 0.05) * 4 * 400 * 0.26 / 3_600 * 1.1 * 0.4
        with Session(engine) as session, session.begin():
            total = session.get(_Total, event.tenant_id) or _Total(tenant_id=event.tenant_id, carbon_gco2e=0.0)
            total.carbon_gco2e += carbon
            session.add(total)
            session.add(
                _Prompt(
                    event_id=event.event_id,
                    tenant_id=event.tenant_id,
                    ended_at_us=int(event.ended_at.timestamp() * 1e6),
                    carbon_gco2e=carbon,
                )
            )
    seconds = time.perf_counter() - start
    engine.dispose()
    return count / seconds


def _forest() -> RandomForestRegressor:
    """A forest of the paper's size on points of its shape: only its speed matters here."""
    draws = np.random.default_rng(0)
    points = draws.uniform((0.35, 1), (530, 1920), size=(405, 2))
    return RandomForestRegressor(n_estimators=100, random_state=0).fit(points, points[:, 0] * points[:, 1] * 1e-6)
