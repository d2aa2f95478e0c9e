"""Is it right? Totals recounted from records, and records compared with the topic they came from."""
