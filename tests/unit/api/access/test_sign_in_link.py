"""The link that `serve` prints: for one browser, once, and for a few minutes."""

from rice_stream.api.access.sign_in_link import LIVES_S, SignInLink


def key_of(link: SignInLink) -> str:
    return link.url("http://127.0.0.1:8080/").removeprefix("http://127.0.0.1:8080/auth/link?key=")


def test_it_opens_once() -> None:
    link = SignInLink()
    key = key_of(link)
    assert not link.take(key[:-1])
    assert not link.take("")
    assert not link.take("é")
    assert link.take(key)
    assert not link.take(key)
    assert not link.take(""), "nothing that is left of it opens"


def test_it_is_worth_nothing_after_a_while() -> None:
    now_s = 100.0
    link = SignInLink(lambda: now_s)
    key = key_of(link)
    now_s += LIVES_S
    assert not link.take(key)


def test_no_two_are_alike_and_none_shows_its_key() -> None:
    link = SignInLink()
    assert len(key_of(link)) == 43
    assert key_of(link) != key_of(SignInLink())
    assert key_of(link) not in repr(link)
