"""How often an administrator gets the digest."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = '0028'
down_revision = '0027'


def upgrade() -> None:
    with op.batch_alter_table('alertpreference', schema=None) as batch_op:
        batch_op.add_column(sa.Column('digest', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('digest_at', UtcDateTime(), nullable=True))
