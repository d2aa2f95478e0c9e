"""What LiteLLM writes: standard logging payloads, finished batches, rows of its spend logs."""
