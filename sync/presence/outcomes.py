"""The outcomes of presence requests, and what each changes in the person's row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from storage.flow.rows import AnyIntegration, AnyPerson
from storage.tables.columns import UNSURE
from sync.domain.changes import Change, Done, Failed, Outcome, Refused, Request, SetPresence, Throttled
from sync.domain.errors import CredentialsWrong, Fault, SyncError
from sync.domain.presence import Presence
from sync.domain.services import PresenceService
from sync.presence import plan
from sync.presence.shared_sessions import strongest_of
from sync.presence.status_message_plan import needs_check
from sync.problems import health
from sync.teams.quota import LONGEST_BLOCK


@dataclass(frozen=True, slots=True)
class AppliedState:
    """What Teams showed from us before a request, restored if Graph does not accept it.

    Where another integration has left its session to the person meanwhile, that is kept.
    """

    applied: str | None
    user_id: str | None
    at: datetime | None
    until: datetime | None

    @classmethod
    def of(cls, person: AnyPerson) -> "AppliedState":
        return cls(person.applied, person.applied_user_id, person.applied_at, person.applied_until)

    def is_outdated(self, person: AnyPerson) -> bool:
        """Whether another integration that shares the session has given it to the person meanwhile."""
        return person.applied_at != self.at

    def restore(self, person: AnyPerson) -> None:
        if not self.is_outdated(person):
            person.applied, person.applied_user_id, person.applied_until = self.applied, self.user_id, self.until


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A change that is about to be sent; ``since`` is when a phone caused it, None when something else did.

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

    def is_visible(self, outcome: Outcome) -> bool:
        """Whether Graph accepted it and it is no renewal: only then does it change what Teams shows."""
        return isinstance(outcome, Done) and self.previous.applied != (self.wish or self.shown)

    def latency(self, person: AnyPerson, outcome: Outcome, now: datetime) -> float | None:
        """Seconds since the phone of ``person`` caused it; only where it is visible, and still what is desired."""
        is_current = self.since is not None and self.since == person.waiting_since
        if self.since and is_current and self.is_visible(outcome) and person.desired == self.shown:
            return max(0.0, (now - self.since).total_seconds())
        return None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How outcomes are applied: ``retry_at`` is when a failed change may be sent again, ``done_at`` when Graph did
    the others.
    """

    integration: AnyIntegration
    retry_at: datetime
    done_at: datetime
    now: datetime
    random: Random

    def apply(
        self, person: AnyPerson, pending: PendingChange, outcome: Outcome, other: Presence | None = None
    ) -> None:
        """Store the outcome of one change, and when the person is due next.

        ``other`` is what other integrations wish by now for the same session.
        """
        if isinstance(outcome, Done | Refused) and person.waiting_since == pending.since:
            person.waiting_since = None
        is_overtaken = pending.shown != strongest_of(pending.wish, other) or pending.previous.is_outdated(person)
        match outcome:
            case Done() if is_overtaken:
                self._send_again(person, pending)
            case Done():
                plan.mark_accepted(person, pending.change, self.done_at, self.now)
                person.applied = pending.wish or person.applied
                person.due_at = self._next_due(person)
            case Throttled(retry_after):
                pending.previous.restore(person)
                person.due_at = self.now + min(timedelta(seconds=retry_after), LONGEST_BLOCK)
            case Failed(error):
                if isinstance(error, CredentialsWrong):
                    pending.previous.restore(person)
                person.due_at = self._retry_at(person, error)
            case Refused(status, code, _):
                self._refuse(person, pending, f"{status} {code}".rstrip())

    def _refuse(self, person: AnyPerson, pending: PendingChange, refusal: str) -> None:
        """Who has another account by now is not refused and does not wait: what the former shows ends by itself."""
        if pending.wish:
            pending.previous.restore(person)
        if pending.change.user_id == person.teams_user_id or not (pending.wish or person.teams_user_id):
            plan.mark_refused(person, refusal, self.done_at)
            person.due_at = self._next_due(person)
            return
        if not pending.wish and not pending.previous.is_outdated(person):
            plan.mark_nothing_shown(person)
        person.due_at = self.now

    def _next_due(self, person: AnyPerson) -> datetime | None:
        """Now, if the status message may have to change by what a phone did while the request was under way."""
        is_planned = person.status_due_at is not None and person.status_due_at <= self.now
        if not is_planned and needs_check(person, self.integration, self.now):
            return self.now
        return plan.next_due(person, self.integration, self.now, self.random)

    def _retry_at(self, person: AnyPerson, error: SyncError) -> datetime:
        """A person with whose account alone Graph is busy is tried ever more rarely, within bounds."""
        if error.fault is not Fault.GRAPH_BUSY:
            return self.retry_at
        since = person.waiting_since or person.desired_at or self.now
        backoff = health.backoff_since(since, self.now) * self.random.uniform(0.75, 1.25)
        return self.now + min(max(backoff, timedelta(seconds=error.retry_after or 0)), LONGEST_BLOCK)

    def _send_again(self, person: AnyPerson, pending: PendingChange) -> None:
        """Another integration changed its wish meanwhile: which of the two requests came last, nobody knows."""
        plan.mark_accepted(person, pending.change, self.done_at, self.now)
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
