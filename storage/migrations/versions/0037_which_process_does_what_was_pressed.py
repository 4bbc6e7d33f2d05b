"""Which process does what was pressed is in the row of the press, no longer in another with a verb of its own."""

import sqlalchemy as sa
from alembic import op

revision = '0037'
down_revision = '0036'

LOCK = """
UPDATE press SET locked_by = mark.pressed_by FROM press AS mark
WHERE mark.owner_tenant = press.owner_tenant AND mark.stamp = press.stamp AND mark.verb = 'unfinished:' || press.verb
"""


def upgrade() -> None:
    with op.batch_alter_table('press') as batch_op:
        batch_op.add_column(sa.Column('locked_by', sa.String(), nullable=False, server_default=''))
    op.execute(LOCK)
    op.execute("DELETE FROM press WHERE verb LIKE 'unfinished:%'")
