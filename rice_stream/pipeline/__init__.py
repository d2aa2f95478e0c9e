"""Chunks of raw records to one committed transaction. Knows no Kafka: worker, files and tests all come through here."""
