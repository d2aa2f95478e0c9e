"""Channels: where alerts are sent, which of them, when, and in what words. Pure."""
