"""What a person's line would be without do-not-disturb."""

import sqlalchemy as sa
from alembic import op

revision = '0039'
down_revision = '0038'


def upgrade() -> None:
    with op.batch_alter_table('person') as batch_op:
        batch_op.add_column(
            sa.Column('line_without_dnd', sa.String(), nullable=False, server_default='unknown')
        )
