"""Closed months in Parquet files of a table of Iceberg: written, listed, and read where retention has dropped their records."""
