"""The columns of a record, by what they mean, are those of the table, the totals and the digests that are stored."""

from dataclasses import fields

from rice_stream.meter.amounts import Amounts
from rice_stream.quantities import AMOUNT_COLUMNS, IMPACT_COLUMNS, MARKET_COLUMN, MEASURES
from rice_stream.store import schema
from rice_stream.store.content import content_digest, content_text
from rice_stream.store.record_columns import (
    CONTENT_COLUMNS,
    INTEGER_COLUMNS,
    NULLABLE_COLUMNS,
    RECORD_COLUMNS,
    RECORDED_COLUMN,
    SOMETIMES_COLUMNS,
    TOKEN_COLUMNS,
)


def test_writers_send_every_column_of_the_table_in_its_order() -> None:
    """The order of the table is the one without padding; some of the last go with batches that have a value in them."""
    metered, market = SOMETIMES_COLUMNS
    assert tuple(schema.prompt_record.c.keys()) == (*RECORD_COLUMNS, metered, RECORDED_COLUMN, market)
    assert set(INTEGER_COLUMNS) == set(RECORD_COLUMNS) - {"event_key", "event_id"}


def test_null_is_allowed_where_a_column_says_so() -> None:
    """UNKNOWN is written as null there, and nowhere else."""
    nullable = [column.name for column in schema.prompt_record.columns if column.nullable]
    assert set(nullable) == {*NULLABLE_COLUMNS, *SOMETIMES_COLUMNS, RECORDED_COLUMN}


def test_amounts_have_the_columns_that_are_named_without_loading_them() -> None:
    assert tuple(field.name for field in fields(Amounts)) == AMOUNT_COLUMNS


def test_totals_count_prompts_tokens_and_amounts() -> None:
    """Every measure is a column of the record, or a number of records."""
    assert ("prompts", *TOKEN_COLUMNS, *AMOUNT_COLUMNS, "impact_prompts", *IMPACT_COLUMNS, MARKET_COLUMN) == MEASURES


def test_the_digest_of_an_event_stays_the_same_for_ever() -> None:
    """Digests are stored with conflicts: with another text, a conflict delivered again would be kept twice."""
    content: dict[str, int | None] = {name: number for number, name in enumerate(CONTENT_COLUMNS)}
    content["user_key"] = -1
    content["api_key_key"] = None
    text = content_text(content)
    assert text == (
        '{"ended_at_us": 0, "attribution_key": 1, "user_key": null, "api_key_key": null, "duration_us": 4,'
        ' "input_tokens": 5, "cache_read_input_tokens": 6, "cache_write_input_tokens": 7, "output_tokens": 8,'
        ' "reasoning_output_tokens": 9}'
    )
    assert content_digest(text).hex() == "b194532c92e72a45e23ca0cd330db423"
