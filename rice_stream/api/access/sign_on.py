"""Single sign-on as the settings say it, put together: who is recognised by it, and where browsers sign in."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rice_stream.api.access.cookies import session_cookie
from rice_stream.api.access.people import Browsers, People
from rice_stream.api.access.session_book import SessionBook, now_us
from rice_stream.api.access.sign_in_desk import SignInDesk
from rice_stream.api.access.sign_in_link import SignInLink
from rice_stream.api.access.stored_sessions import StoredSessions
from rice_stream.api.transport import browsers_use_tls
from rice_stream.feeds.identity_provider import IdentityProvider, check_issuer
from rice_stream.runtime.loopback import is_loopback
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine

if TYPE_CHECKING:
    from rice_stream.api.access.oidc.relying_party import RelyingParty


@dataclass(frozen=True, slots=True)
class SignOn:
    """`link` None: there is a provider, or other machines reach this one, so nobody signs in by a printed link."""

    people: People
    desk: SignInDesk
    link: SignInLink | None


def make_sign_on(
    settings: Settings,
    engine: Callable[[], Engine],
    clock: Callable[[], float] = time.time,
    clock_us: Callable[[], int] = now_us,
) -> SignOn:
    """Sign-on for one server; `engine` opens the database. UsageError: the issuer or the claims file is wrong."""
    party = _party(settings, clock)
    link = SignInLink() if party is None and is_loopback(settings.http_host) else None
    browsers = Browsers(
        sessions=SessionBook(StoredSessions(engine), clock_us),
        cookie=session_cookie(secure=browsers_use_tls(settings)),
        public_url=settings.http_public_url,
        by_link=link is not None,
    )
    people = People(party, browsers, settings.http_requests_per_s)
    return SignOn(people, SignInDesk(browsers, party, link), link)


def _party(settings: Settings, clock: Callable[[], float]) -> "RelyingParty | None":
    if settings.oidc_issuer is None or settings.oidc_claims_file is None:
        return None
    # What checks signatures and reads YAML takes a tenth of the start, and most servers have no provider.
    from rice_stream.api.access.oidc.claims_file import read_claim_rules
    from rice_stream.api.access.oidc.relying_party import Client, RelyingParty

    check_issuer(settings.oidc_issuer)
    secret = settings.oidc_client_secret
    client = Client(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        client_id=settings.oidc_client_id,
        # A secret that is mounted as a file ends with a newline.
        client_secret=None if secret is None else secret.get_secret_value().strip(),
        scopes=settings.oidc_scopes,
    )
    rules = read_claim_rules(settings.oidc_claims_file)
    return RelyingParty(client, rules, IdentityProvider(settings.oidc_issuer), clock)
