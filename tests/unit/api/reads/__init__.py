"""Routes that answer."""
