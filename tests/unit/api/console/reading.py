"""What somebody reads on a page: its text, and the cells of its tables."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from tests.support.asgi import Answer

_UNREAD = ("script", "style", "svg", "title")


@dataclass
class ReadPage(HTMLParser):
    """The text of a page, with single spaces; each table as rows of cells, each cell as its words."""

    text: str = ""
    tables: list[list[list[str]]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._unread = 0
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A beginning."""
        self._unread += tag in _UNREAD
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables:
            self.tables[-1][-1].append("")
            self._in_cell = True
        elif tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]

    def handle_endtag(self, tag: str) -> None:
        """An end."""
        self._unread -= tag in _UNREAD
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        """Text."""
        if self._unread:
            return
        self.text = " ".join([*self.text.split(), *data.split()]).replace("\u202f", " ")
        if self._in_cell:
            cell = self.tables[-1][-1]
            cell[-1] = " ".join([*cell[-1].split(), *data.split()])


def read(answer: Answer) -> ReadPage:
    """The page of an answer."""
    assert answer.status == 200, answer.body
    page = ReadPage()
    page.feed(answer.body.decode())
    return page
