"""The environment of pages' templates: Jinja's, which finds fields of rows sooner."""

from typing import Any

from jinja2 import Environment

_OF_EVERY_DICT = frozenset(dir(dict))


class PageTemplates(Environment):
    """As Jinja's.

    What templates name are nearly always fields of rows, which are dicts: to look for an attribute of that name first takes
    four times as long, a third of all the time that a page takes to be drawn.
    """

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute` in a template: of a dict its methods first, as ever, then its fields."""
        if type(obj) is dict and attribute in obj and attribute not in _OF_EVERY_DICT:
            return obj[attribute]
        return super().getattr(obj, attribute)
