"""What is sent to Graph together for an integration, chosen from the people who are due. Pure: works on rows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from storage.flow.rows import IntegrationRow, PersonRow
from sync.domain.changes import Done, Outcome, Refused, SetPresence
from sync.domain.errors import CredentialsWrong
from sync.domain.model import TeamsApp
from sync.domain.presence import Presence
from sync.domain.services import MAX_CHANGES
from sync.presence import plan
from sync.presence.outcomes import AppliedState, PendingChange
from sync.presence.shared_sessions import LeftSession, shared_change
from sync.presence.status_message_plan import needs_check

LARGEST_ROUND = 10 * MAX_CHANGES
"""Changes of an integration that are under way at the same time."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one tick sends for an integration.

    ``has_more``: other people may be due. ``wait_until``: nothing may be sent before. ``has_messages``: status
    messages are to be checked; ``selected_at`` is when the quota was reserved. ``error``: its credentials cannot be
    read.
    """

    app: TeamsApp | None = None
    changes: tuple[PendingChange, ...] = ()
    has_more: bool = False
    wait_until: datetime | None = None
    has_messages: bool = False
    selected_at: datetime | None = None
    error: CredentialsWrong | None = None

    @property
    def person_ids(self) -> list[str]:
        return [each.person_id for each in self.changes]


@dataclass(frozen=True, slots=True)
class Returned:
    """A round that was sent, and what came of it.

    ``retry_at``: when failed changes may be sent again; when ``is_blocked``, nothing may be sent before.
    """

    round: Round
    outcomes: Sequence[Outcome]
    retry_at: datetime
    is_blocked: bool = False

    @property
    def is_accepted(self) -> bool:
        """Whether Graph accepted that someone's presence is shown; clearing it proves nothing."""
        sent = zip(self.round.changes, self.outcomes, strict=True)
        return any(isinstance(each.change, SetPresence) and isinstance(outcome, Done) for each, outcome in sent)

    @property
    def is_refused(self) -> bool:
        """Whether Graph refused people, and accepted none."""
        return not self.is_accepted and any(isinstance(each, Refused) for each in self.outcomes)


@dataclass(frozen=True, slots=True)
class Choice:
    """How to choose for an integration: ``wishes`` are those of others who share its application.

    ``left`` are the sessions that show what these wish, by Teams user: the others answer for them from now on.
    """

    integration: IntegrationRow
    wishes: Mapping[str, Presence]
    now: datetime
    random: Random
    left: dict[str, LeftSession] = field(default_factory=dict)

    def prepare(self, people: Collection[PersonRow]) -> tuple[PendingChange, ...]:
        return tuple(change for person in people if (change := self._prepare(person)))

    def _prepare(self, person: PersonRow) -> PendingChange | None:
        """Mark the person as being sent; or, when nothing is to be sent, store when the person is due next."""
        integration, now = self.integration, self.now
        if not plan.may_show(person, integration):
            person.waiting_since = None
        if needs_check(person, integration, now):
            person.status_due_at = now
        own = plan.change_for(person, integration, now)
        change = shared_change(person, own, self.wishes) if own else None
        if own and change is None:  # of a former account: now the next one's turn
            self.left[own.user_id] = LeftSession(person.applied, person.applied_until or now)
            plan.mark_nothing_shown(person)
            own = plan.change_for(person, integration, now)
            change = shared_change(person, own, self.wishes) if own else None
        if change is None:
            if person.applied and plan.has_ended(person, now):
                plan.mark_nothing_shown(person)
            person.due_at = plan.next_due(person, integration, now, self.random)
            person.waiting_since = None
            return None
        previous = AppliedState.of(person)
        plan.mark_sending(person, change, now)
        wish = own.presence if isinstance(own, SetPresence) else None
        return PendingChange(person.id, change, previous, person.waiting_since, wish)
