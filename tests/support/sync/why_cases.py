"""Facts about a person for each reason that ``why`` can give: for its tests, and for pictures of its card."""

from datetime import timedelta
from typing import Any

from storage.tables.columns import UNSURE
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.model import Service, ServiceHealth
from sync.domain.people import Device, Reason, SentChange
from sync.domain.presence import Presence, Shown
from sync.people.explain import AMBIGUOUS, Facts
from sync.people.roster import person_line
from sync.presence.shared_sessions import OtherPresence
from tests.support.clocks import NOON
from tests.support.storage.stores import integration, person

CALL = Presence.IN_A_CALL
IDLE: dict[str, Any] = {"line": "idle", "heard_at": NOON}
TALKING: dict[str, Any] = {"line": "on_call", "heard_at": NOON, "desired": CALL, "desired_at": NOON}
APPLIED: dict[str, Any] = {
    **TALKING,
    "applied": CALL,
    "applied_user_id": "teams p1",
    "applied_at": NOON,
    "applied_until": NOON + timedelta(hours=4),
}
IN_A_CALL, AVAILABLE = Shown("Busy", "InACall"), Shown("Available", "Available")
PRESENTING = Shown("DoNotDisturb", "Presenting")
PORTO = OtherPresence(Presence.PRESENTING, "Porto")
SENT = (SentChange(NOON, CALL, "done", cause="c1"),)
DOWN = CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED)
AWAY = ServiceUnavailable(Fault.GRAPH_UNREACHABLE)


def healthy(**errors: Any) -> tuple[ServiceHealth, ...]:
    return tuple(ServiceHealth(service, errors.get(service.value), NOON) for service in Service)


CLOSED: dict[str, Any] = {"closed": True, "turned_at": NOON, "turns_at": NOON + timedelta(hours=20)}


def facts(row: dict[str, Any], *, enabled: bool = True, hours: dict[str, Any] | None = None, **known: Any) -> Facts:
    found = person(**row)
    given: dict[str, Any] = {
        "health": healthy(),
        "now": NOON + timedelta(minutes=1),
        "device": Device("2001", own=True),
    }
    return Facts(found, person_line(found), integration(enabled=enabled, **(hours or {})), **{**given, **known})


CHOSEN = (
    ("Available", "Available"),
    ("Busy", "Busy"),
    ("DoNotDisturb", "DoNotDisturb"),
    ("BeRightBack", "BeRightBack"),
    ("Away", "Away"),
    ("Offline", "OffWork"),
)
"""What people can choose (Graph reference, presence: setUserPreferredPresence)."""

LATE = NOON + timedelta(hours=2)
LATER = NOON + timedelta(minutes=5)
CLOUDLINK_AWAY = ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE)
SHARED = {"unmatched": "shared_extension"}
CASES: dict[str, tuple[Reason, Facts]] = {
    "shown": (Reason.SHOWN, facts(APPLIED, shown=IN_A_CALL)),
    "shown, in a newer client's words": (Reason.SHOWN, facts(APPLIED, shown=Shown("InACall", "InACall"))),
    "shown, of a second device": (
        Reason.SHOWN,
        facts(APPLIED, shown=IN_A_CALL, device=Device("4501", own=False, calls=("connected",))),
    ),
    "shown, of a parked call": (
        Reason.SHOWN,
        facts({**APPLIED, "line": "on_hold"}, shown=IN_A_CALL, device=Device("2001", own=True, calls=("held",))),
    ),
    "idle": (Reason.NOTHING, facts(IDLE, shown=AVAILABLE)),
    "idle, away by themselves": (Reason.NOTHING, facts(IDLE, shown=Shown("Away", "Away"))),
    "idle, in a call of Teams": (Reason.NOT_OURS, facts(IDLE, shown=IN_A_CALL)),
    "paused, cleared": (Reason.PAUSED, facts(TALKING, enabled=False, shown=AVAILABLE)),
    "paused": (Reason.PAUSED, facts(APPLIED, enabled=False)),
    "paused wins over excluded": (Reason.PAUSED, facts({**TALKING, "excluded": True}, enabled=False)),
    "excluded": (Reason.EXCLUDED, facts({**TALKING, "excluded": True, "changed_by_name": "Rui"}, shown=AVAILABLE)),
    "outside the scope": (
        Reason.OUTSIDE,
        facts({**TALKING, "outside": "extensions:2000-2099", "opted_out": True}, shown=AVAILABLE),
    ),
    "opted out": (Reason.OPTED_OUT, facts({**TALKING, "opted_out": True}, shown=AVAILABLE)),
    "outside the hours": (Reason.CLOSED, facts({**TALKING, "heard_at": None}, hours=CLOSED, shown=AVAILABLE)),
    "outside the hours, unread": (Reason.CLOSED, facts(TALKING, hours=CLOSED, read_error=AWAY)),
    "excluded wins over the hours": (Reason.EXCLUDED, facts({**TALKING, "excluded": True}, hours=CLOSED)),
    "outside the hours, to be cleared": (Reason.PENDING, facts(APPLIED, hours=CLOSED, shown=IN_A_CALL)),
    "outside the hours, not cleared": (
        Reason.CREDENTIALS,
        facts(APPLIED, hours=CLOSED, health=healthy(entra=DOWN), read_error=DOWN),
    ),
    "outside the hours, in a call of Teams": (Reason.NOT_OURS, facts(TALKING, hours=CLOSED, shown=IN_A_CALL)),
    "outside the hours, another integration": (
        Reason.SHARED,
        facts(TALKING, hours=CLOSED, others_wish=PORTO, shown=PRESENTING),
    ),
    "left out": (Reason.LEFT_OUT, facts({**TALKING, "teams_user_id": None, "unmatched": "guest"})),
    "moved to another tenant, not matched yet": (Reason.NOT_READ, facts({**TALKING, "teams_user_id": None})),
    "no extension": (Reason.LEFT_OUT, facts({"extension": None, "unmatched": "no_extension"})),
    "nothing reported": (Reason.NOT_HEARD, facts({}, shown=AVAILABLE)),
    "cleared by an administrator": (Reason.CLEARED, facts({"desired_at": NOON}, shown=AVAILABLE, is_cleared=True)),
    "an extension of two people": (Reason.SHARED_EXTENSION, facts(SHARED, shown=AVAILABLE)),
    "an extension of two people, idle": (Reason.SHARED_EXTENSION, facts({**IDLE, **SHARED}, shown=AVAILABLE)),
    "an extension of two people, reported by name": (Reason.SHOWN, facts({**APPLIED, **SHARED}, shown=IN_A_CALL)),
    "a mapping that shows nothing": (Reason.MAPPED, facts({**TALKING, "desired": None}, shown=AVAILABLE)),
    "ringing": (Reason.NOTHING, facts({**IDLE, "line": "ringing"}, shown=AVAILABLE)),
    "idle as last heard, CloudLink away": (
        Reason.OLD_NEWS,
        facts(IDLE, shown=AVAILABLE, health=healthy(cloudlink=CLOUDLINK_AWAY)),
    ),
    "idle as last heard, not read just now": (
        Reason.OLD_NEWS,
        facts(IDLE, shown=AVAILABLE, phone_answered=False),
    ),
    "shown as last heard, CloudLink away": (
        Reason.OLD_NEWS,
        facts(APPLIED, shown=IN_A_CALL, phone_answered=False),
    ),
    "CloudLink does not answer": (
        Reason.PHONES_DOWN,
        facts({}, shown=AVAILABLE, health=healthy(cloudlink=ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE))),
    ),
    "heard of two hours ago": (Reason.STALE, facts(TALKING, now=LATE, shown=AVAILABLE)),
    "CloudLink did not answer just now": (Reason.PHONES_DOWN, facts({}, shown=AVAILABLE, phone_answered=False)),
    "expired secret": (Reason.CREDENTIALS, facts(TALKING, health=healthy(entra=DOWN), read_error=DOWN)),
    "Graph does not answer": (Reason.SERVICE_DOWN, facts(TALKING, health=healthy(graph=AWAY), read_error=AWAY)),
    "secret refused just now": (Reason.CREDENTIALS, facts(TALKING, read_error=DOWN)),
    "Graph stopped answering just now": (Reason.SERVICE_DOWN, facts(TALKING, read_error=AWAY)),
    "only reading is refused": (
        Reason.PENDING,
        facts(TALKING, read_error=CredentialsWrong(Fault.GRAPH_FORBIDDEN)),
    ),
    "refused": (Reason.REFUSED, facts({**TALKING, "refusal": "403 Forbidden"}, shown=AVAILABLE)),
    "refused like everyone": (
        Reason.REFUSED,
        facts(
            {**TALKING, "refusal": "403 Forbidden"},
            health=healthy(graph=CredentialsWrong(Fault.GRAPH_EVERYONE_REFUSED, code="403 Forbidden")),
            shown=AVAILABLE,
        ),
    ),
    "an account that is locked": (
        Reason.BUSY,
        facts(
            {**TALKING, "applied": UNSURE},
            sent=(SentChange(NOON, CALL, "failed", "graph.busy 423 mailboxLocked"),),
            shown=AVAILABLE,
        ),
    ),
    "quota": (Reason.QUOTA, facts(TALKING, quota_until=LATE, shown=AVAILABLE)),
    "on its way": (Reason.PENDING, facts({**TALKING, "applied": UNSURE}, shown=AVAILABLE)),
    "ended, to be cleared": (Reason.PENDING, facts({**APPLIED, **IDLE, "desired": None}, shown=IN_A_CALL)),
    "shown for a former account": (
        Reason.PENDING,
        facts({**APPLIED, "applied_user_id": "teams former"}, shown=AVAILABLE),
    ),
    "another integration": (
        Reason.SHARED,
        facts(IDLE, others_wish=PORTO, shown=PRESENTING),
    ),
    "another integration is stronger": (
        Reason.SHARED,
        facts(APPLIED, others_wish=PORTO, shown=PRESENTING),
    ),
    "another customer's": (
        Reason.NOT_OURS,
        facts({**APPLIED, **IDLE, "desired": None}, has_foreign_wish=True, shown=IN_A_CALL),
    ),
    "another integration's session, not cleared yet": (
        Reason.PENDING,
        facts(APPLIED, shown=PRESENTING, is_changing=True),
    ),
    "another integration's session, which it may not clear": (
        Reason.SHARED,
        facts(APPLIED, others_shown=(PORTO,), shown=PRESENTING),
    ),
    "idle, and another integration may not clear its session": (
        Reason.SHARED,
        facts(IDLE, others_shown=(PORTO,), shown=PRESENTING),
    ),
    "another integration is about to clear its session": (
        Reason.PENDING,
        facts(IDLE, others_shown=(PORTO,), shown=PRESENTING, is_changing=True),
    ),
    "outside the hours, and another integration may not clear its session": (
        Reason.SHARED,
        facts(TALKING, hours=CLOSED, others_shown=(PORTO,), shown=PRESENTING),
    ),
    "of a former account, which we may not clear": (
        Reason.CREDENTIALS,
        facts(IDLE, shown=IN_A_CALL, is_changing=True, health=healthy(entra=DOWN)),
    ),
    "of a former account, not cleared yet": (Reason.PENDING, facts(IDLE, shown=IN_A_CALL, is_changing=True)),
    "throttled by Graph": (
        Reason.QUOTA,
        facts(TALKING, health=healthy(graph=ServiceUnavailable(Fault.GRAPH_THROTTLED, 10)), shown=AVAILABLE),
    ),
    "a meeting": (Reason.STRONGER, facts(APPLIED, shown=Shown("Busy", "InAMeeting"))),
    "presenting in Teams": (Reason.STRONGER, facts(APPLIED, shown=PRESENTING)),
    "session gone": (Reason.LOST, facts(APPLIED, shown=Shown("Offline", "Offline"), now=LATER)),
    "session gone, client idle": (
        Reason.LOST,
        facts(APPLIED, shown=Shown("AvailableInactive", "AvailableInactive"), now=LATER),
    ),
    "accepted a moment ago": (Reason.SETTLING, facts(APPLIED, shown=AVAILABLE)),
    "cleared a moment ago": (
        Reason.SETTLING,
        facts(IDLE, shown=IN_A_CALL, sent=(SentChange(NOON, "", "done"),)),
    ),
    "Teams cannot be read": (Reason.UNREAD, facts(APPLIED, read_error=AWAY)),
    **{
        f"chosen {activity}": (Reason.CHOSEN, facts(APPLIED, shown=Shown(availability, activity)))
        for availability, activity in CHOSEN
        if activity not in AMBIGUOUS
    },
    **{
        f"chosen {activity}, or the session is gone": (
            Reason.OVERRULED,
            facts(APPLIED, shown=Shown(activity, activity), now=NOON + timedelta(minutes=5)),
        )
        for activity in sorted(AMBIGUOUS)
    },
    "a word nobody knows": (Reason.UNREAD, facts(APPLIED, shown=Shown("Tired", "Tired"))),
}
