"""Batch functions over Arrow tables, for months of logs: run here, by a pool of processes, or by Spark (docs/batch.md)."""
