"""Where a browser may be sent after it has signed in."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.api.access.local_paths import local_path


@pytest.mark.parametrize(
    "path", ["/", "/explore", "/explore?by=team&window=7d", "/prompts/a%2Fb?x=//y", "/a//b", "/~x"]
)
def test_places_of_this_server_are_kept(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "given_path",
    [
        None,
        "",
        "explore",
        "//attacker.example",
        "///attacker.example",
        "/\\attacker.example",
        "\\\\attacker.example",
        "/\t/attacker.example",
        "/\n/attacker.example",
        "/explore\r\nSet-Cookie: rice=x",
        "https://attacker.example",
        "https:attacker.example",
        "javascript:alert(1)",
        "/\\/attacker.example",
        "/ /attacker.example",
        "/exploré",
        "/\x00",
        "/auth/link?key=x",
        "/auth/sign-out",
        "/" + "x" * 2_000,
        "@attacker.example",
    ],
)
def test_all_else_leads_to_the_start_page(given_path: str | None) -> None:
    assert local_path(given_path) == "/"


@given(st.text(alphabet="/\\:.@?#%ax \t\r\n-", max_size=12))
def test_no_text_leads_to_another_host(text: str) -> None:
    """As a browser reads it: backslashes are slashes, tabs and ends of lines are left out."""
    read = local_path(text).replace("\\", "/").translate({9: None, 10: None, 13: None})
    assert urlsplit(urljoin("https://rice.example/auth/callback", read)).netloc == "rice.example"
