"""Reading the project's own Markdown: tables by column, sections by heading, links and the anchors they lead to."""

import re
from collections.abc import Iterator
from functools import cache

from tests.support.places import ROOT

_CODE = re.compile(r"`([^`]+)`")
_FENCE = re.compile(r"^ {0,3}```")


@cache
def text_of(path: str) -> str:
    """The file, by its path from the project's root."""
    return (ROOT / path).read_text("utf-8")


def documents() -> list[str]:
    """Every Markdown file that a person reads, by its path from the project's root."""
    found = [path for folder in (ROOT, ROOT / "docs", ROOT / "deploy") for path in folder.glob("*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    lines, fenced = [], False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            lines.append(line)
    return "\n".join(lines)


def blocks(text: str, language: str) -> list[str]:
    """The contents of the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def section(text: str, heading: str) -> str:
    """What stands under a heading, sub-headings included, up to the next heading of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    start = re.search(rf"^{re.escape(heading)}$", text, flags=re.MULTILINE)
    assert start is not None, f"there is no heading {heading!r}"
    rest = text[start.end() :]
    end = re.search(rf"^#{{1,{level}}} ", rest, flags=re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> Iterator[list[str]]:
    """The cells of all table rows, header and ruler left out; cells are stripped, an escaped bar is a bar."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if line.startswith("|") and not _is_ruler(line) and not _is_ruler(following):
            yield [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _is_ruler(line: str) -> bool:
    return bool(re.fullmatch(r"\|[\s:|-]+\|", line))


def codes(cell: str) -> list[str]:
    """What stands between back-ticks."""
    return _CODE.findall(cell)


def first_codes(text: str) -> list[str]:
    """The first code word of each table row's first cell."""
    return [found[0] for cells in rows(text) if (found := codes(cells[0]))]


def anchors(text: str) -> set[str]:
    """The fragments that the headings can be linked by, as GitHub makes them."""
    found = set()
    for title in re.findall(r"^#{1,6} (.+)$", prose(text), flags=re.MULTILINE):
        plain = re.sub(r"\[([^]]*)]\([^)]*\)", r"\1", title).replace("`", "").lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-"))
    return found


def links(text: str) -> list[str]:
    """Targets of links and images outside of fenced blocks and code."""
    return re.findall(r"\]\(([^)\s]+)\)", _CODE.sub("", prose(text)))
