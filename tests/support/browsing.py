"""A headless Chromium, and what is asked of every page that it shows.

Playwright's plain interface keeps an event loop in the thread that uses it, so that nothing else there could run one: it has a
thread of its own here, in which tests that ask for the browser run as a whole.
"""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, Playwright, StorageState, sync_playwright

from tests.support.places import ROOT, SUPPORT
from tests.support.programs import program

T = TypeVar("T")

WIDTHS = (390, 1280, 1920)
THEMES = ("light", "dark")
PAGE_BYTES_MAX = 400_000
PICTURES = ROOT / "build" / "console"
"""Where the pictures of a run are left; git ignores it."""
AXE = (SUPPORT / "vendor" / "axe" / "axe.min.js").read_text("utf-8")
AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
_LAUNCH = ("--no-sandbox", "--disable-dev-shm-usage", "--font-render-hinting=none", "--disable-lcd-text")
"""For root in a container, with little shared memory; and letters drawn alike on every machine."""
_WITHIN_MS = 15_000
_PICTURE_HEIGHT_MAX = 8_000
_WATCH = """
window.__refused = [];
document.addEventListener('securitypolicyviolation', (event) =>
  window.__refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
window.__busy = 0;
new PerformanceObserver((list) => list.getEntries().forEach((task) => {
  window.__busy = Math.max(window.__busy, task.startTime + task.duration); })).observe({ type: 'longtask', buffered: true });
"""
_FOCUSABLE = (
    "a[href], button:not([disabled]), input:not([disabled]):not([type=hidden]), select, textarea, summary, [tabindex]"
)
_NAME = """(each) => each.localName + ' '
  + (each.getAttribute('aria-label') || each.textContent || each.name || '').trim().slice(0, 60)"""
_MARKED = """(each) => { const style = getComputedStyle(each);
  return (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none'; }"""
_IN_VIEW = """(each) => { const box = each.getBoundingClientRect();
  return box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth; }"""
_SETTLED = """
() => document.readyState === 'complete' && document.fonts.status === 'loaded'
&& !document.querySelector('.htmx-request, [aria-busy="true"]')
"""


class Addressed(Protocol):
    """A server that runs."""

    @property
    def address(self) -> str:
        """Where it is."""
        ...


class Chromium:
    """One browser, in its own thread."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="browser")
        self._signed_in: dict[tuple[str, str], StorageState] = {}
        path = program("chromium")
        self._playwright, self._browser = self.run(lambda: self._start(path))

    @staticmethod
    def _start(path: str) -> tuple[Playwright, Browser]:
        playwright = sync_playwright().start()
        return playwright, playwright.chromium.launch(executable_path=path, args=list(_LAUNCH))

    def run(self, work: Callable[[], T]) -> T:
        """Do it in the browser's thread; everything that touches a page has to."""
        return self._thread.submit(work).result()

    def close(self) -> None:
        """End it."""
        self.run(self._browser.close)
        self.run(self._playwright.stop)
        self._thread.shutdown()

    @contextmanager
    def visit(self, console: Addressed, role: str | None, **options: Any) -> Iterator["Visit"]:
        """A page of the console for somebody who has signed in (None: nobody has), with nothing kept from pages before.

        `options`: width, height, theme, reduced_motion, java_script, scale (pixels of the screen for each of the page).
        """
        state = None if role is None else self._state(console, role)
        context = self._context(state, **options)
        try:
            page = context.new_page()
            yield Visit(page, console.address, context.new_cdp_session(page))
        finally:
            context.close()

    def _state(self, console: Addressed, role: str) -> StorageState:
        """What a browser keeps of somebody who has signed in at the provider."""
        key = console.address, role
        if key not in self._signed_in:
            context = self._context(None)
            try:
                page = context.new_page()
                page.goto(f"{console.address}/auth/sign-in?next=/reference")
                page.fill("input[name=sub]", role)
                page.click("button[type=submit], input[type=submit]")
                page.wait_for_url(f"{console.address}/reference")
                self._signed_in[key] = context.storage_state()
            finally:
                context.close()
        return self._signed_in[key]

    def _context(
        self,
        state: StorageState | None,
        *,
        width: int = 1280,
        height: int = 900,
        theme: str = "light",
        reduced_motion: bool = True,
        java_script: bool = True,
        scale: float = 1.0,
    ) -> BrowserContext:
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce" if reduced_motion else "no-preference",
            java_script_enabled=java_script,
            device_scale_factor=scale,
            storage_state=state,
            # Not where the ledger's tenants are: no page may use it.
            timezone_id="Pacific/Auckland",
            locale="en-GB",
        )
        context.set_default_timeout(_WITHIN_MS)
        context.add_init_script(_WATCH)
        return context


class Stop(NamedTuple):
    """Where Tab has come to."""

    name: str
    is_marked: bool
    """Something shows that it has the focus."""
    is_in_view: bool


class Timings(NamedTuple):
    """Milliseconds from the request on."""

    first_contentful_paint_ms: float
    interactive_ms: float
    """Scripts have run, and nothing kept the page busy for 50 ms since."""


@dataclass
class Visit:
    """A page, and what was seen while it came."""

    page: Page
    address: str
    devtools: CDPSession
    complaints: list[str] = field(default_factory=list)
    """Of the console, and errors that no script caught."""
    requests: list[str] = field(default_factory=list)
    received: dict[str, float] = field(default_factory=dict)
    """Bytes on the wire, by request."""
    status: int = 0

    def __post_init__(self) -> None:
        self.page.on("console", lambda said: self._complain(said.type, said.text))
        self.page.on("pageerror", lambda error: self._complain("error", str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self._failed(request.url, request.failure))
        self.devtools.send("Network.enable")
        self.devtools.on("Network.loadingFinished", self._loaded)

    def open(self, path: str) -> "Visit":
        """Go there and wait until it stands still."""
        answer = self.page.goto(f"{self.address}{path}", wait_until="load")
        self.status = 0 if answer is None else answer.status
        return self.settle()

    def settle(self) -> "Visit":
        """Wait until nothing is being fetched or drawn."""
        if self.page.context.browser is not None and self._has_scripts():
            self.page.wait_for_function(_SETTLED)
        return self

    def assert_clean(self, but: str = "") -> None:
        """No complaint, nothing that the policy refused, nothing asked elsewhere, and not too much of it.

        `but`: the status of the page, where that is an error, of which the browser complains as well.
        """
        complaints = [each for each in self.complaints if not but or f"status of {but}" not in each]
        refused = self.page.evaluate("window.__refused")
        elsewhere = [url for url in self.requests if not self._is_ours(url)]
        assert (complaints, refused, elsewhere) == ([], [], []), self.page.url
        assert self.page.evaluate("window.owned") is None, f"{self.page.url}: a name ran as a script"
        assert self.bytes < PAGE_BYTES_MAX, f"{self.page.url}: {self.bytes:,.0f} bytes"

    @property
    def bytes(self) -> float:
        """All that came, as it was on the wire."""
        return sum(self.received.values())

    def axe(self) -> list[str]:
        """What axe-core finds against WCAG 2.2 AA: the rule, where, and why.

        The developer tools run it: no page's policy would.
        """
        self._evaluate(AXE)
        options = {"runOnly": {"type": "tag", "values": list(AXE_TAGS)}, "resultTypes": ["violations"]}
        found = self._evaluate(f"axe.run(document, {json.dumps(options)}).then((all) => all.violations)")
        return [
            f"{one['id']}: {node['html'][:200]} ({' '.join(str(node['failureSummary']).split())[:300]})"
            for one in found
            for node in one["nodes"]
        ]

    def slow_down(self, times: float) -> None:
        """Let the processor be so many times slower from now on."""
        self.devtools.send("Emulation.setCPUThrottlingRate", {"rate": times})

    def timings(self) -> "Timings":
        """Of the page as it came."""
        painted, interactive = self._evaluate(
            "[performance.getEntriesByName('first-contentful-paint')[0].startTime,"
            " Math.max(performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd, window.__busy)]"
        )
        return Timings(painted, interactive)

    def focusable(self) -> list[str]:
        """What the keyboard can reach, in the order of the page."""
        found: list[str] = self._evaluate(
            f"[...document.querySelectorAll({json.dumps(_FOCUSABLE)})]"
            f".filter((each) => each.checkVisibility() && each.tabIndex >= 0).map({_NAME})"
        )
        return found

    def tab_through(self, count: int) -> list["Stop"]:
        """So many stops of Tab, from the beginning of the page."""
        stops: list[Stop] = []
        while len(stops) < count:
            self.page.keyboard.press("Tab")
            # A date has stops of its own within: day, month, year.
            if self._evaluate("document.activeElement === window.__stop"):
                continue
            self._evaluate("void (window.__stop = document.activeElement)")
            asked = f"[({_NAME}), ({_MARKED}), ({_IN_VIEW})].map((of) => of(document.activeElement))"
            stops.append(Stop(*self._evaluate(asked)))
        return stops

    def moving(self) -> list[str]:
        """Animations and transitions that run, or would."""
        found: list[str] = self._evaluate(
            "document.getAnimations().map(String).concat([...document.querySelectorAll('*')].filter((each) => {"
            " const style = getComputedStyle(each);"
            " return parseFloat(style.transitionDuration) > 0.001 || style.animationName !== 'none'; })"
            f".map({_NAME}))"
        )
        return found

    def banners(self) -> str:
        """What the page says about itself above its figures."""
        return " ".join(text for text in self.page.locator(".banner:visible").all_inner_texts())

    def overflow(self) -> int:
        """How many pixels of the page lie beyond its right edge."""
        width: int = self._evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return width

    def picture(self, name: str) -> Path:
        """Leave a picture of the whole page, or of the first screens of one that is very long."""
        path = PICTURES / f"{re.sub(r'[^a-z0-9-]+', '-', name.lower()).strip('-')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        height: int = self._evaluate("document.documentElement.scrollHeight")
        self.page.screenshot(path=path, full_page=height <= _PICTURE_HEIGHT_MAX)
        return path

    def _evaluate(self, script: str) -> Any:
        asked = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = self.devtools.send("Runtime.evaluate", asked)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{self.page.url}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def _has_scripts(self) -> bool:
        return bool(self._evaluate("Array.isArray(window.__refused)"))

    def _complain(self, kind: str, text: str) -> None:
        if kind in ("error", "warning", "assert"):
            self.complaints.append(f"{kind}: {text}")

    def _failed(self, url: str, failure: str | None) -> None:
        # A stream that the page closes, because it goes away or asks again, did not fail.
        if failure != "net::ERR_ABORTED":
            self.complaints.append(f"{url}: {failure}")

    def _loaded(self, event: dict[str, Any]) -> None:
        self.received[event["requestId"]] = event["encodedDataLength"]

    def _is_ours(self, url: str) -> bool:
        return url.startswith("data:") or f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" == self.address
