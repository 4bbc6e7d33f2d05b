"""A setup in progress keeps the client secret of the application too, encrypted."""

import sqlalchemy as sa
from alembic import op

revision = '0017'
down_revision = '0016'


def upgrade() -> None:
    with op.batch_alter_table('draft', schema=None) as batch_op:
        batch_op.add_column(sa.Column('client_secret_sealed', sa.String(), nullable=True))
