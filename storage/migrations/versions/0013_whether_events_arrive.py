"""Whether events arrive, and since when everybody is to be polled."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = '0013'
down_revision = '0012'


def upgrade() -> None:
    with op.batch_alter_table('integration', schema=None) as batch_op:
        for name in ('live_since', 'missed_since', 'missed_at', 'catch_up_since'):
            batch_op.add_column(sa.Column(name, UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('missed', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('unreported', sa.JSON(), nullable=False, server_default='{}'))
