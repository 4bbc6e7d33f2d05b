"""What Teams shows for a line state of some people."""

import sqlalchemy as sa
from alembic import op

revision = '0029'
down_revision = '0028'


def upgrade() -> None:
    with op.batch_alter_table('integration', schema=None) as batch_op:
        batch_op.add_column(sa.Column('further', sa.JSON(), nullable=False, server_default='[]'))
    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.add_column(sa.Column('chosen_mapping', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('mapping', sa.String(), nullable=False, server_default=''))
