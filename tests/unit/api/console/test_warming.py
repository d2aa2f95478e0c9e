"""What first views would wait for is made ready beside a server that has started, and never keeps one from stopping."""

import logging
import threading

import pytest
from jinja2 import FileSystemLoader

from rice_stream.api.console.warming import warming
from rice_stream.errors import ServiceUnavailableError
from tests.support.api_running import Api

HTML = {"accept": "text/html"}


def test_no_page_has_to_be_compiled_for_its_first_view(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also not one that says why another cannot be shown; and the database is open, with nothing of it held."""
    [steps] = api.door.app.state.warming.args
    for step in steps:
        step()

    def read(*_: object) -> None:
        raise AssertionError("a template is read for a view")

    monkeypatch.setattr(FileSystemLoader, "get_source", read)
    for path, status in (("/", 200), ("/explore?tenant=acme", 200), ("/periods", 200), ("/models?colour=red", 422)):
        assert api.send("GET", path, role="reader", headers=HTML).status == status
    assert api.door.product.engine().pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_step_that_fails_leaves_out_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """The server is none the worse: its first view waits for them."""
    done: list[str] = []
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise ServiceUnavailableError("the database is away")

    with (
        caplog.at_level(logging.INFO),
        warming([lambda: done.append("before"), fail, lambda: done.append("after")], 0.0),
    ):
        assert failed.wait(10)
    assert done == ["before"]
    assert "the database is away" in caplog.text


def test_the_end_waits_for_one_step_alone() -> None:
    begun, may_end = threading.Event(), threading.Event()
    done: list[str] = []

    def first() -> None:
        begun.set()
        assert may_end.wait(10)
        done.append("first")

    def end() -> None:
        assert begun.wait(10)
        may_end.set()

    with warming([first, lambda: done.append("second")], 0.0):
        assert begun.wait(10)
        threading.Timer(0.05, end).start()
    assert done == ["first"]
    with warming([lambda: done.append("never")], 60.0):
        pass
    assert done == ["first"]
