"""Who is shown: the scope of an integration, groups of Entra ID, and what people choose for themselves."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = '0031'
down_revision = '0030'

KEY = ['integration_id', 'search', 'id']
FILTERED = ['gone', 'excluded', 'outside', 'opted_out', 'changed_by', 'unmatched', 'teams_user_id', 'refusal']
"""In the index, so that a filter reads it and not 100,000 rows."""


def upgrade() -> None:
    op.create_table(
        'directorygroup',
        sa.Column('integration_id', sa.String(), nullable=False),
        sa.Column('group_id', sa.String(), nullable=False),
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('read_at', UtcDateTime(timezone=True), nullable=True),
        sa.Column('fault', sa.String(), nullable=False),
        sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('integration_id', 'group_id'),
    )
    op.create_table(
        'groupmember',
        sa.Column('integration_id', sa.String(), nullable=False),
        sa.Column('group_id', sa.String(), nullable=False),
        sa.Column('user_id', sa.String(), nullable=False),
        sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('integration_id', 'group_id', 'user_id'),
    )
    with op.batch_alter_table('integration', schema=None) as batch_op:
        batch_op.add_column(sa.Column('scope', sa.JSON(), nullable=False, server_default='{}'))
        batch_op.add_column(sa.Column('scope_pending', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index('ix_person_search', table_name='person')
    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.add_column(sa.Column('outside', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('opted_out', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index('ix_person_search', 'person', [*KEY, *FILTERED], unique=False)
