"""Indices for many tenants: what is looked up by other than its own key."""

from alembic import op
from sqlalchemy import text

revision = '0006'
down_revision = '0005'


def upgrade() -> None:
    with op.batch_alter_table('integration', schema=None) as batch_op:
        batch_op.create_index('ix_integration_quota', ['tenant_id', 'client_id'], unique=False)
    with op.batch_alter_table('act', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_act_integration_id'), ['integration_id'], unique=False)
    is_open = text('healed_at IS NULL')
    op.create_index('ix_problem_open', 'problem', ['integration_id'], unique=False,
                    sqlite_where=is_open, postgresql_where=is_open)
