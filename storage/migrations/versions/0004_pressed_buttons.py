"""Pressed buttons: each does its act once."""

import sqlalchemy as sa
from alembic import op

import storage.tables.columns

revision = '0004'
down_revision = '0003'


def upgrade() -> None:
    op.create_table('press',
    sa.Column('owner_tenant', sa.String(), nullable=False),
    sa.Column('stamp', sa.String(), nullable=False),
    sa.Column('verb', sa.String(), nullable=False),
    sa.Column('pressed_by', sa.String(), nullable=False),
    sa.Column('at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('owner_tenant', 'stamp', 'verb')
    )
    with op.batch_alter_table('press', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_press_at'), ['at'], unique=False)
