"""Sessions of browsers"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "http_session",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("kind", "subject", "name", "groups")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("created_at_us", "last_seen_at_us")),
        sa.CheckConstraint("kind IN ('oidc', 'link')", name=op.f("ck_http_session_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_http_session")),
        sa.UniqueConstraint("digest", name=op.f("uq_http_session_digest")),
        comment="Browsers that are signed in; of the cookie only a digest is kept",
    )


def downgrade() -> None:
    op.drop_table("http_session")
