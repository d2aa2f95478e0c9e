"""The table of Iceberg whose data files are those of the archive. Its catalogue is in the ledger's database, beside our own tables.

Files are written by us and added as they are; a snapshot for each month that is added says whose it is and what its root is.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import And, EqualTo
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    BooleanType,
    FixedType,
    IntegerType,
    LongType,
    NestedField,
    PrimitiveType,
    StringType,
    TimestamptzType,
)
from sqlalchemy import make_url, text

from rice_stream.store.archive.columns import MONTH, SCHEMA, TENANT
from rice_stream.store.archive.kept import CATALOGUE_SCHEMA
from rice_stream.store.engine import Engine, writing

NAMESPACE, NAME = "rice", "prompt_record"
_TENANT_KEY, _MONTH, _FILES = "rice.tenant_key", "rice.month", "rice.files"
_FIRST_PARTITION_ID = 1000


class ArchiveTable:
    """The table, made where there is none."""

    def __init__(self, engine: Engine, warehouse: Path) -> None:
        """In a folder, which is there."""
        self.table = _table(_catalogue(engine, warehouse), warehouse)

    @property
    def uri(self) -> str:
        """Where its data and metadata are."""
        return self.table.location()

    def added(self, tenant_key: int, month: str) -> tuple[set[str], int]:
        """The names of the files of a month that are in it, and the snapshot that added the last ones (0: there are none)."""
        self.table.refresh()
        names: set[str] = set()
        latest = 0
        for snapshot in self.table.snapshots():
            told = {} if snapshot.summary is None else snapshot.summary.additional_properties
            if told.get(_TENANT_KEY) != str(tenant_key) or told.get(_MONTH, month) != month:
                continue
            if _FILES in told:
                names |= set(told[_FILES].split(","))
                latest = snapshot.snapshot_id
            else:
                names, latest = set(), 0
        return names, latest

    def add(self, tenant_key: int, month: str, paths: Sequence[Path], told: Mapping[str, str]) -> int:
        """Add files that are written, each once: the snapshot that has the last ones. `told`: what its properties say besides."""
        there, latest = self.added(tenant_key, month)
        missing = [path for path in paths if path.name not in there]
        if not missing:
            return latest
        whose = {_TENANT_KEY: str(tenant_key), _MONTH: month, _FILES: ",".join(path.name for path in missing)}
        self.table.add_files([path.as_uri() for path in missing], snapshot_properties={**told, **whose})
        return self.added(tenant_key, month)[1]

    def remove(self, tenant_key: int, month: str | None = None) -> None:
        """Take the records of a tenant, or of one of its months, out of the table; the files stay where they are."""
        equal: Any = EqualTo  # its arguments are not as pydantic's plugin for mypy thinks
        whose = equal(TENANT, tenant_key)
        told = {_TENANT_KEY: str(tenant_key), **({} if month is None else {_MONTH: month})}
        self.table.refresh()
        self.table.delete(whose if month is None else And(whose, equal(MONTH, month)), snapshot_properties=told)


def _catalogue(engine: Engine, warehouse: Path) -> SqlCatalog:
    url = engine.url
    if engine.dialect.name == "postgresql":
        with writing(engine) as connection:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {CATALOGUE_SCHEMA}"))
        options = " ".join(filter(None, [str(url.query.get("options", "")), f"-csearch_path={CATALOGUE_SCHEMA}"]))
        url = make_url(url).update_query_dict({"options": options})
    return SqlCatalog(NAMESPACE, uri=url.render_as_string(hide_password=False), warehouse=warehouse.as_uri())


def _table(catalogue: SqlCatalog, warehouse: Path) -> Table:
    which = NAMESPACE, NAME
    catalogue.create_namespace_if_not_exists(NAMESPACE)
    return catalogue.create_table_if_not_exists(
        which,
        _SCHEMA,
        location=f"{warehouse.as_uri()}/{NAMESPACE}/{NAME}",
        partition_spec=PartitionSpec(*(_partitioned(place, name) for place, name in enumerate((TENANT, MONTH)))),
        # Within a file; events of one millisecond come in the order of their keys.
        sort_order=SortOrder(*(SortField(_id_of(name), IdentityTransform()) for name in (TENANT, "ended_at"))),
    )


def _partitioned(place: int, name: str) -> PartitionField:
    return PartitionField(_id_of(name), _FIRST_PARTITION_ID + place, IdentityTransform(), name)


def _id_of(name: str) -> int:
    return _SCHEMA.find_field(name).field_id


def _type(kind: Any) -> PrimitiveType:
    if pa.types.is_timestamp(kind):
        return TimestamptzType()
    if pa.types.is_fixed_size_binary(kind):
        return FixedType(kind.byte_width)
    types: dict[Any, PrimitiveType] = {
        pa.string(): StringType(),
        pa.bool_(): BooleanType(),
        pa.int32(): IntegerType(),
        pa.int64(): LongType(),
    }
    return types[kind]


_SCHEMA = Schema(
    *(
        NestedField(number, field.name, _type(field.type), required=not field.nullable)
        for number, field in enumerate(SCHEMA, start=1)
    )
)
