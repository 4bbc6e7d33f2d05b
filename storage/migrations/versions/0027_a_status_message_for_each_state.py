"""A status message for each line state, and the one that may still be shown while another is being set."""

import sqlalchemy as sa
from alembic import op

revision = '0027'
down_revision = '0026'


def upgrade() -> None:
    with op.batch_alter_table('integration', schema=None) as batch_op:
        batch_op.add_column(sa.Column('status_texts', sa.JSON(), nullable=False, server_default='{}'))
    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.add_column(sa.Column('status_before', sa.String(), nullable=True))
