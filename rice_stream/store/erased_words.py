"""Finding names within texts, and writing stand-ins in their place."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from sqlalchemy import Column, ColumnElement, or_

SHORTEST_WITHIN = 3
"""A shorter name is a part of many words: it is taken out only where it is all of a text, or of a value in JSON."""
_BEGINS = r"(?:(?<!\w)|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4}))"
"""Where a word begins, also behind what JSON writes for a line's end or a letter."""


class ErasedWords:
    """Names to take out of texts, with what is written in their place; as they are, and as JSON and addresses write them."""

    def __init__(self, stand_ins: Mapping[str, str]) -> None:
        """Name -> stand-in, which is written alike everywhere; at least one name, none of them empty."""
        self._stand_ins = dict(stand_ins)
        self._written = {form: stand_in for name, stand_in in stand_ins.items() for form in _forms(name)}
        ordered = sorted(self._written, key=len, reverse=True)
        within = [re.escape(form) for form in ordered if len(form) >= SHORTEST_WITHIN]
        alone = "|".join(map(re.escape, ordered))
        patterns = [rf"^(?:{alone})$", rf'(?<=")(?:{alone})(?=")']
        if within:
            patterns.append(rf"{_BEGINS}(?:{'|'.join(within)})(?!\w)")
        self._within = re.compile("|".join(patterns))
        self._author = re.compile(rf"((?:session|command line) |token \d+ \()?({alone})(\)?)")

    def and_of(self, more: Mapping[str, str]) -> "ErasedWords":
        """These names, and more of them."""
        return ErasedWords({**self._stand_ins, **more})

    def likely_in(self, *columns: Column[Any]) -> ColumnElement[bool]:
        """A condition that holds of every row with one of the names, and of a few others."""
        return or_(*(column.contains(form, autoescape=True) for column in columns for form in self._written))

    def are_in(self, text: str) -> bool:
        """Whether one of them is in a text."""
        return self._within.search(text) is not None

    def are_said_in(self, text: str) -> bool:
        """Whether a text that somebody writes now says one of them as a word, however short."""
        said = "|".join(re.escape(form) for form in self._written)
        return self.are_in(text) or re.search(rf"(?<!\w)(?:{said})(?!\w)", text) is not None

    def taken_out(self, text: str) -> str:
        """The text with stand-ins."""
        return self._within.sub(lambda found: self._written[found.group()], text)

    def taken_out_of_author(self, text: str) -> str:
        """Who did something, as it is kept of them (`session NAME`, `token 3 (NAME)`): only where that is one of the names."""
        found = self._author.fullmatch(text)
        return text if found is None else f"{found[1] or ''}{self._written[found[2]]}{found[3]}"


def _forms(name: str) -> set[str]:
    plain, ascii_only = (json.dumps(name, ensure_ascii=ascii_too)[1:-1] for ascii_too in (False, True))
    return {name, plain, ascii_only, quote(name, safe=""), quote_plus(name)}
