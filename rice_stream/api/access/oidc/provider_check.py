"""What `rice-stream check` finds of the OpenID provider of the settings: whether somebody could sign in by it now."""

import asyncio
from collections.abc import Iterator

from rice_stream.api.access.oidc.claims_file import read_claim_rules
from rice_stream.api.access.oidc.signing_keys import ALGORITHMS, parse_signing_keys
from rice_stream.errors import UsageError
from rice_stream.feeds.client import NoReplyError
from rice_stream.feeds.identity_provider import IdentityProvider, ProviderDocument, ProviderError, check_issuer
from rice_stream.runtime.checks import Check
from rice_stream.runtime.settings.settings import Settings

NAME = "OpenID provider"


def provider_checks(settings: Settings) -> Iterator[Check]:
    """Nothing where the settings name none."""
    issuer, file = settings.oidc_issuer, settings.oidc_claims_file
    if issuer is None or file is None:
        return
    try:
        check_issuer(issuer)
        groups = len(read_claim_rules(file).groups)
    except UsageError as error:
        yield Check(NAME, ok=False, detail=str(error), what_to_do="correct the RICE_OIDC_* settings")
        return
    yield Check("OpenID claims file", ok=True, detail=f"{file} says what {groups} group(s) may do")
    try:
        document, algorithms = asyncio.run(_asked(IdentityProvider(issuer)))
    except ProviderError as error:
        away = isinstance(error.__cause__, NoReplyError)
        to_do = (
            "start the provider, or correct RICE_OIDC_ISSUER" if away else "correct RICE_OIDC_ISSUER or the provider"
        )
        yield Check(NAME, ok=False, detail=str(error), what_to_do=to_do, unreachable=away)
        return
    yield _found(settings, document, algorithms)


async def _asked(provider: IdentityProvider) -> tuple[ProviderDocument, list[str]]:
    """Its document, and the algorithms that it has a usable key for. ProviderError: it does not answer as it should."""
    document = await provider.document()
    keys = parse_signing_keys(await provider.keys(document))
    return document, [algorithm for algorithm in sorted(ALGORITHMS) if keys.suit(algorithm)]


def _found(settings: Settings, document: ProviderDocument, algorithms: list[str]) -> Check:
    if not algorithms:
        detail = f"{document.jwks_uri} has no key for {', '.join(sorted(ALGORITHMS))}"
        to_do = "have the provider sign with one of these; an RSA key needs 2,048 bits"
        return Check(NAME, ok=False, detail=detail, what_to_do=to_do)
    lacking = [name for name in ("authorization_endpoint", "token_endpoint") if getattr(document, name) is None]
    if settings.oidc_client_id is not None and lacking:
        detail = f"{document.issuer} names no {' and no '.join(lacking)}"
        to_do = "take RICE_OIDC_CLIENT_ID away: this provider signs no browsers in"
        return Check(NAME, ok=False, detail=detail, what_to_do=to_do)
    return Check(NAME, ok=True, detail=f"{document.issuer} answers, with keys for {', '.join(algorithms)}")
