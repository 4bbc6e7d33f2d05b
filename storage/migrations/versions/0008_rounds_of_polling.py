"""Rounds of polling: the phones that are still to be read."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = '0008'
down_revision = '0007'


def upgrade() -> None:
    op.create_table(
        'pollchunk',
        sa.Column('integration_id', sa.String(), nullable=False),
        sa.Column('position', sa.Integer(), nullable=False),
        sa.Column('extensions', sa.JSON(), nullable=False),
        sa.Column('began_at', UtcDateTime(timezone=True), nullable=False),
        sa.Column('whole', sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('integration_id', 'position'),
    )
