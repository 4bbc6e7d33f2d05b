"""When Graph last accepted a presence, for which what was last changed in Teams stands in."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = '0040'
down_revision = '0039'


def upgrade() -> None:
    with op.batch_alter_table('integration') as batch_op:
        batch_op.add_column(sa.Column('accepted_at', UtcDateTime(), nullable=True))
    op.execute("UPDATE integration SET accepted_at = last_change_at")
