"""Who may do what: roles, and the codes by which a first owner comes in."""

import sqlalchemy as sa
from alembic import op

import storage.tables.columns

revision = '0003'
down_revision = '0002'


def upgrade() -> None:
    op.create_table('member',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('owner_tenant', sa.String(), nullable=False),
    sa.Column('user_object_id', sa.String(), nullable=True),
    sa.Column('address', sa.String(), nullable=True),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('role', sa.String(), nullable=False),
    sa.Column('invited_by', sa.String(), nullable=False),
    sa.Column('invited_by_name', sa.String(), nullable=False),
    sa.Column('invited_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('joined_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('owner_tenant', 'address'),
    sa.UniqueConstraint('owner_tenant', 'user_object_id')
    )
    with op.batch_alter_table('member', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_member_owner_tenant'), ['owner_tenant'], unique=False)

    op.create_table('claimcode',
    sa.Column('tenant_id', sa.String(), nullable=False),
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('salt', sa.LargeBinary(), nullable=False),
    sa.Column('hashed', sa.LargeBinary(), nullable=False),
    sa.Column('expires_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'id')
    )

    op.create_table('claimattempt',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('tenant_id', sa.String(), nullable=False),
    sa.Column('user_object_id', sa.String(), nullable=False),
    sa.Column('at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('claimattempt', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_claimattempt_at'), ['at'], unique=False)
