"""Which models are ranked where none, some, or words to search with are given."""

import pytest

from rice_stream.errors import UsageError
from rice_stream.meter.ranking import SMALLEST_B, models_to_rank
from rice_stream.reference.loader import load_reference

REFERENCE = load_reference(None)


def test_given_models_are_ranked_as_they_are_named() -> None:
    """Also unknown ones, and small ones."""
    assert models_to_rank(REFERENCE, 0, models=("unheard-of", "gpt-4o")) == ["unheard-of", "gpt-4o"]


def test_without_models_the_table_is_ranked() -> None:
    """All that a service may be built on: no model below the smallest size, none that only benchmarks name."""
    names = set(models_to_rank(REFERENCE, 0))
    rows = {row["model_id"]: row for row in REFERENCE.search_models("", at_us=0)}
    assert len(names) > 100
    for name, row in rows.items():
        served = not row["benchmark_only"] and row["params_total_b"]["mid"] >= SMALLEST_B
        assert (name in names) == served


def test_words_find_models_of_the_table() -> None:
    """Only models that the table knows; words that match none are an error, not a guess."""
    assert "gpt-4o" in models_to_rank(REFERENCE, 0, search="gpt-4o")
    with pytest.raises(UsageError, match="no model of the table matches"):
        models_to_rank(REFERENCE, 0, search="unheard-of")


def test_models_and_words_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="not both"):
        models_to_rank(REFERENCE, 0, models=("gpt-4o",), search="gpt")
