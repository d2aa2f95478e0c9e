"""Unit tests of `rice_stream.spark`."""
