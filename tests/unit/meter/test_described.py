"""Requests from texts or plain values: limits, spellings, and errors in the words of whoever described them."""

import math

import pytest

from rice_stream.errors import UsageError
from rice_stream.meter.described import Described, described
from rice_stream.meter.what_if import Change, change_of

TEXTS = {"model": " gpt-4o ", "input_tokens": "2000", "output_tokens": "3e2", "pue": "1.2", "precision": "bfloat16"}


def test_texts_and_plain_values_give_the_same_request() -> None:
    """A cell, an option and a field of a JSON body say the same; blank, absent and unknown names are left out."""
    values = {"model": "gpt-4o", "input_tokens": 2000, "output_tokens": 300, "pue": 1.2, "precision": "bf16"}
    expected = Described(2000, 300, model="gpt-4o", pue=1.2, precision="bf16")
    assert described({**TEXTS, "region": " ", "note": "x"}) == expected
    assert described({**values, "region": None, "note": 7}) == expected


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("input_tokens", "1.5", "'1.5' is not a whole number from 0 up to 2147483647"),
        ("input_tokens", -1, "-1 is not a whole number"),
        ("input_tokens", None, "is needed"),
        ("output_tokens", "", "is needed"),
        ("pue", "0.5", "'0.5' is not a number from 1 up to 3"),
        ("pue", math.nan, "nan is not a number"),
        ("pue", 10**400, "is not a number"),
        ("batch_size", True, "True is not a number from 1"),
        ("batch_size", [4], "is not a number"),
        ("devices", "many", "'many' is not a number above 0"),
        ("model", 4, "4 is not a text"),
        ("precision", "fp3", "'fp3' is not one of fp32"),
    ],
)
def test_an_error_names_the_field_by_its_label(field: str, value: object, message: str) -> None:
    """Whatever is wrong with a value, the message begins with the name that its writer knows, and says what is allowed."""
    with pytest.raises(UsageError, match=f"^<{field}>: .*{message}"):
        described({**TEXTS, field: value}, lambda name: f"<{name}>")


def test_a_request_needs_a_model_or_its_size() -> None:
    with pytest.raises(UsageError, match="params_total_b"):
        described({"input_tokens": 1, "output_tokens": 1})


def test_a_change_is_read_by_the_same_rules() -> None:
    """What is not given stays as it was; limits and labels are those of a described request."""
    change = change_of({"model": "gpt-4o-mini", "batch_size": "8", "tenant": "acme", "region": None})
    assert change == Change(model="gpt-4o-mini", batch_size=8.0)
    with pytest.raises(UsageError, match=r"^--pue: 9 is not a number from 1 up to 3"):
        change_of({"pue": 9}, lambda name: f"--{name}")
