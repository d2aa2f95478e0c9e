"""Tables of who may use the HTTP server."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Double, Integer, LargeBinary, Table, Text, UniqueConstraint

from rice_stream.store.schema_base import AUTO_KEY, metadata

http_token = Table(
    "http_token",
    metadata,
    Column("id", AUTO_KEY, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("name", "role", "prefix")),
    Column("digest", LargeBinary(32), nullable=False),
    # JSON: a list of names, or "*" for every tenant; an empty list of teams is every team.
    *(Column(name, Text, nullable=False) for name in ("tenants", "teams")),
    Column("requests_per_s", Double),
    Column("concurrency", Integer),
    Column("created_at_us", BigInteger, nullable=False),
    *(Column(name, BigInteger) for name in ("expires_at_us", "revoked_at_us", "last_used_at_us")),
    Column("created_by", Text),
    Column("replaces", BigInteger),
    UniqueConstraint("digest"),
    CheckConstraint("role IN ('admin', 'editor', 'reader', 'auditor', 'ingest')", name="role"),
    comment="Who may use the HTTP server; of the token itself only a digest is kept",
)

http_session = Table(
    "http_session",
    metadata,
    Column("id", AUTO_KEY, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    # groups: JSON, those that the provider named and the claims file knew. What they may do is looked up with each request.
    *(Column(name, Text, nullable=False) for name in ("kind", "subject", "name", "groups")),
    *(Column(name, BigInteger, nullable=False) for name in ("created_at_us", "last_seen_at_us")),
    UniqueConstraint("digest"),
    CheckConstraint("kind IN ('oidc', 'link')", name="kind"),
    comment="Browsers that are signed in; of the cookie only a digest is kept",
)
