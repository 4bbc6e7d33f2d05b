"""What removed integrations had spent of the quota of their applications."""

import sqlalchemy as sa
from alembic import op

import storage.tables.columns

revision = '0033'
down_revision = '0032'


def upgrade() -> None:
    op.create_table(
        'leftquota',
        sa.Column('tenant_id', sa.String(), nullable=False),
        sa.Column('client_id', sa.String(), nullable=False),
        sa.Column('left_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
        sa.Column('quota_spent', sa.JSON(), nullable=False),
        sa.Column('quota_limit', sa.Integer(), nullable=False),
        sa.Column('quota_changed_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
        sa.Column('quota_blocked_until', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint('tenant_id', 'client_id'),
    )
