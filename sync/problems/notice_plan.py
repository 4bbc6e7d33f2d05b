"""Which notices an integration owes, to whom, and which have served their purpose. Pure: rows in, a plan out.

The promise "exactly once" is kept by the store: a notice is unique by integration, topic, stage and audience.
So a plan may be made by several processes at once, before and after a crash, and by a clock that jumps: what
is there already is not added again. Only the threshold that counts today is owed, so whoever was away for
several is told once. A clock that goes back finds its thresholds told; one that runs ahead tells the latest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from storage.queries.notices import DELIVERED, State
from storage.tables.history import HistoryEntry
from storage.tables.integrations import Integration
from storage.tables.notices import Notice
from storage.tables.problems import Problem
from storage.tables.rotations import Rotation
from sync.domain.model import BOT, CredentialKind
from sync.domain.rotation import RotationKind, RotationStep
from sync.problems.incidents import Incident, incidents_of, is_all_clear, is_over, tell_at

EXPIRY: Final = "expiry"
PROBLEM: Final = "problem"
CLEAR: Final = "clear"
ROTATION: Final = "rotation"
UPDATE: Final = "update"

STANDING = (EXPIRY, PROBLEM, UPDATE)
"""What is told of these stands until somebody acts, and is closed then; the rest is told and done with."""

THRESHOLDS = (60, 30, 14, 7, 3, 1, 0)
"""Days before a secret's last day on which it is warned of; after it, every day."""

UNKNOWN_AFTER = timedelta(days=7)
"""So long after setup a secret without a known last day is warned of."""

REPORTED_FOR = timedelta(days=7)
"""An automatic rotation older than this is no news."""

STUCK = timedelta(days=1)
"""Sent perhaps, by a process that died: after this long what is still true is told anew, under its own name."""

REPLACEMENTS = ("rotate", "switch_credential")
CHANGES = (*REPLACEMENTS, "edit_teams")
"""The acts (``storage.queries.history``) that may change when credentials expire."""

SWAPPED = (RotationStep.PROVE, RotationStep.REMOVE, RotationStep.DONE)
"""Where a rotation stands when the new secret is in use."""

AGAIN: Final = "~"
"""Between a stage and what tells its repetitions apart: ``again``, or the day of a reminder."""

UNKNOWN_DATE: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody who may be told: an administrator's object id, or ``channel:`` and a conversation id."""

    audience: str
    is_reachable: bool = True
    is_muted: bool = False


@dataclass(frozen=True, slots=True)
class DueNotice:
    """Something worth a notice now, for all who listen or for ``audiences`` alone.

    Where its facts say ``urgent``, it does not wait for the end of quiet hours.
    """

    topic: str
    stage: str
    facts: Mapping[str, Any]
    audiences: frozenset[str] | None = None

    @property
    def name(self) -> tuple[str, str]:
        return self.topic, self.stage


@dataclass(frozen=True, slots=True)
class Closing:
    """A notice that was acted upon.

    ``how`` is ``replaced``, ``changed``, ``healed`` or ``installed``; ``by`` is a name, or ``bot``.
    """

    notice: Notice
    how: str
    by: str
    at: datetime


@dataclass(slots=True)
class Plan:
    new: list[Notice] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    revived: list[str] = field(default_factory=list)
    closing: list[Closing] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.new or self.dropped or self.revived or self.closing)


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a plan is made from. ``problems`` are the open ones and those healed lately.

    ``last_act`` is the newest successful one among ``CHANGES``; ``update`` the feature version to be had.
    """

    integration: Integration
    notices: Sequence[Notice]
    problems: Sequence[Problem]
    rotations: Sequence[Rotation]
    listeners: Sequence[Listener]
    last_act: HistoryEntry | None
    update: int | None
    now: datetime


def threshold(expires_on: date, today: date) -> int | None:
    """The threshold that counts today, None when it is too early; negative for days past."""
    days = (expires_on - today).days
    if days < 0:
        return days
    return min((limit for limit in THRESHOLDS if days <= limit), default=None)


def plan(of: Situation) -> Plan:
    """What to add, to drop, to bring back and to close now."""
    troubles = incidents_of(of.problems)
    matters = list(_matters(of, troubles))
    made = Plan()
    _add_new(made, of, matters)
    current = {matter.name for matter in matters}
    reachable = {one.audience for one in of.listeners if one.is_reachable and not one.is_muted}
    for notice in of.notices:
        is_current = (notice.topic, base(notice.stage)) in current
        if notice.state == State.WAITING and not is_current:
            made.dropped.append(notice.id)
        elif notice.state == State.UNREACHABLE and is_current and notice.audience in reachable:
            made.revived.append(notice.id)
        elif notice.state == State.SENT and (closing := _closing(of, troubles, notice)):
            made.closing.append(closing)
    return made


def base(stage: str) -> str:
    """The stage that a repetition repeats."""
    return stage.partition(AGAIN)[0]


def _matters(of: Situation, troubles: Sequence[Incident]) -> Iterator[DueNotice]:
    yield from _expiry(of)
    yield from _problems(of, troubles)
    for rotation in of.rotations:
        if rotation.kind == RotationKind.AUTOMATIC and _is_news(rotation, of.now):
            expires = rotation.expires_on.isoformat() if rotation.expires_on else ""
            fault = rotation.fault if rotation.step == RotationStep.FAILED else ""
            yield DueNotice(ROTATION, rotation.id, {"fault": fault, "step": rotation.step, "expires_on": expires})
    if of.update is not None:
        yield DueNotice(UPDATE, str(of.update), {"version": of.update})


def _is_news(rotation: Rotation, now: datetime) -> bool:
    return rotation.finished_at is not None and rotation.finished_at + REPORTED_FOR > now


def _expiry(of: Situation) -> Iterator[DueNotice]:
    integration, expires = of.integration, of.integration.secret_expires_on
    if expires is None:
        is_secret = integration.credential == CredentialKind.SECRET
        if is_secret and integration.created_at + UNKNOWN_AFTER <= of.now:
            yield DueNotice(EXPIRY, UNKNOWN_DATE, {})
        return
    limit = threshold(expires, of.now.date())
    if limit is not None:
        facts = {"expires_on": expires.isoformat(), "credential": integration.credential}
        yield DueNotice(EXPIRY, f"{expires.isoformat()}/{limit}", facts)


def _problems(of: Situation, troubles: Sequence[Incident]) -> Iterator[DueNotice]:
    heard: dict[str, set[str]] = {}
    for notice in of.notices:
        if notice.topic == PROBLEM and notice.state in DELIVERED:
            heard.setdefault(base(notice.stage), set()).add(notice.audience)
    for trouble in troubles:
        if trouble.ended_at is None and (trouble.stage in heard or tell_at(trouble, troubles, heard) <= of.now):
            yield DueNotice(PROBLEM, trouble.stage, {**_facts(trouble), "urgent": trouble.lasting})
        elif trouble.stage in heard and is_all_clear(trouble, troubles, heard, of.now):
            yield DueNotice(CLEAR, trouble.stage, _facts(trouble), frozenset(heard[trouble.stage]))


def _facts(trouble: Incident) -> dict[str, Any]:
    return {
        "service": trouble.service,
        "fault": trouble.fault,
        "lasting": trouble.lasting,
        "context": {name: fact for name, fact in trouble.facts.items() if isinstance(fact, str | int)},
        "since": trouble.since.isoformat(),
        "ended_at": trouble.ended_at.isoformat() if trouble.ended_at else "",
    }


def _add_new(made: Plan, of: Situation, matters: Sequence[DueNotice]) -> None:
    known = {(notice.topic, notice.stage, notice.audience): notice for notice in of.notices}
    for matter in matters:
        for listener in of.listeners:
            if listener.is_muted or not listener.is_reachable:
                continue
            if matter.audiences is not None and listener.audience not in matter.audiences:
                continue
            before = known.get((*matter.name, listener.audience))
            if before is None:
                made.new.append(_notice(of, matter, matter.stage, listener.audience))
            elif _is_stuck(before, of.now):
                made.new.append(_notice(of, matter, f"{matter.stage}{AGAIN}again", listener.audience))
    made.new = [row for row in made.new if (row.topic, row.stage, row.audience) not in known]


def _is_stuck(notice: Notice, now: datetime) -> bool:
    return notice.state == State.SENDING and notice.due_at is not None and notice.due_at + STUCK <= now


def _notice(of: Situation, matter: DueNotice, stage: str, audience: str) -> Notice:
    return Notice(
        integration_id=of.integration.id,
        owner_tenant=of.integration.owner_tenant,
        topic=matter.topic,
        stage=stage,
        audience=audience,
        facts=dict(matter.facts),
        created_at=of.now,
        due_at=of.now,
    )


def _closing(of: Situation, troubles: Sequence[Incident], notice: Notice) -> Closing | None:
    """Whether, how, by whom and when that was done which the notice asked for."""
    done = _rotation_since(of, notice)
    act = of.last_act if of.last_act and of.last_act.at >= notice.created_at else None
    by, at = (_whose(done), done.finished_at or of.now) if done else (act.actor_name if act else "", of.now)
    if notice.topic == EXPIRY:
        expires = of.integration.secret_expires_on
        if base(notice.stage).partition("/")[0] == (expires.isoformat() if expires else UNKNOWN_DATE):
            return None
        replaced = done is not None or (act is not None and act.act in REPLACEMENTS)
        return Closing(notice, "replaced" if replaced else "changed", by, at)
    if notice.topic == PROBLEM:
        trouble = next((one for one in troubles if one.stage == base(notice.stage)), None)
        if trouble and not is_over(trouble, of.now):
            return None
        mended = bool(done) and notice.facts.get("service") == "entra"
        healed_at = trouble.ended_at if trouble and trouble.ended_at else of.now
        return Closing(notice, "replaced", by, at) if mended else Closing(notice, "healed", "", healed_at)
    if notice.topic == UPDATE and int(base(notice.stage)) <= of.integration.feature_version:
        return Closing(notice, "installed", "", of.now)
    return None


def _whose(rotation: Rotation) -> str:
    return BOT.id if rotation.started_by == BOT.id else rotation.started_by_name


def _rotation_since(of: Situation, notice: Notice) -> Rotation | None:
    """The rotation that put a new secret in use after the notice was made."""
    done = [
        rotation
        for rotation in of.rotations
        if rotation.step in SWAPPED and (rotation.finished_at or of.now) >= notice.created_at
    ]
    return max(done, key=lambda rotation: rotation.started_at, default=None)
