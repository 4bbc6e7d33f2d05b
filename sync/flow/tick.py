"""A tick: what arrived, what came back from Graph and what is to be sent next, in one transaction.

First the outcomes of what was sent, then events, then polls, each applied to rows by pure functions; then people
who are due are marked as being sent, and the quota for it reserved. What follows once that is stored is returned.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from core.http.client import cleaned
from core.metrics import Metrics
from storage.flow import queries
from storage.flow.rows import INTEGRATIONS, PEOPLE, IntegrationRow, PersonRow, Tracked
from storage.queries.integrations import Subscribed
from storage.transaction import Transaction
from sync.credentials.store import CredentialStore
from sync.domain.changes import Done, Outcome, Refused, SetPresence
from sync.domain.errors import CredentialsWrong
from sync.domain.phone_events import CallState, Event, LineSnapshot
from sync.domain.reports import Figure
from sync.flow.line_state import Verdict
from sync.flow.lines import Lines, Poll, Report, Written, call_ids, rows_of
from sync.flow.rounds import LARGEST_ROUND, Choice, Returned, Round
from sync.presence import plan
from sync.presence.mapping import begins_call, overrides_for
from sync.presence.outcomes import Outcomes, PendingChange
from sync.presence.sent_changes import entry, repeated
from sync.presence.shared_sessions import LeftSession, give_all, wishes
from sync.problems import health
from sync.scheduling import freshness
from sync.teams.quota import QuotaLedger

DUPLICATE = "duplicate"
"""A value of the metric's label ``verdict``, besides those of ``Verdict`` and ``Nobody``."""


@dataclass(slots=True)
class Work:
    """What a tick is to do for an integration. ``sending`` are the people whose outcome is not known yet.

    Who is due is sent if ``may_send``, at most as many as there is ``room`` for; they are looked for when that
    ``is_asked``, and when someone has become due. ``is_lost``: another process sends for it by now.
    """

    events: list[tuple[Subscribed, Event]] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)
    returned: list[Returned] = field(default_factory=list)
    is_asked: bool = False
    may_send: bool = True
    sending: frozenset[str] = frozenset()
    room: int = LARGEST_ROUND
    is_lost: bool = False

    def leave_to_others(self) -> None:
        """Send nothing, and store no outcome: who was being sent is due, and is sent again elsewhere."""
        self.is_lost, self.may_send, self.returned = self.may_send, False, []


@dataclass(frozen=True, slots=True)
class Sent:
    """A change that Graph answered. ``latency`` is in seconds, None where no phone made something visible by it.

    ``begins_call``: Teams begins to show a call of the person by it.
    """

    integration_id: str
    pending: PendingChange
    outcome: Outcome
    latency: float | None
    begins_call: bool = False

    @property
    def kind(self) -> str:
        return "set" if isinstance(self.pending.change, SetPresence) else "clear"

    @property
    def result(self) -> str:
        return type(self.outcome).__name__.lower()

    @property
    def figure(self) -> Figure | None:
        """What it counts as in reports."""
        if isinstance(self.outcome, Refused):
            return Figure.REFUSED
        return Figure.SHOWN if self.begins_call and self.is_visible else None

    @property
    def is_visible(self) -> bool:
        return self.pending.is_visible(self.outcome)


@dataclass(slots=True)
class Ticked:
    """What a tick did: all of it is stored.

    The work of integrations ``left_out``, which another transaction has locked, is still to be done. ``refused``
    are webhooks that no longer lead to their integration. ``polled`` counts the people whose desired presence each
    poll changed, by integration. ``rounds`` are to be sent; in those ``due`` a person may be. Of ``healed`` ones
    the services answered, and the credentials of ``proven`` ones are the newest and work. Of ``refused_people``
    it is to be checked whether Graph refuses everyone.
    """

    now: datetime
    left_out: Collection[str] = ()
    refused: set[Subscribed] = field(default_factory=set)
    integrations: Mapping[str, IntegrationRow] = field(default_factory=dict)
    verdicts: Counter[str] = field(default_factory=Counter)
    polled: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    lines: dict[str, Lines] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    rounds: dict[str, Round] = field(default_factory=dict)
    due: set[str] = field(default_factory=set)
    healed: set[str] = field(default_factory=set)
    proven: set[str] = field(default_factory=set)
    refused_people: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a tick needs besides rows. Credentials are decrypted, quota is spent and counted."""

    credentials: CredentialStore
    quota: QuotaLedger
    random: Random
    metrics: Metrics


class Tick:
    """One run; ``work`` is by integration."""

    def __init__(self, transaction: Transaction, work: Mapping[str, Work], rules: Rules, now: datetime) -> None:
        self._transaction = transaction
        self._work = work
        self._rules = rules
        self._people = Tracked(PEOPLE)
        self._rows = Tracked(INTEGRATIONS)
        self._heard: set[str] = set()
        self._done = Ticked(now)

    def run(self) -> Ticked:
        self._lock()
        self._read_people()
        for key, work in self._here():
            for returned in work.returned:
                self._store_outcomes(key, returned)
        self._keep_sent()
        self._store_reports()
        self._people.save(self._transaction)
        for key, work in self._here():
            if key in self._done.due or work.is_asked:
                self._choose(key, work)
        self._people.save(self._transaction)
        self._rows.save(self._transaction)
        return self._done

    def _here(self) -> Iterable[tuple[str, Work]]:
        return [(key, work) for key, work in self._work.items() if key in self._done.integrations]

    def _lock(self) -> None:
        """Lock the integrations, and those with which they share quota and sessions."""
        self._sharing = queries.sharing(self._transaction, self._work, health.TEAMS)
        wanted = set().union(*self._sharing.values())
        rows = {row.id: row for row in self._rows.add(queries.lock_integrations(self._transaction, wanted))}
        self._problems = queries.open_problems(self._transaction, rows)
        self._all = rows
        is_whole = {key for key, others in self._sharing.items() if others <= rows.keys()}
        self._done.left_out = self._sharing.keys() - is_whole
        self._done.integrations = {key: rows[key] for key in is_whole}

    def _read_people(self) -> None:
        self._news = self._unseen()
        reports = {key: [*self._news[key], *_snapshots(work)] for key, work in self._here()}
        extensions = {(key, each.extension) for key, some in reports.items() for each in some}
        user_ids = {(key, each.user_id) for key, some in reports.items() for each in some if each.user_id}
        ids = {name for _, work in self._here() for each in work.returned for name in each.round.person_ids}
        concerned = extensions or ids
        people = queries.lock_concerned(self._transaction, extensions, user_ids, ids) if concerned else []
        self._read_lines(self._people.add(people), reports)

    def _read_lines(self, people: Sequence[PersonRow], reports: Mapping[str, Sequence[Report]]) -> None:
        self._written = Written()
        named = {call_id for some in reports.values() for each in some for call_id in call_ids(each)}
        names = [person.id for person in people] if any(reports.values()) else []
        endpoints = queries.endpoints_of(self._transaction, names) if names else []
        calls = queries.calls_of(self._transaction, names, CallState.ENDED, named) if names else []
        rows = rows_of(people, endpoints, calls)
        self._done.lines = {
            key: Lines(rows.get(key, []), self._written)
            for key, some in reports.items()
            if some or self._work[key].polls
        }

    def _unseen(self) -> dict[str, list[Event]]:
        """The events, by integration, that were not seen before, each once; they are marked as seen."""
        by_name: dict[tuple[str, str], Event] = {}
        count = 0
        for key, work in self._here():
            for subscribed, event in work.events:
                if subscribed.is_of(self._done.integrations[key]):
                    by_name.setdefault((key, event.event_id), event)
                    self._heard.add(key)
                    count += 1
                else:
                    self._done.refused.add(subscribed)
        new = queries.mark_seen(self._transaction, by_name.keys(), self._done.now)
        self._done.verdicts[DUPLICATE] += count - len(new)
        return {
            key: [event for (owner, name), event in by_name.items() if owner == key and (owner, name) in new]
            for key, _ in self._here()
        }

    def _store_outcomes(self, key: str, returned: Returned) -> None:
        row, now, sent = self._done.integrations[key], self._done.now, returned.round
        if sent.selected_at:
            self._rules.quota.settle(row, len(sent.changes), sent.selected_at, now)
        is_current = self._is_current(row, sent)
        if is_current:
            self._judge(row, returned)
        retry_at, done_at = returned.retry_at if is_current else now, plan.done_at(sent.selected_at, now)
        applying = Outcomes(row, retry_at, done_at, now, self._rules.random)
        sharing = self._sharing_people(row, {each.change.user_id for each in sent.changes})
        others = wishes(sharing, self._others(row), now)
        for pending, outcome in zip(sent.changes, returned.outcomes, strict=True):
            person = self._people.rows.get(pending.person_id)
            latency, is_call = None, False
            if person:
                latency = pending.latency(person, outcome, now)
                before, overrides = pending.previous.applied, overrides_for(row, person.mapping)
                is_call = begins_call(person.line, before, pending.shown, overrides)
                applying.apply(person, pending, outcome, others.get(pending.change.user_id))
                if isinstance(outcome, Done) and pending.shown != pending.wish:
                    left = LeftSession(pending.shown, person.applied_until or now)
                    give_all(sharing, {pending.change.user_id: left}, now)
                if person.due_at and person.due_at <= now:
                    self._done.due.add(key)
            if pending.is_visible(outcome):
                row.last_change_at = now
            self._done.sent.append(Sent(key, pending, outcome, latency, is_call))

    def _keep_sent(self) -> None:
        """Keep what was sent for each person, and its outcome; no renewals."""
        at = self._done.now.isoformat()
        sent = {
            each.pending.person_id: entry(each.pending, each.outcome, at)
            for each in self._done.sent
            if each.pending.person_id in self._people.rows
            and (each.is_visible or not isinstance(each.outcome, Done))
        }
        failed = {name: repeated(each) for name, each in sent.items() if each["result"] != "done"}
        queries.forget_newest_sent(self._transaction, failed)
        queries.add_sent(self._transaction, sent, self._done.now)

    def _is_current(self, row: IntegrationRow, sent: Round) -> bool:
        """Whether the credentials were not changed while the requests were being sent."""
        try:
            return self._rules.credentials.app(row) == sent.app
        except CredentialsWrong:
            return False

    def _judge(self, row: IntegrationRow, returned: Returned) -> None:
        """What the outcomes say of the integration: its limits, its credentials, the health of its services."""
        if returned.is_blocked:
            self._rules.quota.block(row, returned.retry_at)
        self._rules.quota.block_if_throttled(row, returned.outcomes, self._done.now)
        answered = any(isinstance(each, Done | Refused) for each in returned.outcomes)
        if answered and self._has_problem(row, health.TEAMS):
            self._done.healed.add(row.id)
        if returned.is_accepted:
            row.accepted_at = self._done.now
        if returned.is_accepted if self._has_problem(row, [health.REFUSALS]) else returned.is_refused:
            self._done.refused_people.add(row.id)
        if row.previous_secret_sealed and any(isinstance(each, Done) for each in returned.outcomes):
            if not self._has_siblings(row):  # else it says who of them is to get the new secret
                row.previous_secret_sealed = None
            self._done.proven.add(row.id)

    def _has_problem(self, row: IntegrationRow, services: Collection[str]) -> bool:
        return any(key == row.id and service in services for key, service, _ in self._problems)

    def _store_reports(self) -> None:
        for key, lines in self._done.lines.items():
            row, now = self._done.integrations[key], self._done.now
            unknown = self._apply_events(key, lines)
            lines.settle(row, now)
            for poll in self._work[key].polls:
                before = lines.apply_poll(poll, now)
                found = lines.settle(row, now)
                freshness.poll_found(row, before, lines.states(), now)
                self._done.polled[key].append(found)
                unknown += _unknown_in(poll)
            if lines.is_due:
                self._done.due.add(key)
            if unknown:
                queries.add_unknown_states(self._transaction, key, unknown, now)
        for key in self._heard:
            lines_of = self._done.lines.get(key)
            reported = lines_of.reported if lines_of else ()
            freshness.event_arrived(self._done.integrations[key], reported, self._done.now)
        if self._done.lines:
            queries.forget_endpoints(self._transaction, self._written.forgotten)
            queries.save_endpoints(self._transaction, self._written.endpoints.values())
            queries.save_calls(self._transaction, self._written.calls.values())
            queries.add_times(self._transaction, self._written.times)

    def _apply_events(self, key: str, lines: Lines) -> Counter[str]:
        """Apply an integration's new events, in the order of their times; returns the names of unknown states."""
        unknown: Counter[str] = Counter()
        for event in sorted(self._news[key], key=lambda event: event.at or float("inf")):
            verdict = lines.apply_event(event, self._done.now)
            self._done.verdicts[verdict] += 1
            if verdict == Verdict.UNKNOWN_STATE:
                unknown[cleaned(event.state_name, 60)] += 1
        return unknown

    def _choose(self, key: str, work: Work) -> None:
        """Mark who is due as being sent, within the quota."""
        row, now = self._done.integrations[key], self._done.now
        self._done.due.add(key)
        if not work.may_send or self._is_blocked(key):
            return
        if work.room <= 0:
            self._done.rounds[key] = Round(has_more=True)
            return
        sharing = [self._all[name] for name in sorted(self._sharing[key])]
        until, left = self._rules.quota.allowance(sharing, now)
        self._rules.metrics.quota_used.observe(1 - left / self._rules.quota.limit(sharing))
        if until:
            if not queries.lock_due(self._transaction, key, work.sending, now, 1):
                return
            if not self._rules.quota.grow(sharing, now):
                self._done.rounds[key] = Round(wait_until=until)
                return
            left = self._rules.quota.allowance(sharing, now)[1]
        try:
            app = self._rules.credentials.app(row)
        except CredentialsWrong as error:
            self._done.rounds[key] = Round(error=error)
            return
        limit = min(left, work.room)
        due = self._people.add(queries.lock_due(self._transaction, key, work.sending, now, limit))
        users = {user for person in due for user in (person.applied_user_id, person.teams_user_id) if user}
        sharing_people = self._sharing_people(row, users)
        choice = Choice(row, wishes(sharing_people, self._others(row), now), now, self._rules.random)
        chosen = choice.prepare(due)
        give_all(sharing_people, choice.left, now)
        self._rules.quota.reserve(row, len(chosen), now)
        has_messages = any(person.status_due_at and person.status_due_at <= now for person in due)
        self._done.rounds[key] = Round(app, chosen, len(due) == limit, None, has_messages, now)

    def _is_blocked(self, key: str) -> bool:
        return any(name == key and lasting and service in health.TEAMS for name, service, lasting in self._problems)

    def _sharing_people(self, row: IntegrationRow, users: Collection[str]) -> list[PersonRow]:
        """The people of others who share the application, for these Teams users."""
        others = self._others(row)
        return self._people.add(
            queries.of_teams_users(self._transaction, others, users) if others and users else []
        )

    def _has_siblings(self, row: IntegrationRow) -> bool:
        """Whether another integration of the same customer has its application."""
        others = self._sharing[row.id] - {row.id}
        return any(self._all[name].owner_tenant == row.owner_tenant for name in others)

    def _others(self, row: IntegrationRow) -> Mapping[str, IntegrationRow]:
        """Those who share the application, and whose credentials are not refused."""
        return {name: self._all[name] for name in self._sharing[row.id] - {row.id} if not self._is_blocked(name)}


def _snapshots(work: Work) -> list[LineSnapshot]:
    return [each for poll in work.polls for each in poll.snapshots]


def _unknown_in(poll: Poll) -> Counter[str]:
    """The names of states that no table knows."""
    calls = [call for snapshot in poll.snapshots for call in snapshot.calls if call.state is None]
    return Counter(cleaned(call.state_name, 60) for call in calls)
