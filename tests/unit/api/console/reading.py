"""What somebody reads on a page: its text, and the cells of its tables."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.api_running import Api
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


def _asked(link: str) -> tuple[str, list[tuple[str, str]]]:
    return urlsplit(link).path, sorted(parse_qsl(urlsplit(link).query))


_OF_ITS_MOMENT = re.compile(r' data-(as-of|as-of-text|live)="[^"]*"')
_RUNS_SCRIPTS = {"cookie": "rice-parts=1"}


class PartsOf:
    """A page of which a browser that runs scripts fetches a part later."""

    def __init__(self, api: Api, path: str, **scope: Any) -> None:
        self._api, self._path, self._scope = api, path, scope

    def come_as_the_whole_page(self, *parts: str) -> bool:
        """Hold what such a browser shows in the end to what everybody else is sent at once: the same to the letter, but for the
        moment that it is of. A page that looks at itself again is sent at once as well, and so is one that asks for all of it.

        Whether there is anything to come.
        """
        looks_again = {**_RUNS_SCRIPTS, "hx-request": "true"}
        while True:
            began = datetime.now(UTC)
            # The parts first: of a page that took long, what is known of it as a whole is shown in their place.
            rest = self._sent(**_RUNS_SCRIPTS)
            fetched = [self._sent(part, **looks_again) for part in parts]
            whole, again = self._sent(), self._sent(**looks_again)
            asked_for = self._sent("all", **_RUNS_SCRIPTS)
            if began.replace(second=0, microsecond=0) + timedelta(minutes=1) > datetime.now(UTC):
                break  # windows move by the minute
        assert 'class="later' not in whole
        assert (again, asked_for) == (whole, whole)
        if not any(fetched):
            assert rest == whole
            return False
        for part, content in zip(parts, fetched, strict=True):
            place = re.findall(r'<div class="later.*?</div>', rest)[0]
            for name, which in (("hx-get", part), ("href", "all")):
                [link] = re.findall(f' {name}="([^"]*)"', place)
                assert _asked(unescape(link)) == _asked(f"{self._path}&part={which}")
            rest = rest.replace(place, content)
        assert rest == whole
        return True

    def _sent(self, part: str | None = None, **headers: str) -> str:
        path = self._path if part is None else f"{self._path}&part={part}"
        answer = self._api.send("GET", path, role="reader", headers=headers, **self._scope)
        assert answer.status == 200, answer.body
        return " ".join(_OF_ITS_MOMENT.sub("", answer.body.decode()).split())
