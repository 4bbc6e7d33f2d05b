"""The ids of Entra tenants and applications in lower case: those that differ in letter case only are the same."""

from alembic import op

revision = '0015'
down_revision = '0014'


def upgrade() -> None:
    op.execute('UPDATE integration SET tenant_id = lower(tenant_id), client_id = lower(client_id)')
