"""A person's endpoints, to which their calls belong; two people may have the same extension."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = '0014'
down_revision = '0013'

NAMES = {'uq': 'uq_%(table_name)s_%(column_0_N_name)s'}
"""Of the constraint that is dropped, in SQLite, where it has none."""


def upgrade() -> None:
    _create_endpoints()
    _give_calls_an_endpoint()
    is_sqlite = op.get_bind().dialect.name == 'sqlite'
    unique = 'uq_person_integration_id_extension' if is_sqlite else 'person_integration_id_extension_key'
    with op.batch_alter_table('person', schema=None, naming_convention=NAMES) as batch_op:
        batch_op.add_column(sa.Column('site_id', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('heard_at', UtcDateTime(timezone=True), nullable=True))
        for name in ('do_not_disturb', 'offline', 'phone_at', 'phone_heard_at'):
            batch_op.drop_column(name)
        batch_op.drop_constraint(unique, type_='unique')
        batch_op.create_index('ix_person_extension', ['integration_id', 'extension'], unique=False)
    _date_what_is_known()


def _create_endpoints() -> None:
    """Everyone who has an extension and was heard of was heard of there."""
    op.create_table(
        'endpoint',
        sa.Column('person_id', sa.String(), nullable=False),
        sa.Column('extension', sa.String(), nullable=False),
        sa.Column('integration_id', sa.String(), nullable=False),
        sa.Column('do_not_disturb', sa.Boolean(), nullable=False),
        sa.Column('offline', sa.Boolean(), nullable=False),
        sa.Column('at', sa.BigInteger(), nullable=False),
        sa.Column('heard_at', UtcDateTime(timezone=True), nullable=True),
        sa.Column('poll_at', UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['person_id'], ['person.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('person_id', 'extension'),
    )
    op.create_index('ix_endpoint_extension', 'endpoint', ['integration_id', 'extension'], unique=False)
    op.create_index(op.f('ix_endpoint_poll_at'), 'endpoint', ['poll_at'], unique=False)
    op.execute(
        "INSERT INTO endpoint (person_id, extension, integration_id, do_not_disturb, offline, at, heard_at) "
        "SELECT person.id, extension, integration_id, do_not_disturb, offline, phone_at, "
        "COALESCE(phone_heard_at, desired_at, polled_at, created_at) "
        "FROM person JOIN integration ON integration.id = integration_id WHERE line <> 'unknown' "
        "AND extension IS NOT NULL"
    )


def _give_calls_an_endpoint() -> None:
    """Their person's own, unless the call's id is a path that names another; of equal ids the newest is kept.

    A call of someone without an extension is not kept: what is desired for them stays until something is reported.
    """
    person = sa.table('person', sa.column('id'), sa.column('extension'))
    before = sa.table('call', *_call_columns())
    query = sa.select(before, person.c.extension).join(person, person.c.id == before.c.person_id)
    found = {}
    for row in op.get_bind().execute(query.order_by(before.c.at)).mappings():
        path = row['call_id'].strip('/').split('/')
        extension = path[-3] if path[-4:-3] == ['endpoints'] else row['extension']
        if extension:
            found[row['person_id'], extension, path[-1]] = {**row, 'extension': extension, 'call_id': path[-1]}
    op.drop_table('call')
    after = op.create_table(
        'call',
        *_call_columns(),
        sa.Column('extension', sa.String(), nullable=False),
        sa.ForeignKeyConstraint(['person_id'], ['person.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('person_id', 'extension', 'call_id'),
    )
    op.bulk_insert(after, list(found.values()))
    op.execute(
        "INSERT INTO endpoint (person_id, extension, integration_id, do_not_disturb, offline, at, heard_at) "
        "SELECT person_id, c.extension, integration_id, false, false, 0, MAX(c.heard_at) "
        'FROM "call" c JOIN person ON person.id = person_id WHERE NOT EXISTS '
        "(SELECT 1 FROM endpoint e WHERE e.person_id = c.person_id AND e.extension = c.extension) "
        "GROUP BY person_id, c.extension, integration_id"
    )


def _call_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column('person_id', sa.String(), nullable=False),
        sa.Column('call_id', sa.String(), nullable=False),
        sa.Column('state', sa.String(), nullable=False),
        sa.Column('conference', sa.Boolean(), nullable=False),
        sa.Column('at', sa.BigInteger(), nullable=False),
        sa.Column('heard_at', UtcDateTime(timezone=True), nullable=False),
    ]


def _date_what_is_known() -> None:
    """A state was heard of when it was reported, or when everyone was last polled."""
    op.execute("UPDATE person SET heard_at = desired_at WHERE line <> 'unknown'")
    polled_at = "(SELECT polled_at FROM integration WHERE integration.id = integration_id)"
    op.execute(
        f"UPDATE person SET heard_at = {polled_at} "
        f"WHERE line <> 'unknown' AND (heard_at IS NULL OR heard_at < {polled_at})"
    )
