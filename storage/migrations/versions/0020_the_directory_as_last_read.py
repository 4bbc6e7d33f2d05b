"""Teams users as last read, and how far."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = '0020'
down_revision = '0019'


def upgrade() -> None:
    op.create_table(
        'directoryuser',
        sa.Column('integration_id', sa.String(), nullable=False),
        sa.Column('user_id', sa.String(), nullable=False),
        sa.Column('principal_name', sa.String(), nullable=False),
        sa.Column('mail', sa.String(), nullable=False),
        sa.Column('proxy_addresses', sa.String(), nullable=False),
        sa.Column('enabled', sa.Boolean(), nullable=False),
        sa.Column('guest', sa.Boolean(), nullable=False),
        sa.Column('round', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('integration_id', 'user_id'),
    )
    op.create_table(
        'directorystate',
        sa.Column('integration_id', sa.String(), nullable=False),
        sa.Column('tenant_id', sa.String(), nullable=False),
        sa.Column('link', sa.String(), nullable=False),
        sa.Column('round', sa.Integer(), nullable=False),
        sa.Column('whole_at', UtcDateTime(timezone=True), nullable=True),
        sa.Column('stamp', sa.Integer(), nullable=False),
        sa.Column('matched_stamp', sa.Integer(), nullable=False),
        sa.Column('matched_version', sa.Integer(), nullable=False),
        sa.Column('matched_chosen', sa.String(), nullable=False),
        sa.Column('matched', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('integration_id'),
    )
