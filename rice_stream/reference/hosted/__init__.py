"""Hosted models: list prices, who serves them where and on what, and the evidence on closed models."""
