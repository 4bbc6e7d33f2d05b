"""The first tables."""

import sqlalchemy as sa
from alembic import op

import storage.tables.columns

revision = '0001'
down_revision = None


def upgrade() -> None:
    op.create_table('conversation',
    sa.Column('tenant_id', sa.String(), nullable=False),
    sa.Column('user_object_id', sa.String(), nullable=False),
    sa.Column('service_url', sa.String(), nullable=False),
    sa.Column('conversation_id', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('bot_id', sa.String(), nullable=False),
    sa.Column('channel_id', sa.String(), nullable=False),
    sa.Column('locale', sa.String(), nullable=False),
    sa.Column('language', sa.String(), nullable=True),
    sa.Column('welcomed', sa.Boolean(), nullable=False),
    sa.Column('unreachable', sa.Boolean(), nullable=False),
    sa.Column('seen_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'user_object_id')
    )
    op.create_table('draft',
    sa.Column('tenant_id', sa.String(), nullable=False),
    sa.Column('user_object_id', sa.String(), nullable=False),
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('step', sa.String(), nullable=False),
    sa.Column('values', sa.JSON(), nullable=False),
    sa.Column('cloudlink_secret_sealed', sa.String(), nullable=True),
    sa.Column('integration_id', sa.String(), nullable=True),
    sa.Column('card_id', sa.String(), nullable=False),
    sa.Column('updated_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'user_object_id'),
    sa.UniqueConstraint('id')
    )
    op.create_table('integration',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('owner_tenant', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('feature_version', sa.Integer(), nullable=False),
    sa.Column('created_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('cloudlink_region', sa.String(), nullable=False),
    sa.Column('cloudlink_account_id', sa.String(), nullable=False),
    sa.Column('cloudlink_client_id', sa.String(), nullable=False),
    sa.Column('cloudlink_secret_sealed', sa.String(), nullable=False),
    sa.Column('tenant_id', sa.String(), nullable=False),
    sa.Column('client_id', sa.String(), nullable=False),
    sa.Column('client_secret_sealed', sa.String(), nullable=False),
    sa.Column('secret_expires_on', sa.Date(), nullable=True),
    sa.Column('webhook_token_sealed', sa.String(), nullable=False),
    sa.Column('webhook_token_hash', sa.String(), nullable=False),
    sa.Column('subscription_id', sa.String(), nullable=False),
    sa.Column('subscription_url_hash', sa.String(), nullable=False),
    sa.Column('subscribed_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('subscription_checked_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('polled_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('matched_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('last_webhook_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('last_change_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('quota_spent', sa.JSON(), nullable=False),
    sa.Column('quota_blocked_until', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('removing_since', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('webhook_token_hash')
    )
    with op.batch_alter_table('integration', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_integration_owner_tenant'), ['owner_tenant'], unique=False)

    op.create_table('person',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('integration_id', sa.String(), nullable=False),
    sa.Column('cloudlink_user_id', sa.String(), nullable=False),
    sa.Column('extension', sa.String(), nullable=True),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('address', sa.String(), nullable=False),
    sa.Column('teams_user_id', sa.String(), nullable=True),
    sa.Column('unmatched', sa.String(), nullable=True),
    sa.Column('excluded', sa.Boolean(), nullable=False),
    sa.Column('gone', sa.Boolean(), nullable=False),
    sa.Column('do_not_disturb', sa.Boolean(), nullable=False),
    sa.Column('offline', sa.Boolean(), nullable=False),
    sa.Column('phone_at', sa.BigInteger(), nullable=False),
    sa.Column('phone_heard_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('line', sa.String(), nullable=False),
    sa.Column('desired', sa.String(), nullable=True),
    sa.Column('desired_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('applied', sa.String(), nullable=True),
    sa.Column('applied_user_id', sa.String(), nullable=True),
    sa.Column('applied_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('applied_until', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('due_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('refusal', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('integration_id', 'cloudlink_user_id'),
    sa.UniqueConstraint('integration_id', 'extension')
    )
    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_person_due_at'), ['due_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_person_integration_id'), ['integration_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_person_teams_user_id'), ['teams_user_id'], unique=False)

    op.create_table('problem',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('integration_id', sa.String(), nullable=False),
    sa.Column('service', sa.String(), nullable=False),
    sa.Column('fault', sa.String(), nullable=False),
    sa.Column('lasting', sa.Boolean(), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('since', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('checked_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('healed_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('problem', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_problem_integration_id'), ['integration_id'], unique=False)

    op.create_table('seenevent',
    sa.Column('integration_id', sa.String(), nullable=False),
    sa.Column('event_id', sa.String(), nullable=False),
    sa.Column('seen_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('integration_id', 'event_id')
    )
    with op.batch_alter_table('seenevent', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_seenevent_seen_at'), ['seen_at'], unique=False)

    op.create_table('unknownstate',
    sa.Column('integration_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('last_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['integration_id'], ['integration.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('integration_id', 'name')
    )
    op.create_table('call',
    sa.Column('person_id', sa.String(), nullable=False),
    sa.Column('call_id', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('conference', sa.Boolean(), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('heard_at', storage.tables.columns.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('person_id', 'call_id')
    )
