"""Changes when an integration shows calls."""

from typing import Any

from storage.queries import integrations
from storage.queries.people import people
from sync.audit import Act, AuditLog, Subject
from sync.domain.context import Context
from sync.domain.jobs import PUSH, PUSH_STATUS_MESSAGE
from sync.domain.model import Actor, EditedMeanwhile, IntegrationView
from sync.domain.schedule import Schedule, as_stored, is_open, preset_of
from sync.integrations.views import integration_view
from sync.scheduling import hours
from sync.tenancy import owned


class ScheduleEditor:
    """Every method raises ``UnknownIntegration``. Without a schedule, None, calls are always shown."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._audit = AuditLog(context.database, context.clock)

    async def preview(self, owner_tenant: str, integration_id: str, schedule: Schedule | None) -> int:
        """For how many people ``schedule`` would clear now what Teams shows."""
        async with self._database.session() as session:
            await owned(session, owner_tenant, integration_id)
            if schedule is None or is_open(schedule, self._clock()):
                return 0
            return await people.count_shown(session, integration_id)

    async def save(
        self, owner_tenant: str, integration_id: str, revision: int, schedule: Schedule | None, by: Actor
    ) -> IntegrationView:
        """Store the schedule and act on what it says now. Raises ``EditedMeanwhile``."""
        subject, stored = Subject(owner_tenant, integration_id), as_stored(schedule) if schedule else {}
        facts: dict[str, Any] = {"hours": preset_of(schedule).value}
        if schedule:
            facts |= {"time_zone": schedule.zone, "holidays": len(schedule.holidays)}
        async with (
            self._audit.attempt(Act.SCHEDULE, by, subject, facts),
            self._database.writing() as session,
        ):
            before = await owned(session, owner_tenant, integration_id, revision, lock=True)
            if before.schedule == stored:
                return integration_view(before)
            edited = await integrations.update_if_unchanged(session, before, revision, {"schedule": stored})
            if edited is None:
                raise EditedMeanwhile(integration_id)
            await hours.turn(session, edited, self._clock())
            await self._audit.record(session, Act.SCHEDULE, by, edited, facts)
            view = integration_view(edited)
        for job in (PUSH, PUSH_STATUS_MESSAGE):
            await self._jobs.defer(job, integration_id)
        return view
