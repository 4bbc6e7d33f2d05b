"""What made a presence desired: the id that leads from a webhook to Microsoft Graph."""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'


def upgrade() -> None:
    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.add_column(sa.Column('desired_because', sa.String(), nullable=False, server_default=''))
