"""What the reports guarantee, as classes: tests/unit runs them on SQLite, tests/integration on PostgreSQL."""
