"""What Teams was read to show, and how long changes took."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = '0016'
down_revision = '0015'

APPLIED = sa.text('applied IS NOT NULL')


def upgrade() -> None:
    op.create_table(
        'readback',
        sa.Column('person_id', sa.String(), nullable=False),
        sa.Column('availability', sa.String(), nullable=False),
        sa.Column('activity', sa.String(), nullable=False),
        sa.Column('at', UtcDateTime(timezone=True), nullable=False),
        sa.Column('sent_again_at', UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['person_id'], ['person.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('person_id'),
    )
    op.create_table(
        'readbackrun',
        sa.Column('integration_id', sa.String(), nullable=False),
        sa.Column('read_at', UtcDateTime(timezone=True), nullable=False),
        sa.Column('fault', sa.String(), nullable=False),
        sa.Column('failing_since', UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('integration_id'),
    )
    op.create_table(
        'delaycount',
        sa.Column('integration_id', sa.String(), nullable=False),
        sa.Column('slot', sa.BigInteger(), nullable=False),
        sa.Column('bucket', sa.Integer(), nullable=False),
        sa.Column('changes', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('integration_id', 'slot', 'bucket'),
    )
    op.create_index(
        'ix_person_applied',
        'person',
        ['integration_id', 'applied_user_id'],
        unique=False,
        sqlite_where=APPLIED,
        postgresql_where=APPLIED,
    )
