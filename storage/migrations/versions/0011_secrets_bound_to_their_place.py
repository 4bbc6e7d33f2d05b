"""Secrets bound to their place: whether none of an earlier release is left."""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'


def upgrade() -> None:
    op.create_table('secretsbound', sa.Column('id', sa.Integer(), nullable=False), sa.PrimaryKeyConstraint('id'))
