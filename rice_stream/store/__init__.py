"""The SQL store: every table, and every statement that writes."""
