"""Estimates, models and ranks over HTTP are those of the command line, to the last digit."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from rice_stream.cli import cli
from tests.support.asgi import Answer
from tests.unit.api.access.conftest import Database
from tests.unit.api.conftest import Door

REQUEST = {"model": "gpt-4o", "input_tokens": 500, "output_tokens": 250, "region": "azure:swedencentral"}


def told(*arguments: str) -> Any:
    """What the command line answers."""
    result = CliRunner().invoke(cli, [*arguments, "--json"], prog_name="rice-stream")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def reader(door: Callable[..., Door]) -> Callable[[str], Answer]:
    """Asks with a token that may read."""
    tokens = Database()
    secret, made = tokens.make("reader"), door(tokens=tokens)
    return lambda path: made.get(path, authorization=f"Bearer {secret}")


def test_one_request_is_estimated_as_on_the_command_line(door: Callable[..., Door]) -> None:
    """On loopback also without a token, as long as there is none."""
    arguments = ["--model=gpt-4o", "--input-tokens=500", "--output-tokens=250", "--region=azure:swedencentral"]
    assert door().post("/v1/estimate", REQUEST).document == told("estimate", *arguments)


def test_many_requests_are_answered_in_their_order(door: Callable[..., Door]) -> None:
    made = door()
    others = [{**REQUEST, "output_tokens": number} for number in (1, 250, 7)] + [{**REQUEST, "method": "rice-paper"}]
    rows = made.post("/v1/estimate", {"requests": others}).document["rows"]
    assert rows == [made.post("/v1/estimate", one).document for one in others]
    assert rows[-1]["versions"]["method"].startswith("rice-paper")


def test_ten_thousand_are_the_most(door: Callable[..., Door]) -> None:
    made = door(http_body_max_bytes=16_000_000)
    answer = made.post("/v1/estimate", {"requests": [REQUEST] * 10_000})
    assert (answer.status, len(answer.document["rows"])) == (200, 10_000)
    refused = made.post("/v1/estimate", {"requests": [REQUEST] * 10_001})
    assert (refused.status, refused.document["invalid_parameters"][0]["field"]) == (422, "requests")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({**REQUEST, "input_token": 1}, 422, "input_token"),
        ({**REQUEST, "input_tokens": "500"}, 422, "input_tokens"),
        ({**REQUEST, "input_tokens": -1}, 400, "input_tokens"),
        ({**REQUEST, "method": "astrology"}, 422, "method"),
        ({**REQUEST, "requests": [REQUEST]}, 400, "requests"),
        ({"requests": [REQUEST, {**REQUEST, "pue": 0.5}]}, 400, "requests[1].pue"),
        ({"requests": [{"input_tokens": 1, "output_tokens": 1}]}, 400, "requests[0].model"),
        ({"model": "gpt-4o"}, 400, "input_tokens"),
        ({"requests": []}, 422, "requests"),
        (b"{", 400, "JSON"),
        (b"[1]", 422, "body"),
    ],
)
def test_what_is_wrong_is_named(door: Callable[..., Door], body: object, status: int, field: str) -> None:
    answer = door().post("/v1/estimate", body)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert field in answer.document["detail"]


def test_models_and_regions_are_the_tables(door: Callable[..., Door]) -> None:
    ask = reader(door)
    assert ask("/v1/models?query=claude%20sonnet").document["rows"] == told("models", "claude", "sonnet")["models"]
    assert ask("/v1/regions?query=sweden").document["rows"] == told("regions", "sweden")["regions"]
    few = ask("/v1/models?limit=3").document
    assert (len(few["rows"]), few["rows_total"] > 3) == (3, True)


def test_a_models_card_is_the_command_lines(door: Callable[..., Door]) -> None:
    ask = reader(door)
    card = ask("/v1/models/gpt-4o?provider=azure").document
    del card["meta"]
    said = told("models", "gpt-4o", "--provider", "azure")
    assert card == {name: said[name] for name in card}
    assert ask("/v1/models/no-such-model-anywhere").status == 404


def test_ranks_are_the_command_lines(door: Callable[..., Door]) -> None:
    """With several models, each a parameter of its own."""
    models = ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4"]
    path = "/v1/rank?input_tokens=2000&region=SE&" + "&".join(f"model={name}" for name in models)
    arguments = ["--input-tokens=2000", "--region=SE", *(f"--model={name}" for name in models)]
    assert reader(door)(path).document == told("rank", *arguments)
    assert reader(door)("/v1/rank?model=gpt-4o&batch_size=many").status == 422
