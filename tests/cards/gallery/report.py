"""The cards of the report in every distinct state."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.activity import Card
from bot.cards import exports
from bot.cards.field_errors import Link, Links
from bot.cards.health import drill, notices
from bot.cards.health.report import ReportView, report_card
from bot.cards.health.status import StatusView
from bot.languages import Texts
from sync.domain.drills import Drill, Moment, Rehearsal
from sync.domain.errors import error_from
from sync.domain.model import CredentialKind, Freshness, IntegrationView, Service, ServiceHealth, Status
from sync.domain.reports import FaultSeen, Hour, Named, Report, facts_of
from sync.problems.incidents import EVENTS, EVENTS_MISSED
from sync.problems.notice_plan import DIGEST
from tests.cards.gallery.names import LONG_PERSON
from tests.cards.gallery.notice import notice

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LONG = "Ş" * 400
HAPPENS = {
    Rehearsal.SECRET: ("alerted_now", "kept", "new_secret", "all_clear"),
    Rehearsal.WEBHOOKS: ("found", "polled", "alerted", "trusted"),
    Rehearsal.GRAPH: ("retried", "alerted", "kept", "answers", "all_clear"),
}
FAILURES = (
    (Rehearsal.SECRET, "entra", "entra.secret_expired", True),
    (Rehearsal.WEBHOOKS, EVENTS, EVENTS_MISSED, False),
    (Rehearsal.GRAPH, "graph", "graph.unreachable", False),
)


def samples(texts: Texts, one: IntegrationView) -> Iterator[tuple[str, Card]]:
    yield "report", report_card(texts, view(one, full()))
    yield "report_nothing", report_card(texts, view(one, quiet(7)))
    yield "report_day", report_card(texts, view(one, replace(quiet(1), left_out=Named(1, ("Ana Lima",)))))
    most = replace(full(), faults=full().faults * 12, left_out=Named(90_000, (LONG,) * 3), secret_days=-4)
    certificate = replace(one, name=LONG, credential=CredentialKind.CERTIFICATE)
    yield "report_most", report_card(texts, view(certificate, most))
    digest = notice(DIGEST, facts_of(full()))
    yield "notice_digest", notices.notice_card(texts, digest, NOW)
    yield from _drills(texts, replace(one, enabled=True))
    link = Link(texts("export.download"), f"https://bot.example/exports/{'x' * 400}")
    yield "export_report", exports.report_card(texts, one, link, 7)


def _drills(texts: Texts, one: IntegrationView) -> Iterator[tuple[str, Card]]:
    yield "drill", drill.menu(texts, one)
    for rehearsal, service, fault, lasting in FAILURES:
        facts = {"service": service, "fault": fault, "lasting": lasting, "context": {"calls": 3}}
        began = NOW - timedelta(minutes=15)
        facts |= {"since": began.isoformat(), "ended_at": NOW.isoformat()}
        error = None if service == EVENTS else error_from(fault, lasting, {})
        health = tuple(ServiceHealth(each, error if each == service else None, began) for each in Service)
        freshness = Freshness.MISSED if service == EVENTS else Freshness.LIVE
        status = Status(one, health, 27, 25, 7, 0, began, freshness, 30, (), day=day(), shown_now=7)
        moments = tuple(Moment(name, {"kept": 14_400, "polled": 30}.get(name, 130)) for name in HAPPENS[rehearsal])
        names = ("Ana Lima", "Rui Melo", "Sofia Reis", "Gil Costa", LONG_PERSON)
        shown = Drill(rehearsal, status, facts, facts, moments, 7, names, 4)
        view = drill.DrillView(shown, StatusView(status, Links(), NOW, "Europe/Lisbon"))
        yield f"drill_{rehearsal}", drill.overview(texts, view)
        for step in drill.STEPS:
            yield f"drill_{rehearsal}_{step}", drill.step(texts, view, step)


def day() -> tuple[Hour, ...]:
    """The last day in eight parts; at night nothing happened."""
    calls = (64, 39, 5, 0, 0, 2, 48, 71)
    first = NOW - timedelta(hours=23)
    return tuple(
        Hour(first + timedelta(hours=3 * number), count, p50=0.2, p95=0.4 + number % 4 * 0.9)
        if count
        else Hour(first + timedelta(hours=3 * number))
        for number, count in enumerate(calls)
    )


def view(one: IntegrationView, report: Report) -> ReportView:
    return ReportView(report, replace(one, auto_rotate=True), Links(), NOW, "Europe/Lisbon")


def quiet(days: int) -> Report:
    since = NOW - timedelta(days=days)
    return Report(since, NOW, Hour(since, 1_204, 3, 0, 0.4, 1.2))


def full() -> Report:
    """Everything that a report can say."""
    expired = FaultSeen(
        "entra", "entra.secret_expired", True, NOW - timedelta(days=2), NOW - timedelta(days=2, hours=-3), {}
    )
    missed = FaultSeen(EVENTS, EVENTS_MISSED, False, NOW - timedelta(hours=5), None, {"calls": 7})
    return replace(
        quiet(7),
        total=Hour(NOW - timedelta(days=7), 1_204, 180, 4, 0.4, 6.2),
        slowest=Hour(NOW - timedelta(hours=29), 31, p50=2, p95=12.4),
        faults=(expired, missed),
        left_out=Named(5, ("Ana Lima", "Rui Melo", "Sofia Reis")),
        newly_shown=Named(1, ("Gil Costa",)),
        refused=Named(2, ("Eva Reis", "Ivo Dias")),
        secret_days=12,
    )
