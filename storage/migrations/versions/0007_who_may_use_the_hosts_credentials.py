"""For which application the use of the host's credentials was proved; for what is stored already: none."""

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'


def upgrade() -> None:
    with op.batch_alter_table('integration', schema=None) as batch_op:
        batch_op.add_column(sa.Column('host_proven_for', sa.String(), nullable=False, server_default=''))
