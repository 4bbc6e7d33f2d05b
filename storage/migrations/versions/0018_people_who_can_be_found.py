"""People are searched and sorted, excluded or matched by an administrator; what was sent for them is kept."""

import sqlalchemy as sa
from alembic import op

from core.text import searchable
from storage.tables.columns import UtcDateTime

revision = '0018'
down_revision = '0017'

BATCH = 1000
KEY = ['integration_id', 'search', 'id']
FILTERED = ['gone', 'excluded', 'changed_by', 'unmatched', 'teams_user_id', 'refusal']
"""In the index, so that a filter reads it and not 100,000 rows."""

DESIRED = sa.text('desired IS NOT NULL')


def upgrade() -> None:
    op.create_table(
        'sentchanges',
        sa.Column('person_id', sa.String(), nullable=False),
        sa.Column('newest_at', UtcDateTime(timezone=True), nullable=False),
        sa.Column('entries', sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(['person_id'], ['person.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('person_id'),
    )
    op.create_index(op.f('ix_sentchanges_newest_at'), 'sentchanges', ['newest_at'], unique=False)
    with op.batch_alter_table('person', schema=None) as batch_op:
        for name in ('search', 'changed_by', 'changed_by_name'):
            batch_op.add_column(sa.Column(name, sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('chosen_user_id', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('choices', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('changed_at', UtcDateTime(timezone=True), nullable=True))
    _fill_search()
    op.create_index('ix_person_search', 'person', [*KEY, *FILTERED], unique=False)
    op.create_index(
        'ix_person_desired', 'person', KEY, unique=False, sqlite_where=DESIRED, postgresql_where=DESIRED
    )


def _fill_search() -> None:
    """What is searched cannot be computed in SQL: accents are removed."""
    person = sa.table('person', *(sa.column(name) for name in ('id', 'name', 'address', 'extension', 'search')))
    rows = op.get_bind().execute(sa.select(person.c.id, person.c.name, person.c.address, person.c.extension)).all()
    edit = sa.update(person).where(person.c.id == sa.bindparam('key')).values(search=sa.bindparam('words'))
    values = [{'key': key, 'words': searchable(*words)} for key, *words in rows]
    for start in range(0, len(values), BATCH):
        op.get_bind().execute(edit, values[start : start + BATCH])
