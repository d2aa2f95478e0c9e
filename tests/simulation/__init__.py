"""Seeded simulation of Kafka, a consumer group and its workers, around the real consumer, batch loop and store.

`python -m tests.simulation --seed N` runs one schedule again and prints what happened in it.
"""
