"""Events over HTTP: bodies are understood at the door and go to Kafka as canonical events."""
