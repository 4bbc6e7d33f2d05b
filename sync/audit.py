"""The audit log: who did what to which integration, when, and with what result. It never holds a secret.

A service records a success in the transaction that makes the change: neither is stored without the other. A failure
is recorded by ``AuditLog.attempt``, after that transaction was rolled back. Reading is not recorded.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import Clock
from storage.database import Database
from storage.queries import history, integrations
from storage.tables.integrations import Integration
from sync.domain.errors import Fault, SyncError
from sync.domain.model import (
    BOT,
    Actor,
    AlreadySetUp,
    EditedMeanwhile,
    NameTaken,
    TeamsApp,
    TooManyIntegrations,
    UnknownIntegration,
)
from sync.domain.people import ChangedMeanwhile, MatchRefused, NoImport, OptOutForbidden, UnknownPerson

EDITED_MEANWHILE = "edited_meanwhile"
NAME_TAKEN = "name_taken"
TOO_MANY = "too_many_integrations"
ALREADY_SET_UP = "already_set_up"
OPT_OUT_FORBIDDEN = "opt_out_forbidden"
FAILED = "failed"
"""Results other than ``history.DONE`` and the keys of faults."""

REFUSED_USE_EVERY = timedelta(days=1)
"""How often a refused use of an Entra tenant is recorded for its owner, however often it is tried."""


class Act(StrEnum):
    """Everything that is recorded, as it is stored. The catalogues have a sentence for each: ``act.<value>``."""

    SETUP = "setup"
    CHECK_CLOUDLINK = "check_cloudlink"
    CHECK_TEAMS = "check_teams"
    ENABLE = "enable"
    DISABLE = "disable"
    REMOVE = "remove"
    REMOVED = "removed"
    RENAME = "rename"
    EDIT_CLOUDLINK = "edit_cloudlink"
    EDIT_TEAMS = "edit_teams"
    TEST = "test"
    ROTATE_BEGUN = "rotate_begun"
    ROTATE = "rotate"
    ROTATE_PROVEN = "rotate_proven"
    ROTATE_FELL_BACK = "rotate_fell_back"
    ROTATE_FAILED = "rotate_failed"
    AUTO_ROTATE = "auto_rotate"
    MAKE_CERTIFICATE = "make_certificate"
    SWITCH_CREDENTIAL = "switch_credential"
    ENTRA_TENANT_USED = "entra_tenant_used"
    UPDATE_INSTALLED = "update_installed"
    UPDATE_UNDONE = "update_undone"
    STATUS_TEXT = "status_text"
    MAPPING = "mapping"
    SCOPE = "scope"
    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    SCHEDULE = "schedule"
    MONITORS_ADD = "monitors_add"
    MONITORS_REMOVE = "monitors_remove"
    MONITORS_SAME = "monitors_same"
    MONITORS_OTHER = "monitors_other"
    MONITORS_TICK = "monitors_tick"
    MONITORS_OWN = "monitors_own"
    ALERTS_ON = "alerts_on"
    ALERTS_OFF = "alerts_off"
    ALERTS_QUIET = "alerts_quiet"
    ALERTS_DIGEST = "alerts_digest"
    DRILL = "drill"
    PERSON_EXCLUDE = "person_exclude"
    PERSON_INCLUDE = "person_include"
    PERSON_RESEND = "person_resend"
    PERSON_CLEAR = "person_clear"
    PERSON_MATCH = "person_match"
    PERSON_UNMATCH = "person_unmatch"
    PERSON_MAPPING = "person_mapping"
    PEOPLE_IMPORT = "people_import"
    CLAIM = "claim"
    ADMINS_INVITE = "admins_invite"
    ADMINS_JOIN = "admins_join"
    ADMINS_CHANGE = "admins_change"
    ADMINS_REMOVE = "admins_remove"


@dataclass(frozen=True, slots=True)
class Subject:
    """What an act is about: an integration, or with an empty ``id`` the tenant as a whole."""

    owner_tenant: str
    id: str = ""
    name: str = ""


class AuditLog:
    """Records acts. ``facts`` are short and harmless; they never hold a secret."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def record(
        self,
        session: AsyncSession,
        act: Act,
        actor: Actor,
        subject: Integration | Subject,
        facts: Mapping[str, Any] | None = None,
        result: str = history.DONE,
    ) -> None:
        """Record ``act`` in the transaction of ``session``. ``result`` is ``done`` or the key of a fault."""
        await history.record(
            session,
            owner_tenant=subject.owner_tenant,
            integration_id=subject.id,
            integration_name=subject.name,
            actor_id=actor.id,
            actor_name=actor.name,
            act=act.value,
            result=result,
            facts=dict(facts or {}),
            now=self._clock(),
        )

    async def record_use(
        self, session: AsyncSession, owner_tenant: str, app: TeamsApp, result: str = history.DONE
    ) -> None:
        """Record in the history of an Entra tenant that an integration of another tenant uses it.

        Neither that tenant nor its people are named. Whether the Entra tenant is a tenant here is not looked up:
        nobody can tell it from the time this takes.
        """
        if app.tenant_id.lower() != owner_tenant.lower():
            facts = {"client_id": app.client_id}
            await self.record(session, Act.ENTRA_TENANT_USED, BOT, Subject(app.tenant_id.lower()), facts, result)

    @asynccontextmanager
    async def using(self, owner_tenant: str, app: TeamsApp) -> AsyncIterator[None]:
        """Record for the owner of the Entra tenant, once a day, if the block may not use the host's credentials."""
        try:
            yield
        except SyncError as error:
            if error.fault is Fault.ENTRA_HOST_NOT_ALLOWED:
                await self._record_refused_use(owner_tenant, app, error.fault)
            raise

    async def _record_refused_use(self, owner_tenant: str, app: TeamsApp, fault: Fault) -> None:
        since = self._clock() - REFUSED_USE_EVERY
        touched, act = app.tenant_id.lower(), Act.ENTRA_TENANT_USED
        async with self._database.writing() as session:
            if not await history.has_since(session, touched, act.value, fault.value, since):
                await self.record_use(session, owner_tenant, app, fault.value)

    @asynccontextmanager
    async def attempt(
        self, act: Act, actor: Actor, subject: Subject, facts: Mapping[str, Any] | None = None
    ) -> AsyncIterator[None]:
        """Record ``act`` if the block raises, with the key of the error as its result, and raise the error again.

        ``UnknownIntegration``, ``UnknownPerson`` and ``NoImport`` are not recorded: they are about nothing. The
        block itself records a success.
        """
        try:
            yield
        except (UnknownIntegration, UnknownPerson, NoImport):
            raise
        except Exception as error:
            await self.record_outcome(act, actor, subject, error, facts)
            raise

    async def record_outcome(
        self,
        act: Act,
        actor: Actor,
        subject: Integration | Subject,
        error: Exception | None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Record ``act`` in a transaction of its own: as done, or with the key and context of ``error``."""
        context = error.context if isinstance(error, SyncError) else {}
        async with self._database.writing() as session:
            if isinstance(subject, Subject) and subject.id and not subject.name:
                integration = await integrations.get_owned(session, subject.owner_tenant, subject.id)
                subject = replace(subject, name=integration.name if integration else "")
            await self.record(session, act, actor, subject, {**(facts or {}), **context}, _result(error))


def _result(error: Exception | None) -> str:
    match error:
        case None:
            return history.DONE
        case SyncError():
            return error.fault.value
        case EditedMeanwhile() | ChangedMeanwhile():
            return EDITED_MEANWHILE
        case NameTaken():
            return NAME_TAKEN
        case AlreadySetUp():
            return ALREADY_SET_UP
        case TooManyIntegrations():
            return TOO_MANY
        case OptOutForbidden():
            return OPT_OUT_FORBIDDEN
        case MatchRefused(reason=reason):
            return f"match_{reason}"
        case _:
            return FAILED
