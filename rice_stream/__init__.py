"""rice_stream: the meter and the ledger for the carbon of LLM use."""

__version__ = "1.0.0"
