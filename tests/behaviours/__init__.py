"""Shared suites: what must hold on every database, as classes that unit and integration tests run."""
