"""The people for whom an administrator chose an account are found by it."""

import sqlalchemy as sa
from alembic import op

revision = '0034'
down_revision = '0033'

CHOSEN = sa.text('chosen_user_id IS NOT NULL')


def upgrade() -> None:
    op.create_index(
        'ix_person_chosen', 'person', ['chosen_user_id'], sqlite_where=CHOSEN, postgresql_where=CHOSEN
    )
