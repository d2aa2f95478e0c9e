"""Helpers of the tests: fakes, samples, readers of the documentation, and what drives real services."""
