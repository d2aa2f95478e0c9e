"""Reserved for the API: nothing yet."""

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Reserved."""


def downgrade() -> None:
    """Reserved."""
