"""The HTTP server (`rice-stream serve`): events for senders without Kafka."""
