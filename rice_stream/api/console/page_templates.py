"""The environment of pages' templates: Jinja's, which finds fields of rows sooner, and escapes what it writes sooner."""

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, Template
from jinja2.compiler import CodeGenerator
from markupsafe import Markup, escape

_OF_EVERY_DICT = frozenset(dir(dict))


class _Generator(CodeGenerator):
    """As Jinja's, but that what templates write is escaped by `PageTemplates.written`, and that they call by themselves: nothing
    that they may call asks for Jinja's context."""

    def visit_Call(self, node: Any, frame: Any, forward_caller: bool = False) -> None:  # noqa: FBT001, FBT002, N802 - Jinja's
        self.write("environment.called(")
        self.visit(node.node, frame)
        self.signature(node, frame, {"caller": "caller"} if forward_caller else None)
        self.write(")")

    def _output_child_pre(self, node: Any, frame: Any, finalize: Any) -> None:
        if frame.eval_ctx.autoescape and not frame.eval_ctx.volatile and finalize.src is None:
            self.write("environment.written(")
        else:
            super()._output_child_pre(node, frame, finalize)


class _Template(Template):
    """As Jinja's. All templates have the same names to begin with, so that what one imports is the same for all of them."""

    def _get_default_module(self, _: Any = None) -> Any:
        return super()._get_default_module()


class PageTemplates(Environment):
    """As Jinja's.

    What templates name are nearly always fields of rows, which are dicts: to look for an attribute of that name first takes
    four times as long, a third of all the time that a page takes to be drawn.
    """

    code_generator_class = _Generator
    template_class = _Template

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute` in a template: of a dict its methods first, as ever, then its fields."""
        if type(obj) is dict and attribute in obj and attribute not in _OF_EVERY_DICT:
            return obj[attribute]
        return super().getattr(obj, attribute)

    @staticmethod
    def called(function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """What a template calls: a macro, a function or a method."""
        return function(*given, **named)

    @staticmethod
    def written(value: Any) -> str:
        """What a template writes of a value, as `markupsafe.escape` makes it.

        Without a Markup around each: a page writes hundreds of short texts, which are joined at once, and that took longer.
        """
        if type(value) is str:
            plain = value.replace("&", "&amp;").replace(">", "&gt;").replace("<", "&lt;")
            return plain.replace("'", "&#39;").replace('"', "&#34;")
        return value if type(value) is Markup else escape(value)
