"""What all tables share: one metadata, and the column types that differ between the databases."""

from sqlalchemy import BigInteger, Integer, LargeBinary, MetaData, Numeric, Uuid
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

EVENT_KEY: TypeEngine[bytes] = LargeBinary(16).with_variant(Uuid(as_uuid=False), "postgresql")
EXACT_SUM: TypeEngine[int] = BigInteger().with_variant(Numeric(38, 0), "postgresql")
"""A sum of many 64-bit integers, of which there are few: on PostgreSQL no number of events makes it overflow. (Totals have 64
bits on both: summing up NUMERIC is most of what a question about them would cost.)"""
AUTO_KEY = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows only where it is declared INTEGER
