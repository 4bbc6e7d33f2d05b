"""Which notices an integration's administrators are due, and which are no longer needed. Pure: rows in, a plan out.

The database guarantees "exactly once": a notice is unique by integration, topic, stage and audience. So several
processes may plan at the same time, before and after a crash, and with a clock that jumps: a notice that exists is
not added again. Only the threshold that applies today is due, so after a long absence there is one notice. If the
clock is set back, its thresholds are notified already; if it runs ahead, the latest threshold is due.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from storage.queries.health.notices import DELIVERED, REPETITION, State
from storage.tables.history import HistoryEntry
from storage.tables.integrations import Integration
from storage.tables.notices import Notice
from storage.tables.problems import Problem
from storage.tables.rotations import Rotation
from sync.domain.errors import REPLACES_SECRET
from sync.domain.model import BOT, CredentialKind, Service
from sync.domain.rotation import RotationKind, RotationStep
from sync.problems.digests import Period, Wish, period_due
from sync.problems.incidents import (
    CLOCK,
    OWN,
    Incident,
    incidents_of,
    is_all_clear,
    is_covered,
    is_resolved,
    notify_at,
)

EXPIRY: Final = "expiry"
PROBLEM: Final = "problem"
CLEAR: Final = "clear"
ROTATION: Final = "rotation"
UPDATE: Final = "update"
DIGEST: Final = "digest"

CLOSABLE = (EXPIRY, PROBLEM, UPDATE)
"""Notices of these topics stay open until they are resolved, and are closed then; the others are only sent."""

THRESHOLDS = (60, 30, 14, 7, 3, 1, 0)
"""Days before a secret's last day on which administrators are alerted; after it, every day."""

UNKNOWN_AFTER = timedelta(days=7)
"""How long a secret without a known last day is in use before that is alerted."""

REPORTED_FOR = timedelta(days=7)
"""A rotation that ended earlier is not reported."""

SEEN = timedelta(seconds=10)
"""An administrator's own rotation that fails within this time is shown on its card."""

STUCK_AFTER = timedelta(days=1)
"""A process died while sending: after this long a notice that still applies is sent again, as a repetition."""

REPLACEMENTS = ("rotate", "switch_credential")
CHANGES = (*REPLACEMENTS, "edit_teams")
"""The acts (``storage.queries.history``) that may change when credentials expire."""

SWAPPED = (RotationStep.PROVE, RotationStep.REMOVE, RotationStep.DONE)
"""The steps of a rotation whose new secret is in use."""

UNKNOWN_DATE: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Recipient:
    """``audience`` is an administrator's object id, or ``channel:`` and a conversation id."""

    audience: str
    is_reachable: bool = True
    is_muted: bool = False
    digest: Wish | None = None


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A notice that is due, for all recipients or for ``audiences`` only.

    With the fact ``urgent`` it does not wait for the end of quiet hours. One that is ``silent`` is stored as
    dropped: there is nothing to say.
    """

    topic: str
    stage: str
    facts: Mapping[str, Any]
    audiences: frozenset[str] | None = None
    silent: bool = False

    @property
    def name(self) -> tuple[str, str]:
        return self.topic, self.stage

    def is_for(self, recipient: Recipient) -> bool:
        return self.audiences is None or recipient.audience in self.audiences


@dataclass(frozen=True, slots=True)
class Resolution:
    """How an open notice was resolved.

    ``how`` is ``replaced``, ``changed``, ``healed``, ``disabled`` or ``installed``; ``by`` is a name, or ``bot``.
    """

    notice: Notice
    how: str
    by: str
    at: datetime


@dataclass(slots=True)
class Plan:
    """Notices to add, ids of notices to drop and to queue again, and open notices to close."""

    new: list[Notice] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    requeued: list[str] = field(default_factory=list)
    resolved: list[Resolution] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.new or self.dropped or self.requeued or self.resolved)


@dataclass(frozen=True, slots=True)
class PlanInput:
    """Everything a plan depends on. ``problems`` are the open ones and those closed recently.

    ``last_act`` is the newest successful one among ``CHANGES``; ``update`` the feature version that can be
    installed, None for none. ``digests`` are the facts of those that ``digests_due`` names, None for
    nothing to say.
    """

    integration: Integration
    notices: Sequence[Notice]
    problems: Sequence[Problem]
    rotations: Sequence[Rotation]
    recipients: Sequence[Recipient]
    last_act: HistoryEntry | None
    update: int | None
    now: datetime
    digests: Mapping[Period, Mapping[str, Any] | None] = field(default_factory=dict)

    @property
    def active_recipients(self) -> list[Recipient]:
        return [one for one in self.recipients if one.is_reachable and not one.is_muted]


def threshold(expires_on: date, today: date) -> int | None:
    """The threshold that applies today, None when it is too early; negative for days past."""
    days = (expires_on - today).days
    if days < 0:
        return days
    return min((limit for limit in THRESHOLDS if days <= limit), default=None)


def says_valid(notice: Notice, today: date) -> bool:
    """Whether it says that the credential in use is valid, until a date or until one that is not known."""
    if notice.topic == ROTATION:
        return not notice.facts.get("fault")
    return notice.topic == EXPIRY and notice.facts.get("expires_on", today.isoformat()) >= today.isoformat()


def plan(given: PlanInput) -> Plan:
    """Which notices to add, drop, queue again and close now."""
    incidents = incidents_of(given.problems)
    due = list(_due_notices(given, incidents))
    made = Plan(new=_new_notices(given, due))
    current = {notice.name for notice in due}
    active = {recipient.audience for recipient in given.active_recipients}
    for notice in given.notices:
        is_current = (notice.topic, original_stage(notice.stage)) in current
        if notice.state == State.WAITING and not is_current:
            made.dropped.append(notice.id)
        elif is_current and notice.audience in active and _is_held_back(notice):
            made.requeued.append(notice.id)
        elif notice.state == State.SENT and (resolution := _resolution(given, incidents, notice)):
            made.resolved.append(resolution)
    return made


def _is_held_back(notice: Notice) -> bool:
    """Whether it could not be sent, or did not apply for a while; a digest is dropped with nothing to say."""
    return notice.state == State.UNREACHABLE or (notice.state == State.DROPPED and notice.topic != DIGEST)


def digests_due(given: PlanInput) -> set[Period]:
    """The digests that are to be made now: someone is due one, and it was not made for them before."""
    known = {(notice.stage, notice.audience) for notice in given.notices if notice.topic == DIGEST}
    return {period for recipient, period in _digests(given) if (period.stage, recipient.audience) not in known}


def _digests(given: PlanInput) -> Iterator[tuple[Recipient, Period]]:
    for recipient in given.active_recipients:
        period = period_due(recipient.digest, given.now) if recipient.digest else None
        if period:
            yield recipient, period


def original_stage(stage: str) -> str:
    """The stage without the name of the repetition."""
    return stage.partition(REPETITION)[0]


def _due_notices(given: PlanInput, incidents: Sequence[Incident]) -> Iterator[DueNotice]:
    yield from _expiry_notices(given)
    yield from _incident_notices(given, incidents)
    for rotation in given.rotations:
        if _is_reported(rotation, given.now):
            expires = rotation.expires_on.isoformat() if rotation.expires_on else ""
            facts = {"fault": "", "step": rotation.step, "expires_on": expires}
            facts |= {"kind": rotation.kind, "credential": rotation.credential}
            facts["fault" if rotation.step == RotationStep.FAILED else "old_left"] = rotation.fault
            yield DueNotice(ROTATION, rotation.id, facts)
    if given.update is not None:
        yield DueNotice(UPDATE, str(given.update), {"version": given.update})
    for recipient, period in _digests(given):
        said = given.digests.get(period)
        yield DueNotice(DIGEST, period.stage, said or {}, frozenset({recipient.audience}), silent=not said)


def _is_reported(rotation: Rotation, now: datetime) -> bool:
    """One that the bot began, unless an edit ended it; one that failed when nobody looked at its card any more."""
    ended_at, has_failed = rotation.finished_at, rotation.step == RotationStep.FAILED
    if ended_at is None or ended_at + REPORTED_FOR <= now:
        return False
    if rotation.kind == RotationKind.AUTOMATIC:
        return has_failed or rotation.step == RotationStep.DONE
    return has_failed and ended_at - rotation.started_at > SEEN


def _expiry_notices(given: PlanInput) -> Iterator[DueNotice]:
    integration, expires = given.integration, given.integration.secret_expires_on
    if expires is None:
        last = _rotation_since(given, integration.created_at)
        in_use_since = last.started_at if last else integration.created_at
        if _is_date_unknown(integration) and in_use_since + UNKNOWN_AFTER <= given.now:
            yield DueNotice(EXPIRY, f"{UNKNOWN_DATE}/{last.id}" if last else UNKNOWN_DATE, {})
        return
    limit = threshold(expires, given.now.date())
    if limit is not None:
        facts = {"expires_on": expires.isoformat(), "credential": integration.credential}
        yield DueNotice(EXPIRY, f"{expires.isoformat()}/{limit}", facts)


def _is_date_unknown(integration: Integration) -> bool:
    return integration.secret_expires_on is None and integration.credential == CredentialKind.SECRET


def _incident_notices(given: PlanInput, incidents: Sequence[Incident]) -> Iterator[DueNotice]:
    notified: defaultdict[str, set[str]] = defaultdict(set)
    for notice in given.notices:
        if notice.topic == PROBLEM and notice.state in DELIVERED:
            notified[original_stage(notice.stage)].add(notice.audience)
    for incident in incidents:
        is_notified = incident.id in notified
        is_due = notify_at(incident, incidents, notified) <= given.now and not is_covered(incident, incidents)
        if incident.ended_at is None and (is_notified or is_due):
            yield DueNotice(PROBLEM, incident.id, {**_facts(incident), "urgent": incident.lasting})
        elif is_notified and _is_known_resolved(given, incident, incidents, notified):
            facts = {**_facts(incident), "urgent": incident.lasting}
            yield DueNotice(CLEAR, incident.id, facts, frozenset(notified[incident.id]))


def _is_known_resolved(
    given: PlanInput, incident: Incident, incidents: Sequence[Incident], notified: Collection[str]
) -> bool:
    return is_all_clear(incident, incidents, notified, given.now) and not _ended_by_disabling(given, incident)


def _ended_by_disabling(given: PlanInput, incident: Incident) -> bool:
    """Whether it is not known since the integration was disabled: what is no service is not checked then."""
    if incident.service not in OWN or incident.service == CLOCK or incident.ended_at is None:
        return False
    enabled, enabled_at = given.integration.enabled, given.integration.enabled_at
    return not enabled or (enabled_at is not None and incident.ended_at < enabled_at)


def _facts(incident: Incident) -> dict[str, Any]:
    return {
        "service": incident.service,
        "fault": incident.fault,
        "lasting": incident.lasting,
        "context": {name: fact for name, fact in incident.facts.items() if isinstance(fact, str | int)},
        "since": incident.since.isoformat(),
        "ended_at": incident.ended_at.isoformat() if incident.ended_at else "",
    }


def _new_notices(given: PlanInput, due: Sequence[DueNotice]) -> list[Notice]:
    known = {(notice.topic, notice.stage, notice.audience): notice for notice in given.notices}
    new: list[Notice] = []
    for notice in due:
        for recipient in given.active_recipients:
            if not notice.is_for(recipient):
                continue
            before = known.get((*notice.name, recipient.audience))
            if before is None:
                new.append(_notice(given, notice, notice.stage, recipient.audience))
            elif _is_stuck(before, given.now):
                new.append(_notice(given, notice, f"{notice.stage}{REPETITION}again", recipient.audience))
    return [row for row in new if (row.topic, row.stage, row.audience) not in known]


def _is_stuck(notice: Notice, now: datetime) -> bool:
    return notice.state == State.SENDING and notice.due_at is not None and notice.due_at + STUCK_AFTER <= now


def _notice(given: PlanInput, due: DueNotice, stage: str, audience: str) -> Notice:
    return Notice(
        integration_id=given.integration.id,
        owner_tenant=given.integration.owner_tenant,
        topic=due.topic,
        stage=stage,
        audience=audience,
        facts=dict(due.facts),
        state=State.DROPPED if due.silent else State.WAITING,
        created_at=given.now,
        due_at=given.now,
    )


def _resolution(given: PlanInput, incidents: Sequence[Incident], notice: Notice) -> Resolution | None:
    """How, by whom and when the subject of an open notice was resolved; None when it was not."""
    if notice.topic == EXPIRY:
        return _expiry_resolution(given, notice)
    if notice.topic == PROBLEM:
        return _incident_resolution(given, incidents, notice)
    if notice.topic == UPDATE and int(original_stage(notice.stage)) <= given.integration.feature_version:
        return Resolution(notice, "installed", "", given.now)
    return None


def _expiry_resolution(given: PlanInput, notice: Notice) -> Resolution | None:
    expires = given.integration.secret_expires_on
    unknown = UNKNOWN_DATE if _is_date_unknown(given.integration) else ""
    if original_stage(notice.stage).partition("/")[0] == (expires.isoformat() if expires else unknown):
        return None
    if rotation := _rotation_since(given, notice.created_at):
        return _by_rotation(given, notice, rotation)
    act = given.last_act if given.last_act and given.last_act.at >= notice.created_at else None
    if act is None:
        return Resolution(notice, "changed", "", given.now)
    return Resolution(notice, "replaced" if act.act in REPLACEMENTS else "changed", act.actor_name, given.now)


def _incident_resolution(given: PlanInput, incidents: Sequence[Incident], notice: Notice) -> Resolution | None:
    incident = next((one for one in incidents if one.id == original_stage(notice.stage)), None)
    if incident and not is_resolved(incident, given.now):
        return None
    is_of_secret = notice.facts["service"] == Service.ENTRA and notice.facts["fault"] in REPLACES_SECRET
    if is_of_secret and (rotation := _rotation_since(given, notice.created_at)):
        return _by_rotation(given, notice, rotation)
    ended_at = incident.ended_at if incident and incident.ended_at else given.now
    how = "disabled" if incident and _ended_by_disabling(given, incident) else "healed"
    return Resolution(notice, how, "", ended_at)


def _by_rotation(given: PlanInput, notice: Notice, rotation: Rotation) -> Resolution:
    by = BOT.id if rotation.started_by == BOT.id else rotation.started_by_name
    return Resolution(notice, "replaced", by, rotation.finished_at or given.now)


def _rotation_since(given: PlanInput, since: datetime) -> Rotation | None:
    """The latest rotation that put a new secret in use after ``since``."""
    done = [
        rotation
        for rotation in given.rotations
        if rotation.step in SWAPPED and (rotation.finished_at or given.now) >= since
    ]
    return max(done, key=lambda rotation: rotation.started_at, default=None)
