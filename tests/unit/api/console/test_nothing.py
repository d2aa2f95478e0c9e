"""Nothing is one of five kinds, by one rule on all pages about a stretch of time."""

import pytest

from rice_stream.api.console.nothing import Nothing, kind_of_nothing
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.api_running import Api
from tests.unit.api.console.reading import read

NOBODYS = "There is no tenant that you may see"
OLD, NEW = "2026-01-01T00:00:00Z", "2026-11-01T00:00:00Z"


@pytest.mark.parametrize(
    ("scope", "watermark", "start", "is_narrowed", "kind"),
    [
        (Scope(frozenset()), NEW, OLD, True, "not-allowed"),
        (EVERYTHING, NEW, OLD, True, "filtered"),
        (EVERYTHING, None, OLD, False, "no-events"),
        (EVERYTHING, OLD, NEW, False, "not-yet"),
        (EVERYTHING, NEW, OLD, False, "zero"),
        (EVERYTHING, NEW, None, False, "zero"),
    ],
)
def test_each_kind_has_its_reason(
    scope: Scope, watermark: str | None, start: str | None, is_narrowed: bool, kind: Nothing
) -> None:
    assert kind_of_nothing(scope, watermark, start, is_narrowed=is_narrowed) == kind


@pytest.mark.parametrize("path", ["/", "/explore", "/models", "/quality", "/periods", "/budgets"])
def test_who_may_see_no_tenant_is_told_so_on_every_page(api: Api, path: str) -> None:
    assert NOBODYS in read(api.get(path, tenants=frozenset())).text
    assert NOBODYS not in read(api.get(path)).text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/models?from=2020-01-01&to=2020-01-02", "No prompt in this time"),
        ("/models?from=2020-01-01&to=2020-01-02&tenant=acme", "No prompt of acme in this time"),
        ("/models?from=2999-01-01&to=2999-01-02", "Nothing of this time has arrived yet"),
        ("/explore?from=2999-01-01&to=2999-01-02", "Nothing of this time has arrived yet"),
    ],
)
def test_a_time_without_prompts_says_why_and_leads_on(api: Api, path: str, said: str) -> None:
    page = read(api.get(path))
    assert said in page.text
    assert any("window=30d" in link for link in page.links)
