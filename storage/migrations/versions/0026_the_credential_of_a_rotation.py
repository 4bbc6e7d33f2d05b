"""Which kind of credential a rotation brings; of earlier ones what their integration uses now."""

import sqlalchemy as sa
from alembic import op

revision = '0026'
down_revision = '0025'


def upgrade() -> None:
    with op.batch_alter_table('rotation', schema=None) as batch_op:
        batch_op.add_column(sa.Column('credential', sa.String(), nullable=False, server_default='secret'))
    op.execute(
        "UPDATE rotation SET credential = (SELECT integration.credential FROM integration"
        " WHERE integration.id = rotation.integration_id) WHERE kind = 'by_hand' AND secret_sealed IS NULL"
    )
    with op.batch_alter_table('rotation', schema=None) as batch_op:
        batch_op.alter_column('credential', server_default=None)
