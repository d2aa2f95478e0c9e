"""Reserved for the API: nothing yet."""

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Reserved."""


def downgrade() -> None:
    """Reserved."""
