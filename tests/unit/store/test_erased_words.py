"""Names are taken out of texts as people, JSON and addresses write them, and nothing else is."""

import json
from urllib.parse import quote

import pytest

from rice_stream.store.erased_names import StandIns
from rice_stream.store.erased_words import ErasedWords

STAND_IN = "erased-1"


@pytest.mark.parametrize("name", ["u-17", "zoë quill", 'o"brien\\', "käthe@example.com", "a\tb\nc", "100%_x"])
def test_a_name_is_taken_out_in_every_form(name: str) -> None:
    """Of JSON the rest stays what it was."""
    words = ErasedWords({name: STAND_IN})
    for document in ({"user": name}, ["by", f"\n{name} and {name}, too"], {name: 1}):
        for ascii_too in (True, False):
            written = json.dumps(document, ensure_ascii=ascii_too)
            assert words.are_in(written)
            assert json.loads(words.taken_out(written)) == json.loads(
                json.dumps(document).replace(json.dumps(name)[1:-1], STAND_IN)
            )
    assert words.taken_out(f"https://x/?user={quote(name, safe='')}&by=day") == f"https://x/?user={STAND_IN}&by=day"


def test_only_whole_words_are_taken_out() -> None:
    """Of a short name only what is nothing else."""
    words = ErasedWords({"ann": STAND_IN})
    for text in ("annual", "joann", "ann_1", "Ann", ""):
        assert words.taken_out(text) == text
        assert not words.are_in(text)
    assert words.taken_out("ann's, (ann) ann-2") == f"{STAND_IN}'s, ({STAND_IN}) {STAND_IN}-2"
    short = ErasedWords({"al": STAND_IN})
    assert short.taken_out('{"user":"al","why":"al fine, et al"}') == '{"user":"erased-1","why":"al fine, et al"}'
    assert short.taken_out("al") == STAND_IN
    assert short.are_said_in("asked for by al, today")
    assert not short.are_said_in("all of it")


def test_an_author_is_taken_out_where_it_is_nobody_else() -> None:
    words = ErasedWords({"ann": STAND_IN})
    for said in ("ann", "session ann", "token 3 (ann)", "command line ann"):
        assert words.taken_out_of_author(said) == said.replace("ann", STAND_IN)
    for said in ("annual", "ann smith", "token 3 (ann 2)", "worker ann's"):
        assert words.taken_out_of_author(said) == said


def test_a_stand_in_is_the_same_for_the_same_name_and_differs_otherwise() -> None:
    """Also of names that differ by where one part ends; a stand-in stands for itself."""
    names = StandIns(None, b"k" * 32)  # type: ignore[arg-type]
    asked = [("user", "a", 1), ("user", "a", 2), ("api_key", "a", 1), ("user", "b", 1), ("use", "r\0001\0a", 1)]
    made = [names.of(*each) for each in asked]
    assert len(set(made)) == len(asked)
    assert [names.of(*each) for each in asked] == made
    assert names.of("user", made[0], 1) == made[0]
    assert StandIns(None, b"x" * 32).of(*asked[0]) != made[0]  # type: ignore[arg-type]
