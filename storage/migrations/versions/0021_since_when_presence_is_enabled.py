"""Since when presence is enabled, from the history where it still says so."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = '0021'
down_revision = '0020'


def upgrade() -> None:
    with op.batch_alter_table('integration', schema=None) as batch_op:
        batch_op.add_column(sa.Column('enabled_at', UtcDateTime(), nullable=True))
    op.execute(
        "UPDATE integration SET enabled_at = (SELECT max(act.at) FROM act"
        " WHERE act.integration_id = integration.id AND act.act = 'enable' AND act.result = 'done')"
        " WHERE enabled"
    )
