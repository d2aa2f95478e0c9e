"""The wheel that is published."""
