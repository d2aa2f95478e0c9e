"""Where keys lie among others."""

from hypothesis import given
from hypothesis import strategies as st

from rice_stream.store.key_places import KEY_BYTES, keys_of, places_of

HALVES = st.sampled_from([bytes(8), bytes(7) + b"\x01", b"\x80" + bytes(7), b"\xff" * 8])
KEYS = st.builds(bytes.__add__, HALVES, HALVES)
"""Few, so that many share a half."""


@given(st.sets(KEYS), st.lists(KEYS))
def test_each_key_is_found_where_it_is_and_no_other(ordered: set[bytes], wanted: list[bytes]) -> None:
    """As a look-up in a dictionary finds them, whatever halves they share."""
    among = sorted(ordered)
    place_of = {key: place for place, key in enumerate(among)}
    found = places_of(keys_of(b"".join(among)), keys_of(b"".join(wanted))).tolist()
    assert found == [place_of.get(key, -1) for key in wanted]
    assert keys_of(b"".join(among)).shape == (len(among), KEY_BYTES)
