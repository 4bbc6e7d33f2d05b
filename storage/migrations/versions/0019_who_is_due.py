"""An index by which an integration's people who are due are found without reading all of them."""

from alembic import op

revision = '0019'
down_revision = '0018'


def upgrade() -> None:
    op.create_index('ix_person_due', 'person', ['integration_id', 'due_at'])
