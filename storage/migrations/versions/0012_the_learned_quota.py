"""How many requests Graph takes from an application in a tenant, as learned, and since when."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = '0012'
down_revision = '0011'


def upgrade() -> None:
    with op.batch_alter_table('integration', schema=None) as batch_op:
        batch_op.add_column(sa.Column('quota_limit', sa.Integer(), nullable=False, server_default='1500'))
        batch_op.add_column(sa.Column('quota_changed_at', UtcDateTime(timezone=True), nullable=True))
