"""The life of an integration: acts, notices, rotations, monitors, feature updates."""

import sqlalchemy as sa
from alembic import op

import storage.tables.columns

revision = '0002'
down_revision = '0001'


def upgrade() -> None:
    op.create_table('act',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('owner_tenant', sa.String(), nullable=False),
    sa.Column('integration_id', sa.String(), nullable=False),
    sa.Column('integration_name', sa.String(), nullable=False),
    sa.Column('actor_id', sa.String(), nullable=False),
    sa.Column('actor_name', sa.String(), nullable=False),
    sa.Column('act', sa.String(), nullable=False),
    sa.Column('result', sa.String(), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('act', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_act_at'), ['at'], unique=False)
        batch_op.create_index(batch_op.f('ix_act_owner_tenant'), ['owner_tenant'], unique=False)

    op.create_table('alertchannel',
    sa.Column('owner_tenant', sa.String(), nullable=False),
    sa.Column('conversation_id', sa.String(), nullable=False),
    sa.Column('service_url', sa.String(), nullable=False),
    sa.Column('bot_id', sa.String(), nullable=False),
    sa.Column('channel_id', sa.String(), nullable=False),
    sa.Column('language', sa.String(), nullable=False),
    sa.Column('added_by', sa.String(), nullable=False),
    sa.Column('added_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('unreachable', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('owner_tenant', 'conversation_id')
    )
    op.create_table('alertpreference',
    sa.Column('owner_tenant', sa.String(), nullable=False),
    sa.Column('user_object_id', sa.String(), nullable=False),
    sa.Column('integration_id', sa.String(), nullable=False),
    sa.Column('muted', sa.Boolean(), nullable=False),
    sa.Column('quiet_from', sa.String(), nullable=False),
    sa.Column('quiet_until', sa.String(), nullable=False),
    sa.Column('time_zone', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('owner_tenant', 'user_object_id', 'integration_id')
    )
    op.create_table('featureupdate',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('integration_id', sa.String(), nullable=False),
    sa.Column('owner_tenant', sa.String(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('step', sa.String(), nullable=False),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('fault', sa.String(), nullable=False),
    sa.Column('started_by', sa.String(), nullable=False),
    sa.Column('started_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('finished_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('cards', sa.JSON(), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('featureupdate', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_featureupdate_integration_id'), ['integration_id'], unique=False)

    op.create_table('monitor',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('owner_tenant', sa.String(), nullable=False),
    sa.Column('integration_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('created_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('monitor', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_monitor_integration_id'), ['integration_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_monitor_owner_tenant'), ['owner_tenant'], unique=False)

    op.create_table('notice',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('integration_id', sa.String(), nullable=False),
    sa.Column('owner_tenant', sa.String(), nullable=False),
    sa.Column('topic', sa.String(), nullable=False),
    sa.Column('stage', sa.String(), nullable=False),
    sa.Column('audience', sa.String(), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('created_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('due_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('sent_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('conversation_id', sa.String(), nullable=False),
    sa.Column('activity_id', sa.String(), nullable=False),
    sa.Column('closed_by', sa.String(), nullable=False),
    sa.Column('closed_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('integration_id', 'topic', 'stage', 'audience')
    )
    with op.batch_alter_table('notice', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_notice_due_at'), ['due_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_notice_integration_id'), ['integration_id'], unique=False)

    op.create_table('rotation',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('integration_id', sa.String(), nullable=False),
    sa.Column('owner_tenant', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('step', sa.String(), nullable=False),
    sa.Column('secret_sealed', sa.String(), nullable=True),
    sa.Column('new_key_id', sa.String(), nullable=False),
    sa.Column('old_key_id', sa.String(), nullable=False),
    sa.Column('expires_on', sa.Date(), nullable=True),
    sa.Column('started_by', sa.String(), nullable=False),
    sa.Column('started_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('due_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('fault', sa.String(), nullable=False),
    sa.Column('started_by_name', sa.String(), nullable=False),
    sa.Column('finished_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('rotation', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_rotation_due_at'), ['due_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_rotation_integration_id'), ['integration_id'], unique=False)

    op.create_table('monitortask',
    sa.Column('rotation_id', sa.String(), nullable=False),
    sa.Column('monitor_id', sa.String(), nullable=False),
    sa.Column('integration_id', sa.String(), nullable=False),
    sa.Column('done_by', sa.String(), nullable=False),
    sa.Column('done_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['monitor_id'], ['monitor.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('rotation_id', 'monitor_id')
    )
    with op.batch_alter_table('monitortask', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_monitortask_integration_id'), ['integration_id'], unique=False)

    with op.batch_alter_table('integration', schema=None) as batch_op:
        batch_op.add_column(sa.Column('expiry_source', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('secret_key_id', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('auto_rotate', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('credential', sa.String(), nullable=False, server_default='secret'))
        batch_op.add_column(sa.Column('certificate_sealed', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('pending_certificate_sealed', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('previous_secret_sealed', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('expiry_checked_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('revision', sa.Integer(), nullable=False, server_default='1'))
        batch_op.add_column(sa.Column('status_text', sa.String(), nullable=False, server_default=''))

    with op.batch_alter_table('conversation', schema=None) as batch_op:
        batch_op.add_column(sa.Column('admin_as', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('name', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('time_zone', sa.String(), nullable=False, server_default=''))

    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.add_column(sa.Column('status_message', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('status_user_id', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('status_until', storage.tables.columns.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('status_due_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True))
        batch_op.create_index(batch_op.f('ix_person_status_due_at'), ['status_due_at'], unique=False)

