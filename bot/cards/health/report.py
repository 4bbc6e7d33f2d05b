"""The report: what changed and what failed over a time, each line with its button; and the figures of that time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from microsoft_teams.cards.core import Action, CardElement

from bot.activity import Card
from bot.cards.field_errors import Links, form_error
from bot.cards.health.expiry import about_renewal
from bot.cards.parts import button, capped, card, header, note, plain, pressable, row, text
from bot.languages import Texts
from sync.domain.errors import error_from
from sync.domain.model import CredentialKind, IntegrationView, Service
from sync.domain.reports import FaultSeen, Named, Report

FAULTS_SHOWN = 6
PERIODS = (1, 7)
"""The days that a report can be about."""


@dataclass(frozen=True, slots=True)
class ReportView:
    """A report for one reader, in their time zone, at ``now``."""

    report: Report
    integration: IntegrationView
    links: Links
    now: datetime
    zone: str = "UTC"

    @property
    def days(self) -> int:
        return max(1, round((self.report.until - self.report.since).total_seconds() / 86_400))


def report_card(texts: Texts, view: ReportView) -> Card:
    """The report, with the other time to choose, the file and the digest."""
    title = texts.plural("report.title", view.days)
    data = {"integration": view.integration.id}
    other = PERIODS[0] if view.days > 1 else PERIODS[1]
    actions = [
        button(texts.plural("button.report_of", other), "report.show", {**data, "days": str(other)}),
        button(texts("button.export_report"), "report.export", {**data, "days": str(view.days)}),
        button(texts("button.digest"), "command.alerts"),
        button(texts("button.status"), "status.show", data),
    ]
    top = header("📋", title, capped(view.integration.name))
    return card(texts, title, [top, *report_body(texts, view)], actions, wide=True)


def report_body(texts: Texts, view: ReportView) -> list[CardElement]:
    """The news, or that there is none, and the figures."""
    lines = list(_lines(texts, view))
    nothing = [] if lines else [note("good", "✅", texts("report.nothing"))]
    return [*nothing, *lines, *_figures(texts, view)]


def digest_parts(texts: Texts, view: ReportView) -> tuple[str, str, list[CardElement], list[Action]]:
    """The title, symbol, body and buttons of the digest as a notice."""
    data = {"integration": view.integration.id}
    actions: list[Action] = [
        button(texts("button.report"), "report.show", {**data, "days": str(view.days)}, style="positive"),
        button(texts("button.digest_change"), "command.alerts"),
    ]
    return texts.plural("digest.title", view.days), "📋", report_body(texts, view), actions


def _figures(texts: Texts, view: ReportView) -> list[CardElement]:
    report, total = view.report, view.report.total
    span = texts("report.span", since=_at(texts, view, report.since), until=_at(texts, view, report.until))
    calls = texts.plural("report.calls", total.shown)
    if total.p50 is not None and total.p95 is not None:
        delay = texts("report.delay", half=texts.duration(total.p50), most=texts.duration(total.p95))
        calls = f"{calls} {delay}"
    return [text(calls, spacing="Medium"), text(span, subtle=True, spacing="Small")]


def _lines(texts: Texts, view: ReportView) -> Iterator[CardElement]:
    report = view.report
    secret = [] if report.secret_days is None else [_secret(texts, view, report.secret_days)]
    is_past = (report.secret_days or 0) < 0
    if is_past:
        yield from secret
    for fault in sorted(report.faults, key=lambda one: one.ended_at is not None)[:FAULTS_SHOWN]:
        yield _fault(texts, view, fault)
    more = len(report.faults) - FAULTS_SHOWN
    if more > 0:
        yield plain(texts.plural("report.more_faults", more), subtle=True)
    yield from _people(texts, view, "left_out", "👤", report.left_out, "people.left_out")
    yield from _people(texts, view, "refused", "🚫", report.refused, "people.left_out")
    yield from _people(texts, view, "newly_shown", "🟢", report.newly_shown, "people.show")
    if report.is_overruled_often:
        shown = texts.number(report.total.shown)
        said = texts.plural("report.overruled", report.total.overruled, shown=shown)
        yield _line(view, "🙋", said, texts("report.overruled.why"), "people.show")
    if report.is_slow and report.slowest:
        when, most = _at(texts, view, report.slowest.at), texts.duration(report.slowest.p95 or 0)
        yield _line(
            view, "🐢", texts("report.slowest", when=when), texts("report.slowest.by", most=most), "test.run"
        )
    if not is_past:
        yield from secret


def _line(view: ReportView, symbol: str, said: str, detail: str, verb: str) -> CardElement:
    return row(symbol, said, detail, select=pressable(verb, {"integration": view.integration.id}))


def _people(
    texts: Texts, view: ReportView, name: str, symbol: str, some: Named, verb: str
) -> Iterator[CardElement]:
    if not some.count:
        return
    named = ", ".join(capped(each, 40) for each in some.names)
    more = some.count - len(some.names)
    detail = texts.plural("report.and_more", more, names=named) if named and more else named
    yield _line(view, symbol, texts.plural(f"report.{name}", some.count), detail, verb)


def _fault(texts: Texts, view: ReportView, fault: FaultSeen) -> CardElement:
    """What failed, and for how long."""
    since = _at(texts, view, fault.since)
    if fault.ended_at is None:
        detail = texts("report.fault.lasts", since=since)
    else:
        span = texts.span(max(1, int((fault.ended_at - fault.since).total_seconds())))
        detail = texts("report.fault.ended", since=since, span=span)
    return _line(view, "✔️" if fault.ended_at else "❌", _sentence(texts, view, fault), detail, "status.show")


def _sentence(texts: Texts, view: ReportView, fault: FaultSeen) -> str:
    if fault.service not in set(Service):
        return texts(f"notice.problem.{fault.service}")
    error = error_from(fault.fault, fault.lasting, fault.context)
    return form_error(error, texts, view.links, view.integration.client_id).sentence


def _secret(texts: Texts, view: ReportView, days: int) -> CardElement:
    certificate = view.integration.credential is CredentialKind.CERTIFICATE
    what = texts("notice.what.certificate" if certificate else "notice.what.secret")
    key = "notice.expiry.past" if days < 0 else "notice.expiry.soon"
    said = texts.plural(key, abs(days), what=what) if days else texts("notice.expiry.today", what=what)
    automatic = about_renewal(texts, days) if view.integration.auto_rotate else ""
    detail = texts("notice.expiry.past.why") if days < 0 else automatic
    return _line(view, "⏰", said, detail, "certificate.show" if certificate else "rotate.ask")


def _at(texts: Texts, view: ReportView, at: datetime) -> str:
    return texts.moment(at, view.zone)
