"""Records keep the energy that was metered for the request, where the event brought it: microjoules, null elsewhere"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nullable and without a default: PostgreSQL writes it into the catalogue alone, whatever the table holds.
    op.add_column("prompt_record", sa.Column("metered_energy_uj", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("prompt_record", "metered_energy_uj")
