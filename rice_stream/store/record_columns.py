"""The columns of `prompt_record` by what they mean: how writers send them, what an event said, what was estimated."""

from rice_stream.quantities import AMOUNT_COLUMNS, IMPACT_COLUMNS, MARKET_COLUMN

KEY_COLUMNS = ("tenant_key", "attribution_key", "factor_key", "basis_flags")
"""Small integers that are never null."""

TOKEN_COLUMNS = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)
"""Token counts, null where an event has none."""

NUMBER_COLUMNS = ("ended_at_us", "duration_us", *TOKEN_COLUMNS)
"""Everything that an event says in numbers, taken over as it is."""

NULLABLE_COLUMNS = ("user_key", "api_key_key", "duration_us", *TOKEN_COLUMNS, *IMPACT_COLUMNS)
"""Columns in which UNKNOWN (-1) stands for null."""

INTEGER_COLUMNS = (*KEY_COLUMNS, "ended_at_us", *AMOUNT_COLUMNS, *NULLABLE_COLUMNS)
"""All columns but the key and the id of the event."""

RECORD_COLUMNS = (*KEY_COLUMNS, "event_key", "ended_at_us", *AMOUNT_COLUMNS, *NULLABLE_COLUMNS, "event_id")
"""The columns that are written for each prompt, in the order in which every writer sends them."""

METERED_COLUMN = "metered_energy_uj"
"""What was metered of a prompt, in microjoules, where its energy rests on that; else null. Nearly no batch has any: it is
sent, after RECORD_COLUMNS, with those that do, and is then a nullable column like the others."""

SOMETIMES_COLUMNS = (METERED_COLUMN, MARKET_COLUMN)
"""Nullable columns that are sent with those batches alone that have a value in them."""

RECORDED_COLUMN = "recorded_us"
"""When a record was written, by the database's clock: sent after the others, and null in those of versions that did not."""

CONTENT_COLUMNS = (
    "ended_at_us",
    "attribution_key",
    "user_key",
    "api_key_key",
    "duration_us",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)
"""What the event itself said (not what was estimated from it): the same key with other content is a conflict.

Spelled out, because a column that is added to a record is not thereby something that an event says. The order is that of
the digests that are stored with conflicts. `factor_key` is left out: the same event estimated after a change of tables or
settings is still the same event.
"""
