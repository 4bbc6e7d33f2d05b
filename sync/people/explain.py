"""Why Teams shows what it shows for a person: facts in, rungs and one reason out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.queries.people.hidden import OUTSIDE, hidden_by
from storage.tables.columns import UNSURE
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.errors import CredentialsWrong, Fault, SyncError
from sync.domain.model import Service, ServiceHealth
from sync.domain.people import Device, Explanation, Light, PersonLine, Reason, Rung, SentChange, Step
from sync.domain.presence import Effect, LineState, Presence, Shown
from sync.people.scope.rules import scope_of
from sync.presence import plan
from sync.presence.effect import effect_of
from sync.presence.further_mappings import further_of
from sync.problems.health import service_of

AMBIGUOUS = frozenset({"Available", "Away"})
"""What a person can choose by hand, and what their own client shows too once our session is gone."""

JUST_NOW = timedelta(minutes=1)
"""A session that Graph accepted less than this ago is there."""

TALKING = frozenset({"InACall", "InAConferenceCall"})
TEAMS = (Service.ENTRA, Service.GRAPH)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known. ``shown`` is what Teams shows now, None if it could not be read, for ``read_error`` if any.

    ``others_wish`` is what another integration of the customer with the same application wants shown. Of another
    customer's, which is never named, only ``has_foreign_wish`` is known: that it wants something shown.
    ``quota_until`` is until when nothing may be sent. ``device`` is the phone that says most. ``selecting`` is the
    rule, as its kind and what people know of it, by which a further mapping applies to the person.
    """

    person: Person
    line: PersonLine
    integration: Integration
    health: Sequence[ServiceHealth]
    now: datetime
    device: Device | None = None
    selecting: str = ""
    sent: tuple[SentChange, ...] = ()
    quota_until: datetime | None = None
    others_wish: Presence | None = None
    has_foreign_wish: bool = False
    shown: Shown | None = None
    read_error: SyncError | None = None

    @property
    def wanted(self) -> Presence | None:
        """What Teams should show from us, as the rules have it."""
        return plan.wanted_presence(self.person, self.integration)

    @property
    def is_applied(self) -> bool:
        """Whether Graph accepted what is wanted, and it has not ended since."""
        person, wanted = self.person, self.wanted
        ended = plan.has_ended(person, self.now)
        if wanted is None:
            return person.applied is None or ended
        return person.applied == wanted and person.applied_user_id == person.teams_user_id and not ended

    def problem(self, *services: Service) -> ServiceHealth | None:
        return next((each for each in self.health if each.service in services and each.error), None)


def explain(facts: Facts) -> Explanation:
    reason, of_reason, faulty = _reason(facts)
    return Explanation(
        person=facts.line,
        rungs=(_phone(facts), _rule(facts), _sent(facts), _teams(facts)),
        reason=reason,
        facts=of_reason,
        faulty=faulty,
        sent=facts.sent,
        at=facts.now,
    )


# The reason


Answer = tuple[Reason, Mapping[str, str], Service | None]


def _reason(facts: Facts) -> Answer:
    of_phone = _outside_hours(facts) if facts.integration.closed else _by_phone(facts)
    return _by_rule(facts) or of_phone or _by_sending(facts) or _by_teams(facts)


def _by_rule(facts: Facts) -> Answer | None:
    """What an administrator decided, or what the directories say."""
    person = facts.person
    if not facts.integration.enabled:
        return Reason.PAUSED, {}, None
    if hidden := hidden_by(person):
        return Reason(hidden), _scope_rule(facts), None
    if not person.teams_user_id:
        known = {"reason": person.unmatched} if person.unmatched else {}
        return (Reason.LEFT_OUT if known else Reason.NOT_READ), known, None
    return None


def _scope_rule(facts: Facts) -> dict[str, str]:
    """The rule that puts the person outside the scope: its kind, and its value as people know it."""
    if hidden_by(facts.person) != OUTSIDE:
        return {}
    kind, _, value = facts.person.outside.partition(":")
    names = {rule.key: rule.said for rule in scope_of(facts.integration.scope).rules}
    return {"rule": f"{kind}:{names.get(facts.person.outside, value)}"}


def _outside_hours(facts: Facts) -> Answer | None:
    """Nothing is shown; unless something is not cleared yet, or Teams shows a call that is not ours."""
    if not facts.is_applied or facts.others_wish or _is_talking(facts):
        return None
    return Reason.CLOSED, _until(facts), None


def _until(facts: Facts) -> Mapping[str, str]:
    """When the hours begin."""
    turns_at = facts.integration.turns_at
    return {"until": turns_at.isoformat() if turns_at else ""}


def _is_talking(facts: Facts) -> bool:
    return bool(TALKING & set(facts.shown or ()))


def _by_phone(facts: Facts) -> Answer | None:
    """Nothing, or nothing recent enough, is known of the phone."""
    person = facts.person
    if person.line == LineState.UNKNOWN:
        down = facts.problem(Service.CLOUDLINK)
        if not person.extension:
            return Reason.LEFT_OUT, {"reason": "no_extension"}, None
        return (Reason.PHONES_DOWN if down else Reason.NOT_HEARD), {}, down.service if down else None
    if facts.wanted and not facts.is_applied and plan.is_stale(person, facts.now):
        return Reason.STALE, {}, None
    return None


def _by_sending(facts: Facts) -> Answer | None:
    """What is wanted is not accepted by Graph (yet)."""
    person = facts.person
    if facts.is_applied:
        return None
    if facts.others_wish and facts.others_wish != facts.wanted:
        return Reason.SHARED, {"presence": facts.others_wish.activity}, None
    error = _failure(facts)
    if isinstance(error, CredentialsWrong):
        return Reason.CREDENTIALS, {}, service_of(error)
    if person.refusal:
        return Reason.REFUSED, {"code": person.refusal}, None
    if error:
        return Reason.SERVICE_DOWN, {}, service_of(error)
    if facts.has_foreign_wish and not facts.wanted:
        return None
    return (Reason.QUOTA if _must_wait(facts) else Reason.PENDING), {}, None


def _failure(facts: Facts) -> SyncError | None:
    """Why nothing can be sent: a stored problem, or why reading failed now, unless that concerns reading alone."""
    if stored := facts.problem(*TEAMS):
        return stored.error
    error = facts.read_error
    is_of_all = error and (service_of(error) is Service.ENTRA or error.fault is Fault.GRAPH_UNREACHABLE)
    return error if is_of_all else None


def _must_wait(facts: Facts) -> bool:
    return facts.quota_until is not None and facts.quota_until > facts.now


def _by_teams(facts: Facts) -> Answer:
    """Graph accepted what is wanted: does Teams show it?"""
    if facts.shown is None:
        return Reason.UNREAD, {}, None
    wanted, words = facts.wanted, _words(facts.shown)
    if facts.others_wish and facts.others_wish != wanted and _is_shown(facts.others_wish, facts.shown):
        return Reason.SHARED, {"presence": facts.others_wish.activity}, None
    if wanted is None:
        return (Reason.NOT_OURS if _is_talking(facts) else Reason.NOTHING), words, None
    match effect_of(wanted, facts.shown, sent_again=_is_there(facts)):
        case Effect.AS_WISHED:
            return Reason.SHOWN, words, None
        case Effect.CHOSEN | Effect.PERHAPS_CHOSEN:
            return Reason.CHOSEN, words, None
        case Effect.OUTRANKED:
            return Reason.STRONGER, words, None
        case Effect.NOT_SHOWN:
            is_ambiguous = facts.shown.activity in AMBIGUOUS
            return (Reason.OVERRULED if is_ambiguous else Reason.LOST), words, None
    return Reason.UNREAD, words, None


def _is_there(facts: Facts) -> bool:
    """Whether our session cannot be gone yet: Graph has just accepted it."""
    accepted_at = facts.person.applied_at
    return accepted_at is not None and facts.now - accepted_at <= JUST_NOW


def _is_shown(wanted: Presence, shown: Shown) -> bool:
    return effect_of(wanted, shown) is Effect.AS_WISHED


def _words(shown: Shown) -> dict[str, str]:
    availability, activity = shown
    return {"shown": activity or availability}


# The rungs


def _phone(facts: Facts) -> Rung:
    person = facts.person
    if person.line == LineState.UNKNOWN:
        return Rung(Step.PHONE, Light.WRONG, "unknown" if person.extension else "none", None)
    is_old = bool(facts.problem(Service.CLOUDLINK)) or (facts.wanted and plan.is_stale(person, facts.now))
    light = Light.WAITING if is_old else Light.GOOD
    if facts.device is None:
        return Rung(Step.PHONE, light, "said_somewhere", person.heard_at, {"line": person.line})
    said = {"line": person.line, "device": facts.device.extension}
    return Rung(Step.PHONE, light, "read" if facts.device.by_poll else "said", person.heard_at, said)


def _rule(facts: Facts) -> Rung:
    person = facts.person
    if not facts.integration.enabled:
        return Rung(Step.RULE, Light.OFF, "paused")
    if hidden := hidden_by(person):
        return Rung(Step.RULE, Light.OFF, hidden, None, _scope_rule(facts))
    if not person.teams_user_id:
        if not person.unmatched:
            return Rung(Step.RULE, Light.WAITING, "not_read")
        return Rung(Step.RULE, Light.WRONG, "left_out", facts.integration.matched_at, {"reason": person.unmatched})
    if facts.integration.closed:
        return Rung(Step.RULE, Light.OFF, "closed", facts.integration.turned_at, _until(facts))
    if person.line == LineState.UNKNOWN:
        return Rung(Step.RULE, Light.OFF, "unknown")
    own, said = _mapping(facts)
    if not facts.wanted:
        return Rung(Step.RULE, Light.GOOD, f"nothing{own}", person.desired_at, said)
    said["presence"] = facts.wanted.activity
    return Rung(Step.RULE, Light.GOOD, f"show{own}", person.desired_at, said)


def _mapping(facts: Facts) -> tuple[str, dict[str, str]]:
    """Which mapping decides: a further one, which is named, the integration's own choice, or the default."""
    person, said = facts.person, {"line": facts.person.line}
    for each in further_of(facts.integration.further):
        if each.id == person.mapping:
            named = {**said, "mapping": each.name}
            return (".selected", {**named, "rule": facts.selecting}) if facts.selecting else (".named", named)
    line = LineState.ON_CALL if person.line == LineState.ON_HOLD else person.line
    return ".own" if line in facts.integration.mapping else "", said


def _sent(facts: Facts) -> Rung:
    person = facts.person
    if not facts.sent:
        key = "waiting" if person.applied == UNSURE or not facts.is_applied else "never"
        return Rung(Step.SENT, Light.WAITING if key == "waiting" else Light.OFF, key)
    last = facts.sent[0]
    presence = Presence(last.presence).activity if last.presence else ""
    what = "set" if presence else "clear"
    light = {"done": Light.GOOD, "throttled": Light.WAITING}.get(last.result, Light.WRONG)
    if last.result == "done" and not facts.is_applied:
        light = Light.WAITING
    return Rung(Step.SENT, light, f"{what}.{last.result}", last.at, {"presence": presence, "detail": last.detail})


def _teams(facts: Facts) -> Rung:
    if not facts.person.teams_user_id:
        return Rung(Step.TEAMS, Light.OFF, "nobody")
    if facts.shown is None:
        fault = facts.read_error.fault.value if facts.read_error else ""
        return Rung(Step.TEAMS, Light.WAITING, "unread", facts.now, {"fault": fault})
    wanted = facts.wanted
    is_right = _is_shown(wanted, facts.shown) if wanted else not _is_talking(facts)
    return Rung(Step.TEAMS, Light.GOOD if is_right else Light.WRONG, "shows", facts.now, _words(facts.shown))
