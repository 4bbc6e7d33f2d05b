"""Exclusions and matches by hand from a file, until they are applied."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = '0024'
down_revision = '0023'


def upgrade() -> None:
    op.create_table(
        'peopleimport',
        sa.Column('id', sa.String(), nullable=False),
        sa.Column('owner_tenant', sa.String(), nullable=False),
        sa.Column('user_object_id', sa.String(), nullable=False),
        sa.Column('integration_id', sa.String(), nullable=False),
        sa.Column('state', sa.String(), nullable=False),
        sa.Column('file', sa.String(), nullable=False),
        sa.Column('figures', sa.JSON(), nullable=False),
        sa.Column('at', UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id'),
        sa.UniqueConstraint('owner_tenant', 'user_object_id'),
    )
    op.create_index('ix_peopleimport_at', 'peopleimport', ['at'])
    op.create_index('ix_peopleimport_integration_id', 'peopleimport', ['integration_id'])
    op.create_table(
        'peopleimportline',
        sa.Column('import_id', sa.String(), nullable=False),
        sa.Column('number', sa.Integer(), nullable=False),
        sa.Column('person_id', sa.String(), nullable=False),
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('choices', sa.Integer(), nullable=False),
        sa.Column('excluded', sa.Boolean(), nullable=True),
        sa.Column('match', sa.String(), nullable=False),
        sa.Column('user_id', sa.String(), nullable=False),
        sa.Column('account', sa.String(), nullable=False),
        sa.Column('fault', sa.String(), nullable=False),
        sa.Column('detail', sa.String(), nullable=False),
        sa.ForeignKeyConstraint(['import_id'], ['peopleimport.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('import_id', 'number'),
    )
