"""Tables as bytes: what comes back is what was kept, or it is said that it is not."""

import json
import zlib
from dataclasses import replace

import pytest

from rice_stream.errors import ReferenceDataError
from rice_stream.reference.kept import content_of, is_of_version, reference_of
from rice_stream.reference.loader import RULES_VERSION, version_of
from rice_stream.reference.tables import TABLES
from tests.support.kept_content import KEPT, SHIPPED, changed


class TestKeptTables:
    """The shipped tables."""

    def test_what_comes_back_has_the_same_cells_of_the_same_kinds(self) -> None:
        """The version is over the text of every cell, in which 1 and 1.0 differ."""
        again = reference_of(KEPT, SHIPPED.version)
        assert version_of(again.tables) == again.version == SHIPPED.version
        assert again.boundaries_us == SHIPPED.boundaries_us
        assert content_of(again) == KEPT

    def test_look_ups_in_them_answer_as_before(self) -> None:
        again = reference_of(KEPT, SHIPPED.version)
        for provider, model in (("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4"), (None, "nobody-knows-it")):
            before, after = (one.resolve_model(provider, model, None, 0) for one in (SHIPPED, again))
            assert after == before

    def test_they_take_little_room(self) -> None:
        """One version in a database that holds gigabytes of records."""
        assert len(KEPT) < 150_000

    def test_a_cell_that_was_changed_is_found(self) -> None:
        region = SHIPPED.tables["rci"][0]
        text = json.dumps(region.cells["rci_gco2e_per_kwh"])
        damaged = changed(KEPT, f'"rci_gco2e_per_kwh":{text}', f'"rci_gco2e_per_kwh":{float(text) + 1}')
        with pytest.raises(ReferenceDataError, match=r"is factors-[0-9a-f]{12} to this release"):
            reference_of(damaged, SHIPPED.version)

    @pytest.mark.parametrize("damaged", [KEPT[:-9], KEPT[:200], b"", b"no zlib", zlib.compress(b"no JSON")])
    def test_bytes_that_are_damaged_are_said_to_be(self, damaged: bytes) -> None:
        with pytest.raises(ReferenceDataError, match=r"damaged|cut short"):
            reference_of(damaged, SHIPPED.version)

    def test_tables_of_another_release_are_said_to_be(self) -> None:
        """A column that this release knows was not there."""
        text = zlib.decompress(KEPT).decode().replace('"vendor":', '"maker":')
        with pytest.raises(ReferenceDataError, match="another release kept them"):
            reference_of(zlib.compress(text.encode()), SHIPPED.version)


class TestOfVersion:
    """Whether kept tables are those of their version, which an earlier release may have made."""

    def test_what_was_changed_is_not(self) -> None:
        assert is_of_version(KEPT, SHIPPED.version)
        assert not is_of_version(KEPT, "factors-000000000000")
        assert not is_of_version(changed(KEPT, '"rci_gco2e_per_kwh":', '"rci_gco2e_per_kwh":1'), SHIPPED.version)

    @pytest.mark.parametrize("content", [KEPT[:-9], b"", zlib.compress(b"[]"), zlib.compress(b'{"rci":[[1]]}')])
    def test_what_is_no_tables_is_not(self, content: bytes) -> None:
        assert not is_of_version(content, SHIPPED.version)

    def test_an_earlier_release_with_fewer_columns_and_other_rules_called_them_otherwise(self) -> None:
        """Its version is known again, though this release gives the tables another one."""
        shapes = [replace(table, columns=table.columns[:-1]) for table in TABLES if table.name != "prices"]
        found = json.loads(zlib.decompress(KEPT))
        found.pop("prices")
        last = {table.name: table.columns[-1].name for table in TABLES}
        for name, rows in found.items():
            for _, _, _, cells in rows:
                cells.pop(last[name], None)
        version = version_of(SHIPPED.tables, shapes, RULES_VERSION - 1)
        content = zlib.compress(json.dumps(found).encode())
        assert is_of_version(content, version)
        assert not is_of_version(content, SHIPPED.version)
