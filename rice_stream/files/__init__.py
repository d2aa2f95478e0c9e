"""Files of events instead of Kafka: read record by record in any form they are kept in, and resumed where a run stopped."""
