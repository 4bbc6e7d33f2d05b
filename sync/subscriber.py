"""Keeps an integration's subscription to CloudLink's notifications as it should be.

Expiry and renewal are not documented: so it is looked up in CloudLink's list, and renewed by a schedule.
"""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

import structlog

from storage import integrations
from storage.database import Database
from storage.sealing import Seal, Unreadable
from storage.tables import Integration
from sync import health
from sync.clock import Clock
from sync.errors import SyncError
from sync.jobs import Jobs
from sync.model import Service
from sync.names import POLL
from sync.outside import Outside, Phones
from sync.secrets import account_of

PATH = "/webhooks/cloudlink/"

log = structlog.get_logger()


class Subscriber:
    """Subscribes, renews, re-creates, ends. ``public_url`` is empty when CloudLink cannot reach us."""

    def __init__(
        self,
        database: Database,
        seal: Seal,
        outside: Outside,
        jobs: Jobs,
        clock: Clock,
        public_url: str,
        renew_after: timedelta,
    ) -> None:
        self._database = database
        self._seal = seal
        self._outside = outside
        self._jobs = jobs
        self._clock = clock
        self._public_url = public_url.rstrip("/")
        self._renew_after = renew_after

    async def keep(self, integration_id: str) -> None:
        """The job: make the subscription what it should be. Failures light a lamp."""
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
        if integration is None:
            return
        try:
            if integration.enabled and self._public_url:
                await self._hold(integration)
            elif integration.subscription_id:
                await self.end(integration)
        except SyncError as error:
            async with self._database.writing() as session:
                if await health.is_as_read(session, integration):
                    await health.broke(session, integration_id, error, self._clock(), Service.CLOUDLINK)

    async def end(self, integration: Integration) -> None:
        """Unsubscribe, if subscribed. Raises ``SyncError``."""
        if integration.subscription_id:
            phones = self._outside.phones(account_of(integration, self._seal))
            await phones.unsubscribe(integration.subscription_id)
            await self._store(integration.id, "", "")

    async def _hold(self, integration: Integration) -> None:
        phones = self._outside.phones(account_of(integration, self._seal))
        url = self._public_url + PATH + await self._token(integration)
        old = integration.subscription_id
        stands = bool(old) and old in await phones.subscriptions()
        if stands and integration.subscription_url_hash == hashed(url) and not self._is_old(integration):
            await self._store(integration.id, old, integration.subscription_url_hash, renewed=False)
            return
        new = await phones.subscribe(url)
        await self._store(integration.id, new, hashed(url))
        log.info("subscribed", integration=integration.id, again=bool(old), had_vanished=bool(old) and not stands)
        await self._drop(phones, old, new)
        await self._jobs.defer(POLL, integration.id)

    async def _drop(self, phones: Phones, old: str, new: str) -> None:
        """End the former subscription; one that stays behind does no harm, its notifications are refused."""
        if not old or old == new:
            return
        try:
            await phones.unsubscribe(old)
        except SyncError as error:
            log.info("old_subscription_left", fault=error.fault.value)

    def _is_old(self, integration: Integration) -> bool:
        since = integration.subscribed_at
        return since is None or since + self._renew_after <= self._clock()

    async def _token(self, integration: Integration) -> str:
        """The door's. No key opens it any more: then that of a new door, for nobody could type it in again."""
        try:
            return self._seal.open(integration.webhook_token_sealed)
        except Unreadable:
            log.warning("webhook_address_replaced", integration=integration.id)
        token, door = new_door(self._seal)
        async with self._database.writing() as session:
            locked = await integrations.locked(session, integration.id)
            if locked and self._seal.opens(locked.webhook_token_sealed):
                return self._seal.open(locked.webhook_token_sealed)
            if locked:
                session.add(locked.sqlmodel_update(door))
        return token

    async def _store(self, integration_id: str, subscription: str, url_hash: str, renewed: bool = True) -> None:
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.locked(session, integration_id)
            if integration is None:
                return
            integration.subscription_id = subscription
            integration.subscription_url_hash = url_hash
            integration.subscription_checked_at = now
            if renewed:
                integration.subscribed_at = now if subscription else None
            session.add(integration)


def new_door(seal: Seal) -> tuple[str, dict[str, Any]]:
    """Another address for webhooks: its token, and what is stored of it. What comes to the old one is not heard."""
    token = secrets.token_urlsafe(32)
    return token, {
        "webhook_token_sealed": seal.close(token),
        "webhook_token_hash": hashed(token),
        "subscription_id": "",
        "subscription_url_hash": "",
        "subscribed_at": None,
        "subscription_checked_at": None,
    }


def hashed(text: str) -> str:
    """How a token or a URL that holds one is stored for comparison: SHA-256, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
