"""Plays the demo: traffic, what is told of it, an end in good order, and the judgement of what came of it."""

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

import click

from rice_stream.kafka.lag import LagProbe
from rice_stream.proof.verification import verify
from rice_stream.reports.figures import read_figures
from rice_stream.runtime.opening_kafka import kafka_config
from rice_stream.runtime.settings.settings import Settings
from rice_stream.sandbox.demo.background import Background
from rice_stream.sandbox.demo.display import Display, choose_display
from rice_stream.sandbox.demo.inbox import AlertInbox
from rice_stream.sandbox.demo.options import DemoOptions
from rice_stream.sandbox.demo.stage import Stage, open_stage
from rice_stream.sandbox.demo.summary import DemoOutcome, summary_lines
from rice_stream.sandbox.demo.traffic import TrafficSource
from rice_stream.sandbox.demo.view import View
from rice_stream.sandbox.demo.watch import Watch
from rice_stream.store.scope import EVERYTHING

FRAME_S = 0.25
DRAIN_DEADLINE_S = 60.0
ALERTS_DEADLINE_S = 20.0

_INTERRUPTED_EXIT_CODE = 130

T = TypeVar("T")


def run_demo(options: DemoOptions, settings: Settings) -> int:
    """Run the whole demo; return the exit code: 0 when everything that is promised held, 1 when something did not.

    Raises:
        ServiceUnavailableError: Kafka or the database could not be started, or has ended.
        RiceError: the worker could not be started, or has ended.
    """
    display = choose_display(plain=options.answer_only)
    with display, open_stage(options, settings, display.say) as stage, _Interrupts(display) as interrupts:
        outcome = _Play(stage, options, display, interrupts).run()
    for line in summary_lines(outcome):
        click.echo(line, err=options.answer_only)
    click.echo(json.dumps(outcome.document))
    return 1 if outcome.failures else 0


class _Interrupts:
    """Ctrl-C (or SIGTERM) asks for the end; the second one ends the process, and the guardian what it started."""

    def __init__(self, display: Display) -> None:
        self.asked = False
        self._display = display
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._interrupt)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            self._display.leave()
            os._exit(_INTERRUPTED_EXIT_CODE)
        self.asked = True


class _Play:
    """One performance on an open stage."""

    def __init__(self, stage: Stage, options: DemoOptions, display: Display, interrupts: _Interrupts) -> None:
        self._stage = stage
        self._options = options
        self._display = display
        self._interrupts = interrupts
        self._background = Background()
        self._source = TrafficSource(options, stage.info.broker, stage.info.topic)
        self._inbox = AlertInbox(stage.info.broker, stage.info.alerts_topic)
        self._watch = Watch(stage.engine, lambda: self._source.confirmed)
        self._worker_is_needed = True
        self._traffic_ended_at: datetime | None = None

    def run(self) -> DemoOutcome:
        """Play until the end of the traffic (or until asked to end), then end in good order."""
        with self._background:
            try:
                self._background.loop(self._inbox.run)
                self._background.loop(self._watch.run)
                traffic = self._background.work(self._source.run)
                self._show_until(lambda: traffic.done() or self._interrupts.asked, "live")
                self._source.finish()
                sent = self._result(traffic, "the last events are sent").events
                self._traffic_ended_at = datetime.now(UTC)
                return self._end(sent)
            finally:
                self._source.finish()

    def _end(self, sent: int) -> DemoOutcome:
        stage = self._stage
        lag = self._drain(sent)
        self._worker_is_needed = False
        exit_code = self._result(self._background.work(stage.worker.stop), "the worker stops")
        figures = read_figures(stage.engine, EVERYTHING, datetime.now(UTC))
        self._show_until(lambda: self._inbox.ids >= figures.alert_ids, "the last alerts arrive", ALERTS_DEADLINE_S)
        verification = self._result(self._background.work(lambda: verify(stage.engine)), "verifying every total")
        return DemoOutcome(
            sent=sent,
            figures=figures,
            alerts=self._inbox.alerts,
            lag=lag,
            worker_exit_code=exit_code,
            verification=verification,
            seconds=self._elapsed_s(),
            interrupted=self._interrupts.asked,
        )

    def _drain(self, sent: int) -> int:
        """Wait until everything sent is stored and acknowledged, or the deadline; return what is not acknowledged."""
        settings = self._stage.settings
        probe = LagProbe(kafka_config(settings), settings.kafka_group_id, settings.events_topics)
        lag = sent

        def drained() -> bool:
            nonlocal lag
            if self._watch.latest.figures.accounted.events < sent:
                return False
            lag = sum(probe.lag().values())
            return lag == 0

        try:
            self._show_until(drained, "the worker finishes", DRAIN_DEADLINE_S)
        finally:
            probe.close()
        return lag

    def _result(self, future: "Future[T]", phase: str) -> T:
        self._show_until(future.done, phase)
        return future.result()

    def _show_until(self, condition: Callable[[], bool], phase: str, deadline_s: float | None = None) -> None:
        """Tell of it until the condition holds, or until the deadline; raise what has failed meanwhile."""
        give_up_s = None if deadline_s is None else time.monotonic() + deadline_s
        while not condition() and (give_up_s is None or time.monotonic() < give_up_s):
            self._check()
            self._display.show(self._view(phase))
            time.sleep(FRAME_S)
        self._display.show(self._view(phase))

    def _check(self) -> None:
        # What runs first: when Kafka is gone, that everything else then fails is no news.
        self._stage.check(worker=self._worker_is_needed)
        self._background.check()

    def _elapsed_s(self) -> float:
        until = self._traffic_ended_at or datetime.now(UTC)
        return max((until - self._source.starts_at).total_seconds(), 0.0)

    def _view(self, phase: str) -> View:
        snapshot = self._watch.latest
        return View(
            stage=self._stage.info,
            phase=phase,
            elapsed_s=self._elapsed_s(),
            seconds=self._options.seconds,
            sent=self._source.confirmed,
            waiting=snapshot.waiting,
            figures=snapshot.figures,
            alerts=self._inbox.alerts,
            rates_per_s=snapshot.rates_per_s,
        )
