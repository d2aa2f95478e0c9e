"""What production never imports: a throw-away Kafka and PostgreSQL, synthetic and recorded traffic, and the demo."""
