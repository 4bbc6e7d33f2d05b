"""Changes the status message for each state of a phone."""

from collections.abc import Mapping

from storage.queries import integrations
from storage.queries.people import status_messages
from sync.audit import Act, AuditLog, Subject
from sync.domain.context import Context
from sync.domain.jobs import PUSH_STATUS_MESSAGE
from sync.domain.model import Actor, EditedMeanwhile, IntegrationView
from sync.domain.presence import LineState
from sync.integrations.views import integration_view
from sync.tenancy import owned


class MessageEditor:
    """Raises ``UnknownIntegration``."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._audit = AuditLog(context.database, context.clock)

    async def save(
        self, owner_tenant: str, integration_id: str, revision: int, texts: Mapping[LineState, str], by: Actor
    ) -> IntegrationView:
        """Show these texts, also of who is in such a state now; empty for none. Raises ``EditedMeanwhile``."""
        stored = {state.value: text for state, text in texts.items()}
        facts = {f"text_{state}": text for state, text in stored.items() if text}
        subject = Subject(owner_tenant, integration_id)
        async with (
            self._audit.attempt(Act.STATUS_TEXT, by, subject, facts),
            self._database.writing() as session,
        ):
            before = await owned(session, owner_tenant, integration_id, revision, lock=True)
            if before.status_texts == stored:
                return integration_view(before)
            edited = await integrations.update_if_unchanged(session, before, revision, {"status_texts": stored})
            if edited is None:
                raise EditedMeanwhile(integration_id)
            await status_messages.make_due(session, integration_id, self._clock())
            await self._audit.record(session, Act.STATUS_TEXT, by, edited, facts)
            view = integration_view(edited)
        await self._jobs.defer(PUSH_STATUS_MESSAGE, integration_id)
        return view
