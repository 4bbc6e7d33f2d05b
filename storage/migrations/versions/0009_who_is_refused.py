"""Since when Graph refuses a person, and until when nothing is sent again."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = '0009'
down_revision = '0008'


def upgrade() -> None:
    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.add_column(sa.Column('refused_since', UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('refused_until', UtcDateTime(timezone=True), nullable=True))
