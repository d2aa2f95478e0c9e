"""Databases in memory that one transaction of SQLite reads from: attached when it needs them, let go of after it.

Each has a name of its own, as SQLite takes no other image in the place of one that a transaction reads. Loads no numpy: whoever
opens a database loads this.
"""

import sqlite3
from typing import Any

from sqlalchemy import Connection

_READS_IMAGES = hasattr(sqlite3.Connection, "deserialize")
"""Whether the SQLite library here was built to read databases from memory; since 2021 it is, unless somebody chose otherwise."""
_ATTACHED = "rice_attached_images"
"""In what is known of a connection: the names of the images."""


def has_room_for_image(connection: Connection) -> bool:
    """Whether one more can be attached in this transaction: there are ten at most, unless SQLite was built otherwise."""
    driver: Any = connection.connection.driver_connection
    attached = len(connection.info.get(_ATTACHED, ()))
    return _READS_IMAGES and attached < int(driver.getlimit(sqlite3.SQLITE_LIMIT_ATTACHED))


def attach_image(connection: Connection, image: memoryview) -> str:
    """The name of the database that the image has become, until the connection goes back to its pool."""
    names: list[str] = connection.info.setdefault(_ATTACHED, [])
    name = f"image{len(names)}"
    connection.exec_driver_sql(f"ATTACH DATABASE ':memory:' AS {name}")
    names.append(name)
    driver: Any = connection.connection.driver_connection
    driver.deserialize(image, name=name)
    return name


def detach_images(driver: Any, record: Any) -> None:
    """When a connection goes back to its pool: within a transaction SQLite lets go of none."""
    names = record.info.pop(_ATTACHED, ())
    if driver is not None:
        for name in names:
            driver.execute(f"DETACH DATABASE {name}")
