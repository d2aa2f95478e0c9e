"""Kafka clients: configured, opened and read in one place. Faust's own consumer is `worker.faust_transport`."""
