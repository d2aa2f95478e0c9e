"""Files of events instead of Kafka: read record by record in any form they are kept in, and taken up again where cut short."""

from rice_stream.files.ingesting import FileCounts, ingest_file
from rice_stream.files.reading import EventFile, open_file

__all__ = ["EventFile", "FileCounts", "ingest_file", "open_file"]
