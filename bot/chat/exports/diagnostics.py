"""One file for support: what runs here and how a tenant's integrations do. Only what is named here is in it.

So a new setting or column is left out until it is added: no secret, no name or address of a person, nothing of
another tenant.
"""

import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from platform import python_version
from typing import Any
from urllib.parse import urlsplit

from bot.chat.context import Services
from bot.chat.exports.links import ExportRequest
from bot.languages import Texts
from core.version import VERSION
from storage import schema
from storage.queries.people import sent_changes
from sync.domain.model import IntegrationView, ServiceHealth, Status, UnknownIntegration
from sync.domain.roles import Role
from sync.presence.sent_changes import read

CHANGES = 20
"""People of an integration whose last changes are in the file, the newest first."""

PLAIN = (
    *("port", "connections", "connections_per_peer", "bot_app_type", "presence_quota", "max_integrations"),
    *("feature_version", "log_level", "log_format", "dangerously_allow_unauthenticated"),
)
HOSTS = ("entra_url", "graph_url", "cloudlink_url")
GIVEN = (
    *("public_url", "database_url", "secret_keys", "key_vault_secret", "cloudlink_tables"),
    *("certificate_path", "federated_token_file", "managed_identity_client_id"),
)
"""Settings of which the file says only whether they are set."""

IDS = (
    *("id", "revision", "enabled", "created_at", "cloudlink_region", "cloudlink_account_id", "cloudlink_client_id"),
    *("tenant_id", "client_id", "credential", "secret_expires_on", "expiry_source", "auto_rotate"),
    "feature_version",
)
STATE = (
    *("people", "matched", "in_a_call", "waiting", "last_change_at", "freshness", "worst_age", "monitors_open"),
    *("not_shown", "update", "proof", "delay", "shown_since"),
)
STATE_NAME = re.compile(r"[A-Za-z_-]{1,40}")


def settings_facts(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, as support may see them: of an address its host, of a secret whether it is set."""
    hosts = {name: urlsplit(settings[name]).hostname for name in HOSTS}
    return {
        **{name: settings[name] for name in PLAIN},
        **hosts,
        **{f"{name}_set": bool(settings[name]) for name in GIVEN},
    }


class DiagnosticsFile:
    """``settings`` are those of ``settings_facts``."""

    name = "cloudlink-presence-diagnostics"
    extension = "json"
    content_type = "application/json; charset=utf-8"
    least = Role.ADMINISTRATOR

    def __init__(self, services: Services, settings: Mapping[str, Any]) -> None:
        self._services = services
        self._settings = settings

    async def parts(self, texts: Texts, request: ExportRequest) -> AsyncIterator[str]:
        """The whole file as one part: it does not grow with the number of people."""
        database = self._services.database
        facts = {
            "made_at": self._services.clock(),
            "version": VERSION,
            "python": python_version(),
            "database": "sqlite" if database.is_sqlite else "postgresql",
            "schema": {"stored": await schema.stored_version(database), "expected": schema.HEAD},
            "settings": self._settings,
            "integrations": [each async for each in self._integrations(request.tenant)],
        }
        yield json.dumps(facts, indent=2, default=_plain) + "\n"

    async def _integrations(self, tenant: str) -> AsyncIterator[dict[str, Any]]:
        operations = self._services.operations
        for view in await operations.integrations.list(tenant):
            try:
                status = await operations.overview.status(tenant, view.id)
            except UnknownIntegration:
                continue  # it is being removed
            yield {**_integration(view, status), "changes": await self._changes(view.id)}

    async def _changes(self, integration_id: str) -> list[dict[str, Any]]:
        """The ids by which Microsoft finds the requests, each with our id of the person."""
        async with self._services.database.session() as session:
            rows = await sent_changes.newest(session, integration_id, CHANGES)
        return [{"person": row.person_id, **asdict(sent)} for row in rows for sent in read(row.entries)]


def _integration(view: IntegrationView, status: Status) -> dict[str, Any]:
    return {
        **{name: getattr(view, name) for name in IDS},
        **{name: getattr(status, name) for name in STATE},
        "unknown_states": [pair for pair in status.unknown_states if STATE_NAME.fullmatch(pair[0])],
        "problems": list(_problems(status.service_health)),
    }


def _problems(services: Iterable[ServiceHealth]) -> Iterable[dict[str, Any]]:
    """Without the facts of a fault, which can contain names."""
    for each in services:
        if each.error:
            yield {"service": each.service, "fault": each.error.fault, "since": each.since}


def _plain(value: Any) -> Any:
    """What JSON has no form for: a time, or a value with fields."""
    return value.isoformat() if isinstance(value, datetime) or hasattr(value, "isoformat") else asdict(value)
