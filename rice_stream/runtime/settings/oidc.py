"""Settings about single sign-on: which OpenID Connect provider tells who somebody is, and what its groups may do."""

from pathlib import Path

from pydantic import SecretStr

from rice_stream.runtime.settings.section import CommaList, Section


class OidcSettings(Section):
    """`RICE_OIDC_*` of `rice-stream serve`."""

    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_scopes: CommaList = ("openid", "profile", "email")
    oidc_claims_file: Path | None = None
