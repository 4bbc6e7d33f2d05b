"""The cards of notices and alerts with sample data, for the gallery."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bot.activity import Card
from bot.cards import welcome
from bot.cards.field_errors import Link, Links
from bot.cards.health import alerts, notices
from bot.cards.health.alerts import AlertsView, Listener
from bot.cards.health.notices import Done, NoticeView
from bot.languages import Texts
from bot.languages.quiet_hours import ZONES
from sync.domain.errors import OUTAGES, Fault
from sync.domain.model import IntegrationView, Service
from sync.problems.health import DIRECTORY, DIRECTORY_UNREAD
from sync.problems.incidents import (
    CLOCK,
    CLOCK_SKEWED,
    EVENTS,
    EVENTS_MISSED,
    GROUPS,
    GROUPS_UNREAD,
    LISTS,
    LISTS_SHRUNK,
    PEOPLE,
    SUBSCRIPTION,
    SUBSCRIPTION_REFUSED,
    UNMATCHED_RISING,
)
from sync.problems.notice_plan import CLEAR, EXPIRY, PROBLEM, ROTATION, UPDATE
from tests.cards.gallery.names import LONG_INTEGRATION, LONG_PERSON

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LONG = "Ş" * 400
ADDRESS = "https://bot.contoso.example"
GUID = "1b2c3d4e-0000-4000-8000-1234567890ab"
LOST = {"people": 12, "before": 15, "side": "entra"}
OWN = (
    (PEOPLE, UNMATCHED_RISING, {"people": 7}),
    (LISTS, LISTS_SHRUNK, LOST),
    (LISTS, LISTS_SHRUNK, {**LOST, "side": "cloudlink", "believed": 1}),
    (LISTS, LISTS_SHRUNK, {**LOST, "side": "cloudlink", "lost": "extension"}),
    (LISTS, LISTS_SHRUNK, {**LOST, "side": "cloudlink", "lost": "address", "believed": 1}),
    (DIRECTORY, DIRECTORY_UNREAD, {"side": "cloudlink", "read_at": "2026-11-22T09:42:00+00:00"}),
    (GROUPS, GROUPS_UNREAD, {"groups": 2, "names": "Sales, Vendas & Marketing"}),
    (CLOCK, CLOCK_SKEWED, {"minutes": 9}),
    (EVENTS, EVENTS_MISSED, {"calls": 12}),
    (SUBSCRIPTION, SUBSCRIPTION_REFUSED, {"calls": 0}),
)
CLOSINGS = (
    ("replaced", "replaced", ""),
    ("by", "replaced", LONG_PERSON),
    ("by_bot", "replaced", "bot"),
    ("changed", "changed", ""),
    ("changed_by", "changed", "Ada Example"),
    ("healed", "healed", ""),
    ("disabled", "disabled", ""),
    ("installed", "installed", ""),
)


ROTATING = frozenset({Fault.GRAPH_SECRETS_FORBIDDEN, Fault.GRAPH_SECRET_TOO_LONG, Fault.GRAPH_ROTATION_FORBIDDEN})
"""What only a rotation by the bot meets: presence works meanwhile."""


def samples(texts: Texts) -> Iterator[tuple[str, Card]]:
    """The cards by name."""
    for name, one in (*_warnings(texts), *_problems(), *_news()):
        yield f"notice_{name}", notices.notice_card(texts, one, NOW)
    for name, how, by in CLOSINGS:
        about = (
            notice(PROBLEM, _problem(Fault.GRAPH_CONSENT_MISSING))
            if how in ("healed", "disabled")
            else notice(EXPIRY)
        )
        yield f"notice_closed_{name}", notices.closed_card(texts, about, Done(how, by, NOW))
    in_channel = notice(EXPIRY, chat_link=_way_in(texts))
    yield "notice_closed_channel", notices.closed_card(texts, in_channel, Done("replaced", LONG_PERSON, NOW))
    yield "notice_reminded", notices.reminded(texts, notice(EXPIRY, _expires(7)), date(2026, 11, 23), NOW)
    yield "notice_told", alerts.recipients_card(texts, "Head office", listeners(1))
    yield "notice_told_most", alerts.recipients_card(texts, LONG, listeners(200))
    yield "alerts", alerts.alerts_card(texts, view(1))
    yield "alerts_none", alerts.alerts_card(texts, replace(view(0), quiet_until=""), "alerts.both_times")
    yield "alerts_most", alerts.alerts_card(texts, view(100), "alerts.saved")
    yield "channel_on", alerts.channel_answer(texts, True)
    yield "channel_off", alerts.channel_answer(texts, False)
    yield "channel_forbidden", welcome.not_for_channel(texts)
    yield "channel_refused", alerts.channel_refused(texts, 20)


def _warnings(texts: Texts) -> Iterator[tuple[str, NoticeView]]:
    for days in (60, 30, 14, 7, 3, 1, 0, -1, -12):
        yield f"expiry_{days}", notice(EXPIRY, _expires(days))
    yield "expiry_unknown", notice(EXPIRY)
    yield "expiry_certificate", notice(EXPIRY, {**_expires(7), "credential": "certificate"})
    yield "expiry_long", notice(EXPIRY, _expires(7), name=LONG_INTEGRATION, is_automatic=True)
    yield "expiry_channel", notice(EXPIRY, _expires(7), chat_link=_way_in(texts))


def _problems() -> Iterator[tuple[str, NoticeView]]:
    for fault in (one for one in Fault if one not in ROTATING):
        yield f"{fault}", notice(PROBLEM, _problem(fault))
        yield f"clear_{fault}", notice(CLEAR, _problem(fault))
    for of in (Service.ENTRA, Service.CLOUDLINK):
        facts = {**_problem(Fault.SECRET_UNREADABLE), "service": of.value, "context": {"service": of.value}}
        yield f"{Fault.SECRET_UNREADABLE}_{of}", notice(PROBLEM, facts)
    for service, fault_name, context in OWN:
        facts = {**_over(), "service": service, "fault": fault_name, "lasting": False, "context": context}
        name = f"{service}_{context['lost']}" if "lost" in context else service
        yield name, notice(PROBLEM, facts)
        yield f"clear_{name}", notice(CLEAR, facts)


def _news() -> Iterator[tuple[str, NoticeView]]:
    yield "rotation", notice(ROTATION, {**_expires(180), "fault": "", "step": "done"})
    yield "rotation_failed", notice(ROTATION, {"fault": "graph.unreachable", "step": "failed"})
    yield "rotation_failed_unknown", notice(ROTATION, {"fault": "", "step": "failed"})
    refused = {"fault": "entra.secret_wrong", "step": "failed", "kind": "for_me", "credential": "secret"}
    yield "rotation_failed_later", notice(ROTATION, refused)
    unknown = {"fault": "entra.certificate_unknown", "kind": "by_hand", "credential": "certificate"}
    yield "rotation_certificate_failed", notice(ROTATION, {**refused, **unknown})
    yield "rotation_not_permitted", notice(ROTATION, {"fault": "graph.rotation_forbidden", "step": "failed"})
    yield "rotation_old_left", notice(ROTATION, {**_expires(180), "step": "done", "old_left": "refused"})
    yield "rotation_old_left_shared", notice(ROTATION, {**_expires(180), "step": "done", "old_left": "shared"})
    yield "rotation_forbidden", notice(ROTATION, {"fault": "graph.secrets_forbidden", "step": "failed"})
    yield "update", notice(UPDATE, {"version": 2})


def notice(
    topic: str,
    facts: Mapping[str, Any] | None = None,
    *,
    name: str = "Head office",
    is_automatic: bool = False,
    chat_link: Link | None = None,
) -> NoticeView:
    """A notice about a sample integration."""
    integration = IntegrationView(
        "0123456789abcdef0123456789abcdef", name, True, "", "10002", "presence-reader", GUID, GUID, None, NOW
    )
    integration = replace(integration, auto_rotate=is_automatic)
    notice = "fedcba9876543210fedcba9876543210"
    return NoticeView(notice, topic, facts or {}, integration, Links(), "Europe/Lisbon", chat_link)


def listeners(times: int) -> list[Listener]:
    states = ("told", "waiting", "muted", "unreachable", "listening")
    first = LONG if times > 1 else "Ada Example"
    people = [Listener("Ben Example" if place else first, state) for place, state in enumerate(states)]
    return [*people * times, Listener("", "listening"), Listener("", "told", is_channel=True)]


def view(count: int) -> AlertsView:
    """Alert settings with ``count`` integrations; of many, with a time zone that is not in the list."""
    integrations = [(f"{place:032}", LONG if place else "Head office", place % 2 == 0) for place in range(count)]
    zone = "Europe/Lisbon" if count == 1 else "America/Argentina/Ushuaia"
    reached = [one for one in listeners(count) if one.state in ("listening", "unreachable")]
    return AlertsView(integrations, "22:00", "07:30", zone, ZONES, reached)


def _expires(days: int) -> dict[str, str]:
    return {"expires_on": (NOW.date() + timedelta(days=days)).isoformat()}


def _over() -> dict[str, str]:
    began = NOW - timedelta(minutes=40)
    return {"since": began.isoformat(), "ended_at": (began + timedelta(minutes=25)).isoformat()}


def _problem(fault: Fault) -> dict[str, Any]:
    lasting = fault not in OUTAGES and not fault.value.endswith("list_too_long")
    named = fault.value.partition(".")[0]
    service = named if named in set(Service) else Service.ENTRA.value
    context = {
        "permissions": "User.Read.All, Presence.ReadWrite.All",
        "code": "403 Forbidden" if fault is Fault.GRAPH_EVERYONE_REFUSED else 7000215,
        "address": ADDRESS,
        "status": 400 if fault is Fault.GRAPH_REFUSED else 503,
        "error": "BadRequest",
    }
    if fault in (Fault.ENTRA_CERTIFICATE_UNKNOWN, Fault.ENTRA_CERTIFICATE_EXPIRED):
        context["thumbprint"] = "ABABABAB"
    return {**_over(), "service": service, "fault": fault.value, "lasting": lasting, "context": context}


def _way_in(texts: Texts) -> Link:
    return Link(texts("personal.open"), Links().personal_chat("28:bot"))
