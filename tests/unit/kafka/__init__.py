"""Unit tests of `rice_stream.kafka`."""
