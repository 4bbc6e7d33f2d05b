"""Whether a device's state came as CloudLink's answer to a poll, or as an event."""

import sqlalchemy as sa
from alembic import op

revision = '0030'
down_revision = '0029'


def upgrade() -> None:
    with op.batch_alter_table('endpoint', schema=None) as batch_op:
        batch_op.add_column(sa.Column('by_poll', sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table('endpoint', schema=None) as batch_op:
        batch_op.alter_column('by_poll', server_default=None)
