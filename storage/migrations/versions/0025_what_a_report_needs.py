"""What a report needs: figures by the hour, and since when a person can be shown, or cannot."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = '0025'
down_revision = '0024'


def upgrade() -> None:
    op.create_table(
        'hourfigure',
        sa.Column('integration_id', sa.String(), nullable=False),
        sa.Column('hour', sa.BigInteger(), nullable=False),
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('count', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('integration_id', 'hour', 'name'),
    )
    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.add_column(sa.Column('reach_changed_at', UtcDateTime(), nullable=True))
    op.create_index('ix_person_reach', 'person', ['integration_id', 'reach_changed_at'])
