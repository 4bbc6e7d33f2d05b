"""Which code was tried: attempts count for the person and for the code."""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'


def upgrade() -> None:
    with op.batch_alter_table('claimattempt', schema=None) as batch_op:
        batch_op.add_column(sa.Column('code_id', sa.String(), nullable=False, server_default=''))
