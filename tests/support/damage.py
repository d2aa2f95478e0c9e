"""Damage to totals, as a bug, a half-known schema or somebody with SQL might do it."""

from random import Random

from sqlalchemy import text

from rice_stream.instants import SECOND_US
from rice_stream.quantities import MEASURES
from rice_stream.store.engine import Engine, writing
from rice_stream.store.horizon import records_from_us
from rice_stream.store.totals_tables import TotalsTable

DAMAGES = ("row deleted", "row added", "empty row added", "numbers changed", "number emptied", "table emptied")


def damage_totals(engine: Engine, table: TotalsTable, damage: str, random: Random) -> None:
    """Do one of DAMAGES to the table; nothing happens where it has no row that could be harmed.

    What lies before the retention horizon is left alone: nobody could put it right.
    """
    keys = ", ".join(table.key_columns)
    with writing(engine) as connection:
        kept = f"WHERE {table.start} >= {records_from_us(connection) // SECOND_US}"
        rows = connection.execute(text(f"SELECT {keys} FROM {table.name} {kept} ORDER BY {keys}")).mappings().all()
        if damage == "table emptied":
            connection.execute(text(f"DELETE FROM {table.name} {kept}"))
        if not rows:
            return
        row = dict(random.choice(rows))
        where = " AND ".join(f"{name} = :{name}" for name in table.key_columns)
        measure = random.choice(MEASURES)
        if damage == "row deleted":
            connection.execute(text(f"DELETE FROM {table.name} WHERE {where}"), row)
        elif damage == "numbers changed":
            sets = ", ".join(f"{name} = {name} + {random.choice([-2, -1, 1, 10**12])}" for name in MEASURES)
            connection.execute(text(f"UPDATE {table.name} SET {sets} WHERE {where}"), row)
        elif damage == "number emptied":
            connection.execute(text(f"UPDATE {table.name} SET {measure} = 0 WHERE {where}"), row)
        elif damage in ("row added", "empty row added"):
            # Another tenant, or another bucket of the same one: nothing was recorded there.
            name, step = random.choice([("tenant_key", 1_000), (table.start, table.bucket_s * 1_000)])
            numbers = ", ".join("0" if damage.startswith("empty") else str(random.randrange(9)) for _ in MEASURES)
            values = {**row, name: row[name] + step}
            while values in map(dict, rows):  # damaged in the same way before
                values[name] += step
            columns = ", ".join(table.columns)
            places = ", ".join(f":{key}" for key in table.key_columns)
            connection.execute(text(f"INSERT INTO {table.name} ({columns}) VALUES ({places}, {numbers})"), values)
