"""Since when a change of a person's phone waits to be shown in Teams."""

import sqlalchemy as sa
from alembic import op

import storage.tables.columns

revision = '0036'
down_revision = '0035'


def upgrade() -> None:
    with op.batch_alter_table('person') as batch_op:
        batch_op.add_column(
            sa.Column('waiting_since', storage.tables.columns.UtcDateTime(timezone=True), nullable=True)
        )
