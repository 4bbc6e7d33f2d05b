"""When Teams was last asked what it shows, beside when it last answered."""

import sqlalchemy as sa
from alembic import op

import storage.tables.columns

revision = '0038'
down_revision = '0037'

TIME = storage.tables.columns.UtcDateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table('readbackrun') as batch_op:
        batch_op.add_column(sa.Column('asked_at', TIME, nullable=True))
    op.execute("UPDATE readbackrun SET asked_at = read_at")
    with op.batch_alter_table('readbackrun') as batch_op:
        batch_op.alter_column('asked_at', existing_type=TIME, nullable=False)
        batch_op.alter_column('read_at', existing_type=TIME, nullable=True)
