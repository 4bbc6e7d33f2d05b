"""When an integration shows calls, and what was acted on of it."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = '0023'
down_revision = '0022'


def upgrade() -> None:
    with op.batch_alter_table('integration', schema=None) as batch_op:
        batch_op.add_column(sa.Column('schedule', sa.JSON(), nullable=False, server_default='{}'))
        batch_op.add_column(sa.Column('closed', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('turned_at', UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column('turns_at', UtcDateTime(), nullable=True))
