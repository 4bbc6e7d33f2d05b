"""Ensures an integration's subscription to CloudLink's notifications.

Its expiry and renewal are not documented, so it is looked up in CloudLink's list and renewed at an interval.
"""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

import structlog
from sqlmodel import col

from storage.queries import integrations
from storage.queries.health import problems
from storage.tables.integrations import Integration
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong, Fault, SyncError
from sync.domain.jobs import POLL, SUBSCRIBE
from sync.domain.model import Service
from sync.domain.services import Phones
from sync.problems import health
from sync.problems.incidents import SUBSCRIPTION, SUBSCRIPTION_REFUSED
from sync.scheduling import freshness

PATH = "/webhooks/cloudlink/"

log = structlog.get_logger()


class Subscriptions:
    """Creates, renews and ends subscriptions. ``public_url`` is empty when CloudLink cannot reach us."""

    def __init__(
        self, context: Context, credentials: CredentialStore, public_url: str, renew_after: timedelta
    ) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._jobs = context.jobs
        self._clock = context.clock
        self._public_url = public_url.rstrip("/")
        self._renew_after = renew_after

    async def ensure(self, integration_id: str) -> None:
        """The job: create, renew or end the subscription. A failure marks CloudLink unhealthy; a refusal not."""
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
        if integration is None:
            return
        is_wanted = integration.enabled and bool(self._public_url)
        try:
            if is_wanted:
                await self._subscribe(integration)
            else:
                await self.end(integration)
                await self._allowed(integration_id)
        except SyncError as error:
            if is_wanted and error.fault is Fault.CLOUDLINK_FORBIDDEN:
                await self._refused(integration)
            else:
                await health.record_failure(self._database, integration, error, self._clock(), Service.CLOUDLINK)

    async def end(self, integration: Integration) -> None:
        """Unsubscribe, if subscribed. Raises ``SyncError``."""
        if integration.subscription_id:
            phones = self._clients.phones(self._credentials.account(integration))
            await phones.unsubscribe(integration.subscription_id)
            await self._store(integration.id, "", "")

    async def _subscribe(self, integration: Integration) -> None:
        """Subscribe, unless the subscription exists at CloudLink, is recent and has the current URL."""
        phones = self._clients.phones(self._credentials.account(integration))
        url = self._public_url + PATH + await self._token(integration)
        old = integration.subscription_id
        exists = bool(old) and old in await phones.subscriptions()
        if exists and integration.subscription_url_hash == hashed(url) and not self._is_old(integration):
            await self._store(integration.id, old, integration.subscription_url_hash, renewed=False)
            return
        new = await phones.subscribe(url)
        await self._store(integration.id, new, hashed(url))
        log.info("subscribed", integration=integration.id, again=bool(old), was_missing=bool(old) and not exists)
        await self._unsubscribe(phones, old, new)
        await self._jobs.defer(POLL, integration.id)

    async def _refused(self, integration: Integration) -> None:
        """CloudLink reports nothing to this client, which may still read phones: so that goes on."""
        now = self._clock()
        async with self._database.writing() as session:
            if not await health.is_unchanged(session, integration):
                return
            is_new = await problems.upsert_open(
                session, integration.id, SUBSCRIPTION, SUBSCRIPTION_REFUSED, {}, False, now
            )
            locked = await integrations.get_for_update(session, integration.id)
            if locked:
                locked.subscription_checked_at = now
        if is_new:
            log.warning("subscription_refused", integration=integration.id)
            await self._jobs.defer(SUBSCRIBE, integration.id, at=now + health.CONFIRM_AFTER)

    async def _allowed(self, integration_id: str) -> None:
        async with self._database.writing() as session:
            await problems.close_open(session, integration_id, [SUBSCRIPTION], self._clock())

    async def _unsubscribe(self, phones: Phones, old: str, new: str) -> None:
        """End the former subscription. If that fails, its notifications are rejected, so nothing else happens."""
        if not old or old == new:
            return
        try:
            await phones.unsubscribe(old)
        except SyncError as error:
            log.info("old_subscription_not_ended", fault=error.fault.value)

    def _is_old(self, integration: Integration) -> bool:
        since = integration.subscribed_at
        return since is None or since + self._renew_after <= self._clock()

    async def _token(self, integration: Integration) -> str:
        """The webhook's token; a new one is stored when no key decrypts it any more, for no one can enter it."""
        try:
            return self._credentials.decrypt(integration, "webhook_token_sealed", Service.CLOUDLINK)
        except CredentialsWrong:
            log.warning("webhook_endpoint_replaced", integration=integration.id)
        token, columns = new_webhook_endpoint(self._credentials, integration)
        async with self._database.writing() as session:
            locked = await integrations.get_for_update(session, integration.id)
            if locked and self._credentials.can_decrypt(locked, "webhook_token_sealed"):
                return self._credentials.decrypt(locked, "webhook_token_sealed", Service.CLOUDLINK)
            if locked:
                locked.sqlmodel_update(columns)
        return token

    async def _store(self, integration_id: str, subscription: str, url_hash: str, renewed: bool = True) -> None:
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None:
                return
            integration.subscription_id = subscription
            integration.subscription_url_hash = url_hash
            integration.subscription_checked_at = now
            if renewed:
                integration.subscribed_at = now if subscription else None
                freshness.mark_subscribed(integration)
                await integrations.mark_gap(session, now, col(Integration.id) == integration_id)
            await problems.close_open(session, integration_id, [SUBSCRIPTION], now)


def new_webhook_endpoint(credentials: CredentialStore, integration: Integration) -> tuple[str, dict[str, Any]]:
    """A new URL for the webhooks of ``integration``: its token, and the values of its columns.

    Requests to the former URL are rejected.
    """
    token = secrets.token_urlsafe(32)
    return token, {
        "webhook_token_sealed": credentials.encrypt(token, integration, "webhook_token_sealed"),
        "webhook_token_hash": hashed(token),
        "subscription_id": "",
        "subscription_url_hash": "",
        "subscribed_at": None,
        "subscription_checked_at": None,
        "live_since": None,
    }


def hashed(text: str) -> str:
    """How a token, or a URL that contains one, is stored for comparison: SHA-256, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
