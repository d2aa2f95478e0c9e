"""rice_stream: the meter and the ledger for the carbon of LLM use."""

__version__ = "0.1.0"
