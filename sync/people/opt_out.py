"""What people choose about themselves: whether Teams shows their calls. An administrator may forbid it."""

from storage.queries.people import directory_people
from sync.audit import Act, AuditLog, Subject
from sync.domain.context import Context
from sync.domain.jobs import PUSH
from sync.domain.model import Actor, UnknownIntegration
from sync.domain.people import OptOutForbidden, UnknownPerson
from sync.people.scope.rules import scope_of
from sync.tenancy import owned


class OptOut:
    """The choice of a Teams user, in each integration of their tenant in which they are."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._audit = AuditLog(context.database, context.clock)

    async def choose(self, tenant: str, user_id: str, by: Actor, *, opted_out: bool) -> None:
        """Store the choice and have it shown immediately.

        Raises ``OptOutForbidden`` if an integration does not allow it; the others have it then.
        """
        async with self._database.session() as session:
            mine = await directory_people.of_teams_user(session, tenant, user_id)
        forbidden = None
        for person in mine:
            try:
                await self._choose(tenant, person.integration_id, person.id, user_id, by, opted_out)
            except OptOutForbidden as error:
                forbidden = error
            except (UnknownIntegration, UnknownPerson):
                continue
            else:
                await self._jobs.defer(PUSH, person.integration_id)
        if forbidden:
            raise forbidden

    async def _choose(
        self, tenant: str, integration_id: str, person_id: str, user_id: str, by: Actor, opted_out: bool
    ) -> None:
        act = Act.OPT_OUT if opted_out else Act.OPT_IN
        async with (
            self._audit.attempt(act, by, Subject(tenant, integration_id)),
            self._database.writing() as session,
        ):
            integration = await owned(session, tenant, integration_id, lock=True)
            person = await directory_people.get(session, integration_id, person_id, lock=True)
            if person is None or person.teams_user_id != user_id:
                raise UnknownPerson(person_id)
            if opted_out and not scope_of(integration.scope).may_opt_out:
                raise OptOutForbidden(integration_id)
            if person.opted_out == opted_out:
                return
            person.opted_out, person.due_at = opted_out, self._clock()
            if person.status_message:
                person.status_due_at = self._clock()
            await self._audit.record(session, act, by, integration, {"person": person.name})
