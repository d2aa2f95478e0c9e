"""Tokens of the HTTP door"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "http_token",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "role", "prefix")),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("tenants", "teams")),
        sa.Column("requests_per_s", sa.Double()),
        sa.Column("concurrency", sa.Integer()),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger()) for name in ("expires_at_us", "revoked_at_us", "last_used_at_us")),
        sa.CheckConstraint(
            "role IN ('admin', 'editor', 'reader', 'auditor', 'ingest')", name=op.f("ck_http_token_role")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_http_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_http_token_digest")),
        comment="Who may use the HTTP server; of the token itself only a digest is kept",
    )


def downgrade() -> None:
    op.drop_table("http_token")
