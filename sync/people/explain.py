"""Why Teams shows what it shows for a person: facts in, rungs and one reason out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.queries.people.hidden import OUTSIDE, hidden_by
from storage.tables.columns import UNSURE
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.errors import CredentialsWrong, Fault, SyncError, detail_of
from sync.domain.model import Service, ServiceHealth, Unmatched
from sync.domain.people import Device, Explanation, Light, PersonLine, Reason, Rung, SentChange, Step
from sync.domain.presence import Effect, LineState, Presence, Shown
from sync.people.scope.rules import scope_of
from sync.presence import plan
from sync.presence.effect import effect_of
from sync.presence.further_mappings import further_of
from sync.presence.mapping import counted_as, overrides_for, presence_of
from sync.presence.shared_sessions import OtherPresence
from sync.problems.health import service_of

AMBIGUOUS = frozenset({"Available", "Away"})
"""What a person can choose by hand, and what their own client shows too once our session is gone."""

JUST_NOW = timedelta(minutes=1)
"""What Graph accepted less than this ago may not be in what it says yet."""

OF_PEOPLE = (Fault.GRAPH_EVERYONE_REFUSED,)
TALKING = frozenset({"InACall", "InAConferenceCall"})
TEAMS = (Service.ENTRA, Service.GRAPH)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known. ``shown`` is what Teams shows now, None if it could not be read, for ``read_error`` if any.

    ``others_wish`` is what another integration of the customer with the same application wants shown. Of another
    customer's, which is never named, only ``has_foreign_wish`` is known: that it wants something shown.
    ``others_shown`` is what others of the customer have shown for the same Teams user, though some may not change
    it any more: their credentials are refused.
    ``quota_until`` is until when the quota lets nothing be sent. ``is_changing``: what our session shows changed
    while Teams was read, or is to change for another of the people who share it. ``device`` is the phone that says
    most. ``selecting`` is the rule, as its kind and what people know of it, by which a further mapping applies to
    the person. ``is_cleared``: an administrator had what was known of the phone forgotten, and nothing came since.
    ``phone_answered`` is whether CloudLink, asked just now, said what the phone does; None if it was not asked.
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
    others_wish: OtherPresence | None = None
    has_foreign_wish: bool = False
    others_shown: tuple[OtherPresence, ...] = ()
    shown: Shown | None = None
    read_error: SyncError | None = None
    is_changing: bool = False
    is_cleared: bool = False
    phone_answered: bool | None = None

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
        """Of these services; that everyone is refused is said of each person by their own refusal."""
        found = ((each, each.error) for each in self.health if each.service in services)
        return next((each for each, error in found if error and error.fault not in OF_PEOPLE), None)


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
    said = f"{kind}:{names.get(facts.person.outside, value)}"
    return {"rule": f"except:{said}" if value else said}


def _outside_hours(facts: Facts) -> Answer | None:
    """Nothing is shown; unless something is not cleared yet, or Teams shows a call that is not ours."""
    if not facts.is_applied or facts.others_wish or _of_others(facts) or _is_talking(facts):
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
        if not person.extension:
            return Reason.LEFT_OUT, {"reason": "no_extension"}, None
        if _is_out_of_reach(facts):
            return Reason.PHONES_DOWN, {}, Service.CLOUDLINK
        return _unheard(facts), {}, None
    if facts.wanted and not facts.is_applied and plan.is_stale(person, facts.now):
        return Reason.STALE, {}, None
    return None


def _unheard(facts: Facts) -> Reason:
    if facts.is_cleared:
        return Reason.CLEARED
    return Reason.SHARED_EXTENSION if _is_shared(facts) else Reason.NOT_HEARD


def _by_sending(facts: Facts) -> Answer | None:
    """What is wanted is not accepted by Graph (yet)."""
    person = facts.person
    if facts.is_applied:
        return None
    if facts.others_wish and facts.others_wish.presence != facts.wanted:
        return _shared(facts.others_wish)
    hindered = _hindered(facts)
    if person.refusal and not (hindered and hindered[0] is Reason.CREDENTIALS):
        return Reason.REFUSED, {"code": person.refusal}, None
    if facts.has_foreign_wish and not facts.wanted and not hindered:
        return None
    return _waiting(facts)


def _hindered(facts: Facts) -> Answer | None:
    """Nothing can be sent for anyone."""
    error = _failure(facts)
    if error is None or error.fault is Fault.GRAPH_THROTTLED:
        return None
    if isinstance(error, CredentialsWrong):
        return Reason.CREDENTIALS, {}, service_of(error)
    return Reason.SERVICE_DOWN, {"detail": detail_of(error)}, service_of(error)


def _waiting(facts: Facts) -> Answer:
    """The change is sent as soon as Microsoft answers and accepts us, and the quota has room."""
    if hindered := _hindered(facts):
        return hindered
    stored = facts.problem(*TEAMS)
    is_throttled = bool(stored and stored.error and stored.error.fault is Fault.GRAPH_THROTTLED)
    is_limited = facts.quota_until is not None and facts.quota_until > facts.now
    if is_throttled or is_limited:
        return Reason.QUOTA, {}, None
    last = next(iter(facts.sent), None)
    is_busy = last is not None and last.detail.split(" ")[0] == Fault.GRAPH_BUSY
    return (Reason.BUSY, {"detail": last.detail}, None) if last and is_busy else (Reason.PENDING, {}, None)


def _failure(facts: Facts) -> SyncError | None:
    """Why nothing can be sent: a stored problem, or why reading failed now, unless that concerns reading alone."""
    if stored := facts.problem(*TEAMS):
        return stored.error
    error = facts.read_error
    is_of_all = error and (service_of(error) is Service.ENTRA or error.fault is Fault.GRAPH_UNREACHABLE)
    return error if is_of_all else None


def _by_teams(facts: Facts) -> Answer:
    """Graph accepted what is wanted: does Teams show it?"""
    if facts.shown is None:
        hindered = _hindered(facts)
        return hindered if hindered and hindered[0] is Reason.CREDENTIALS else (Reason.UNREAD, {}, None)
    wanted, words = facts.wanted, _words(facts.shown)
    if other := _of_others(facts):
        is_wish = other == facts.others_wish or not facts.is_changing
        return _shared(other) if is_wish else _waiting(facts)
    if wanted is None:
        return _waiting(facts) if _is_talking(facts) and facts.is_changing else (_nothing(facts), words, None)
    match effect_of(wanted, facts.shown):
        case Effect.AS_WISHED:
            return (Reason.OLD_NEWS if _is_out_of_reach(facts) else Reason.SHOWN), words, None
        case Effect.CHOSEN:
            return Reason.CHOSEN, words, None
        case Effect.OUTRANKED:
            return _waiting(facts) if facts.is_changing else (Reason.STRONGER, words, None)
        case Effect.NOT_SHOWN if _has_just_accepted(facts):
            return Reason.SETTLING, words, None
        case Effect.NOT_SHOWN:
            is_ambiguous = facts.shown.activity in AMBIGUOUS
            return (Reason.OVERRULED if is_ambiguous else Reason.LOST), words, None
    return Reason.UNREAD, words, None


def _shared(other: OtherPresence) -> Answer:
    return Reason.SHARED, {"presence": other.presence.activity, "integration": other.integration}, None


def _of_others(facts: Facts) -> OtherPresence | None:
    """What Teams shows instead of what is wanted, where another integration set it."""
    others = (each for each in (facts.others_wish, *facts.others_shown) if each and each.presence != facts.wanted)
    return next((each for each in others if facts.shown and _is_shown(each.presence, facts.shown)), None)


def _nothing(facts: Facts) -> Reason:
    """Why nothing is to be shown, or why something is all the same."""
    if _is_talking(facts):
        return Reason.SETTLING if _has_just_accepted(facts) else Reason.NOT_OURS
    line = LineState(facts.person.line)
    if presence_of(line, {}) and not facts.person.desired and not facts.integration.closed:
        return Reason.MAPPED
    if _is_shared(facts):
        return Reason.SHARED_EXTENSION
    return Reason.OLD_NEWS if _is_out_of_reach(facts) else Reason.NOTHING


def _is_shared(facts: Facts) -> bool:
    """Whether a report without a name could be about another person."""
    return facts.person.unmatched == Unmatched.SHARED_EXTENSION


def _is_out_of_reach(facts: Facts) -> bool:
    """Whether the phone may be in another state than we know."""
    return facts.phone_answered is False or facts.problem(Service.CLOUDLINK) is not None


def _has_just_accepted(facts: Facts) -> bool:
    """Whether Graph accepted what is wanted so lately that it may not show it yet."""
    last = next(iter(facts.sent), None)
    is_cleared = last is not None and last.result == "done" and not last.presence
    at = facts.person.applied_at if facts.wanted else last.at if last and is_cleared else None
    return at is not None and facts.now - at <= JUST_NOW


def _is_shown(wanted: Presence, shown: Shown) -> bool:
    return effect_of(wanted, shown) is Effect.AS_WISHED


def _words(shown: Shown) -> dict[str, str]:
    availability, activity = shown
    return {"shown": activity or availability}


# The rungs


def _phone(facts: Facts) -> Rung:
    person = facts.person
    if person.line == LineState.UNKNOWN:
        return _unknown_phone(facts)
    is_old = _is_out_of_reach(facts) or (facts.wanted and plan.is_stale(person, facts.now))
    light = Light.WAITING if is_old else Light.GOOD
    at = facts.now if facts.phone_answered else person.heard_at
    if facts.device is None:
        return Rung(Step.PHONE, light, "said_somewhere", at, {"line": person.line})
    said = {"line": person.line, "device": facts.device.extension}
    key = "read" if facts.device.by_poll or facts.phone_answered else "said"
    return Rung(Step.PHONE, light, key if facts.device.own else f"{key}_other", at, said)


def _unknown_phone(facts: Facts) -> Rung:
    if not facts.person.extension:
        return Rung(Step.PHONE, Light.WRONG, "none")
    if not facts.integration.enabled:
        return Rung(Step.PHONE, Light.OFF, "paused")
    if facts.is_cleared:
        return Rung(Step.PHONE, Light.WAITING, "cleared", facts.person.desired_at)
    if _is_shared(facts):
        return Rung(Step.PHONE, Light.WAITING, "shared_extension")
    return Rung(Step.PHONE, Light.WRONG, "unknown")


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
    if _is_shared(facts) and not facts.wanted:
        return Rung(Step.RULE, Light.WAITING, "shared_extension")
    if person.line == LineState.UNKNOWN:
        return Rung(Step.RULE, Light.OFF, "unknown")
    own, said = _mapping(facts)
    if not facts.wanted:
        return Rung(Step.RULE, Light.GOOD, f"nothing{own}", person.desired_at, said)
    said["presence"] = facts.wanted.activity
    return Rung(Step.RULE, Light.GOOD, f"show{own}", person.desired_at, said)


def _mapping(facts: Facts) -> tuple[str, dict[str, str]]:
    """Which mapping decides: a further one, which is named, the integration's own choice, or the default.

    Where it was chosen, also what a state that is left alone counts as.
    """
    person, integration = facts.person, facts.integration
    overrides = overrides_for(integration, person.mapping)
    states = counted_as(LineState(person.line), overrides, LineState(person.line_without_dnd))
    is_chosen = bool(overrides.keys() & set(states))
    said = {"line": person.line, **({"counts_as": states[-1].value} if is_chosen and states[1:] else {})}
    for each in further_of(integration.further):
        if each.id == person.mapping:
            named = {**said, "mapping": each.name}
            return (".selected", {**named, "rule": facts.selecting}) if facts.selecting else (".named", named)
    return ".own" if is_chosen else "", said


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
    if _of_others(facts):
        return Rung(Step.TEAMS, Light.OFF, "shows", facts.now, _words(facts.shown))
    wanted = facts.wanted
    is_right = _is_shown(wanted, facts.shown) if wanted else not _is_talking(facts)
    wrong = Light.WAITING if _has_just_accepted(facts) else Light.WRONG
    return Rung(Step.TEAMS, Light.GOOD if is_right else wrong, "shows", facts.now, _words(facts.shown))
