"""HTTP: events for senders without Kafka. What comes in is understood at the door and goes to Kafka as canonical events."""
