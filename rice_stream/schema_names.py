"""Names and sizes that the pure core and the database share; the tables themselves are in `schema.py`."""

MINUTE_S = 60
SLOT_S = 900
"""Quarter hours: every time zone's offset is a multiple of 15 minutes, so slots add up to any local day or month."""

DAY_S = 86_400
"""Days of UTC: the coarsest bucket, for what spans weeks and months; the rest at both ends comes from the finer ones."""

MEASURES = (
    "prompts",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "it_energy_uwh",
    "facility_energy_uwh",
    "carbon_low_ugco2e",
    "carbon_mid_ugco2e",
    "carbon_high_ugco2e",
)
"""What every total counts, in the column order of every totals table."""

IMPACT_COLUMNS = ("embodied_ugco2e", "water_ul")
"""Kept with a record beside its carbon, null where the method does not give them."""
