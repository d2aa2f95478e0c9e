"""Reserved for the API: nothing yet."""

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Reserved."""


def downgrade() -> None:
    """Reserved."""
