"""What an administrator chooses to be shown for each state of a phone, and whom a choice concerns now."""

from core.correlation import current_cause
from storage.queries import integrations
from storage.queries.people import mapping as queries
from storage.queries.people.mapping import Presences
from sync.audit import Act, AuditLog, Subject
from sync.domain.context import Context
from sync.domain.jobs import PUSH
from sync.domain.model import Actor, Concerned, EditedMeanwhile, IntegrationView
from sync.domain.presence import STALE_AFTER, LineState, Presence
from sync.integrations.views import integration_view
from sync.presence.mapping import Chosen, overrides_of
from sync.tenancy import owned

SHOWN = 10
"""People whom a preview names."""


class MappingEditor:
    """Every method raises ``UnknownIntegration``."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._audit = AuditLog(context.database, context.clock)

    async def preview(self, owner_tenant: str, integration_id: str, chosen: Chosen) -> tuple[int, list[Concerned]]:
        """For how many people ``chosen`` would change what is shown now, and the first of them by name."""
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            count, first = await queries.concerned(session, integration, _stored(chosen), SHOWN)
        return count, [
            Concerned(name, LineState(line), _presence(before), _presence(after))
            for name, line, before, after in first
        ]

    async def save(
        self, owner_tenant: str, integration_id: str, revision: int, chosen: Chosen, by: Actor
    ) -> tuple[IntegrationView, int]:
        """Store what is shown for each state, also of who is in it now; returns for how many that changes Teams.

        A crash after this leaves those people due, so that they are sent. Raises ``EditedMeanwhile``.
        """
        overrides = overrides_of(chosen)
        facts = {state.value: presence.activity if presence else "" for state, presence in chosen.items()}
        subject = Subject(owner_tenant, integration_id)
        async with (
            self._audit.attempt(Act.MAPPING, by, subject, facts),
            self._database.writing() as session,
        ):
            before = await owned(session, owner_tenant, integration_id, revision, lock=True)
            edited = await integrations.update_if_unchanged(session, before, revision, {"mapping": overrides})
            if edited is None:
                raise EditedMeanwhile(integration_id)
            now, presences = self._clock(), _stored(chosen)
            changed, _ = await queries.concerned(session, edited, presences, 0)
            await queries.apply(session, edited, presences, current_cause(), now, now - STALE_AFTER)
            await self._audit.record(session, Act.MAPPING, by, edited, facts)
            view = integration_view(edited)
        await self._jobs.defer(PUSH, integration_id)
        return view, changed


def _stored(chosen: Chosen) -> Presences:
    return {state.value: presence.value if presence else None for state, presence in chosen.items()}


def _presence(value: str | None) -> Presence | None:
    return Presence(value) if value else None
