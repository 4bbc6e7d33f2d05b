"""The last five changes sent for a person, a column each instead of a list: one is added without reading them."""

import sqlalchemy as sa
from alembic import op

revision = '0035'
down_revision = '0034'

KEPT = ('newest', 'second', 'third', 'fourth', 'fifth')


def upgrade() -> None:
    with op.batch_alter_table('sentchanges', schema=None) as batch_op:
        for name in KEPT:
            batch_op.add_column(sa.Column(name, sa.JSON(none_as_null=True), nullable=True))
    is_sqlite = op.get_bind().dialect.name == 'sqlite'
    found = "json_extract(entries, '$[{}]')" if is_sqlite else 'entries -> {}'
    assigned = ', '.join(f'{name} = {found.format(place)}' for place, name in enumerate(KEPT))
    op.execute(f'UPDATE sentchanges SET {assigned}')  # noqa: S608 names of our own
    with op.batch_alter_table('sentchanges', schema=None) as batch_op:
        batch_op.drop_column('entries')
