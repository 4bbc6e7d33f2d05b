"""The outcomes of presence requests, and what each changes in the person's row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from storage.flow.rows import AnyIntegration, AnyPerson
from storage.tables.columns import UNSURE
from sync.domain.changes import Change, Done, Failed, Outcome, Refused, Request, SetPresence, Throttled
from sync.domain.errors import SyncError
from sync.domain.presence import Presence
from sync.domain.services import PresenceService
from sync.presence import plan
from sync.presence.shared_sessions import strongest_of


@dataclass(frozen=True, slots=True)
class AppliedState:
    """What Teams showed from us before a request, restored if Graph does not accept it."""

    applied: str | None
    user_id: str | None
    until: datetime | None

    def restore(self, person: AnyPerson) -> None:
        person.applied, person.applied_user_id, person.applied_until = self.applied, self.user_id, self.until


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A change that is about to be sent; ``since`` is when its presence was first desired.

    ``wish`` is what this person's integration asks for, None when it clears: what is sent may be the wish of
    another integration that shares the session.
    """

    person_id: str
    change: Change
    previous: AppliedState
    since: datetime | None = None
    wish: Presence | None = None

    @property
    def shown(self) -> str | None:
        """What it shows, None when it clears."""
        return self.change.presence if isinstance(self.change, SetPresence) else None

    def latency(self, person: AnyPerson, outcome: Outcome, now: datetime) -> float | None:
        """Seconds since ``person`` desired it, before the outcome is applied; only of what is accepted and new."""
        is_new = isinstance(outcome, Done) and person.applied != self.shown
        if is_new and person.desired == self.shown and person.desired_at:
            return max(0.0, (now - person.desired_at).total_seconds())
        return None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How outcomes are applied: ``retry_at`` is when a failed change may be sent again."""

    integration: AnyIntegration
    retry_at: datetime
    now: datetime
    random: Random

    def apply(
        self, person: AnyPerson, pending: PendingChange, outcome: Outcome, other: Presence | None = None
    ) -> None:
        """Store the outcome of one change, and when the person is due next.

        ``other`` is what other integrations wish by now for the same session.
        """
        match outcome:
            case Done() if pending.shown != strongest_of(pending.wish, other):
                self._send_again(person, pending)
            case Done():
                plan.mark_accepted(person, pending.change, self.now)
                person.applied = pending.wish or person.applied
                person.due_at = plan.next_due(person, self.integration, self.now, self.random)
            case Throttled(retry_after):
                pending.previous.restore(person)
                person.due_at = self.now + timedelta(seconds=retry_after)
            case Failed():
                person.due_at = self.retry_at
            case Refused() if pending.wish and pending.change.user_id != person.teams_user_id:
                pending.previous.restore(person)
                person.due_at = self.now
            case Refused(status, code, _):
                if pending.wish:
                    pending.previous.restore(person)
                plan.mark_refused(person, f"{status} {code}".rstrip(), self.now)
                person.due_at = plan.next_due(person, self.integration, self.now, self.random)

    def _send_again(self, person: AnyPerson, pending: PendingChange) -> None:
        """Another integration changed its wish meanwhile: which of the two requests came last, nobody knows."""
        plan.mark_accepted(person, pending.change, self.now)
        person.applied, person.applied_user_id = UNSURE, pending.change.user_id
        person.due_at = self.now


async def send_batch(service: PresenceService, changes: Sequence[Request]) -> list[Outcome]:
    """Send at most ``MAX_CHANGES``; if all failed, ``Failed`` for each."""
    if not changes:
        return []
    try:
        return await service.push(changes)
    except SyncError as error:
        return [Failed(error)] * len(changes)
