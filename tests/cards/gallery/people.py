"""The cards about people in every distinct state."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.activity import Card
from bot.cards import exports
from bot.cards.field_errors import Link
from bot.cards.people import importing, listing, opt_out, person, why
from bot.cards.people.listing import Search
from bot.cards.presence import further
from bot.languages import Texts
from storage.tables.columns import UNSURE
from sync.domain.model import FurtherMapping, IntegrationView, Unmatched
from sync.domain.people import (
    Device,
    Explanation,
    Found,
    MatchRefusal,
    MatchRefused,
    PeopleFilter,
    PeoplePage,
    PersonCard,
    PersonLine,
    Reason,
    SentChange,
)
from sync.domain.presence import LineState, Presence, Shown
from sync.people.explain import Facts, explain
from sync.people.imports.values import (
    Changed,
    Figures,
    FileFault,
    FileRefused,
    ImportLine,
    ImportView,
    LineFault,
    Matched,
)
from sync.presence.shared_sessions import OtherPresence
from tests.support.sync.why_cases import CASES

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LONG = "Ş" * 400
CALL = Presence.IN_A_CALL
SENT = (
    SentChange(NOW - timedelta(minutes=3), CALL, "done", cause="0b1c2d3e-0000-4000-8000-1234567890ab"),
    SentChange(NOW - timedelta(minutes=4), CALL, "throttled", "12"),
    SentChange(NOW - timedelta(hours=2), "", "done"),
    SentChange(NOW - timedelta(hours=3), CALL, "refused", "403 Forbidden", request_id="1b2c3d4e"),
    SentChange(NOW - timedelta(days=2), CALL, "failed", "graph.unreachable"),
)


FAULTS = (
    (LineFault.FORMULA, "Sofia Exemplo", "=B7"),
    (LineFault.TOO_MANY_CELLS, "Rui Exemplo", ""),
    (LineFault.NOT_YES_OR_NO, "Ana Exemplo", "maybe"),
    (LineFault.NOBODY, "", ""),
    (LineFault.UNKNOWN, "zacarias@contoso.example", ""),
    (LineFault.AMBIGUOUS, "Bea Exemplo", ""),
    (LineFault.DUPLICATE, "Ivo Exemplo", "3"),
    (LineFault.CONTRADICTORY, "Lia Exemplo", "5"),
    (LineFault.NOT_READ, "Gil Exemplo", "gil@contoso.example"),
    (LineFault.NOT_FOUND, "Eva Exemplo", "eva@contoso.example"),
    (LineFault.SEVERAL_ACCOUNTS, "Ana Lima", "sales@contoso.example"),
    (LineFault.GUEST, "Rui Melo", "rui@partner.example"),
    (LineFault.DISABLED, "Tomás Reis", "tomas@contoso.example"),
    (LineFault.TAKEN, "Marta Reis", "Marta Melo"),
    (LineFault.GIVEN_TWICE, "Nuno Melo", "7"),
)
"""What is wrong with a line, whom it names, and the cell, the account, the other person or the other line."""


def line(name: str = "Sofia Exemplo", **values: object) -> PersonLine:
    given: dict[str, object] = {
        "id": "p" * 32,
        "integration_id": "i" * 32,
        "name": name,
        "address": "sofia@contoso.example",
        "extension": "2001",
        "line": LineState.ON_CALL,
        "desired": CALL.value,
        "shown": CALL.value,
        "left_out": None,
        "is_matched": True,
    }
    return PersonLine(**{**given, **values})  # type: ignore[arg-type]


def samples(texts: Texts, one: IntegrationView, why_typed: str) -> Iterator[tuple[str, Card]]:
    yield from _lists(texts, one, why_typed)
    yield from _cards(texts)
    yield from _imports(texts, one)
    yield from _reasons(texts)


def _lists(texts: Texts, one: IntegrationView, why_typed: str) -> Iterator[tuple[str, Card]]:
    idle = {"line": LineState.IDLE, "desired": None, "shown": None}
    few = (
        line(),
        line("Rui Exemplo", **idle, extension="2002"),
        line("Ana Exemplo", shown=UNSURE, extension="2003"),
        line("Bea Exemplo", excluded=True, extension="2004"),
        line("Ivo Exemplo", outside=True, extension="2006"),
        line("Lia Exemplo", opted_out=True, extension="2007"),
        line("Gil Exemplo", left_out=Unmatched.GUEST, is_matched=False, extension="2005"),
        line("Eva Exemplo", is_matched=False, extension=None),
    )
    yield "people", listing.listed(texts, Search(one), PeoplePage(few, has_after=True))
    yield "people_nobody", listing.listed(texts, Search(one, PeopleFilter.LEFT_OUT), PeoplePage(()))
    worst = tuple(line(LONG, left_out=Unmatched.GUEST, address=LONG, extension=LONG[:20]) for _ in range(10))
    search = Search(replace(one, name=LONG), PeopleFilter.NOT_SHOWN, LONG[:60])
    yield "people_worst", listing.listed(texts, search, PeoplePage(worst, has_before=True, has_after=True))
    yield "people_which", listing.which(texts, Found(few[:2], has_more=True), "exemplo", "why.show", why_typed)
    two = [
        line("Ana Exemplo", id=name, integration=name, **idle) for name in ("Porto Office", "Vale Contact Centre")
    ]
    yield "people_which_integration", listing.which(texts, Found(tuple(two)), "ana exemplo", "why.show", why_typed)
    yield "people_nearest", listing.which(texts, Found(nearest=few[:3]), "Sofja", "why.show", why_typed)
    yield "people_none", listing.which(texts, Found(), "Zacarias Exemplo", "why.show", why_typed)
    yield "people_short", listing.which(texts, Found(is_short=True), "", "why.show", why_typed)
    link = Link(texts("export.download"), f"https://bot.example/exports/{'x' * 400}")
    yield "people_export", exports.people_card(texts, one, link)
    yield "people_export_no_link", exports.people_card(texts, one, None)
    yield "diagnostics", exports.diagnostics_card(texts, replace(link, label=texts("diagnostics.download")))
    yield "diagnostics_no_link", exports.diagnostics_card(texts, None)
    yield "people_gone", listing.gone(texts)


def _cards(texts: Texts) -> Iterator[tuple[str, Card]]:
    devices = (
        Device("2001", own=True, calls=("connected", "held"), heard_at=NOW - timedelta(minutes=3)),
        Device("soft-2001", own=False, do_not_disturb=True, heard_at=NOW - timedelta(hours=5)),
        Device("99", own=False, heard_at=NOW - timedelta(days=2)),
    )
    until = NOW + timedelta(hours=3)
    full = PersonCard(line(), devices, SENT, NOW, NOW - timedelta(minutes=3), until, Shown("Busy", "InACall"))
    closed = PersonCard(line(desired=None, shown=None), devices, SENT, NOW, closed_until=NOW + timedelta(hours=21))
    closed = replace(closed, sent=SENT[2:], read=Shown("Away", "Away"))
    yield "person", person.person_card(texts, full, NOW, "Europe/Lisbon")
    of_porto = line(integration="Porto Office")
    yield "person_integration", person.person_card(texts, replace(full, line=of_porto), NOW, "Europe/Lisbon")
    forgotten = replace(
        full,
        line=line(desired=None, shown=None),
        devices=(Device("2001", own=True),),
        is_cleared=True,
        applied_at=None,
    )
    yield (
        "person_cleared",
        person.person_card(texts, replace(forgotten, sent=SENT[2:]), NOW, "Europe/Lisbon", "clear"),
    )
    yield "person_closed", person.person_card(texts, closed, NOW, "UTC", "include")
    out = replace(full, line=line(excluded=True, desired=None), read=None)
    unknown = line(line=LineState.UNKNOWN, desired=None, shown=None)
    off = replace(full, line=unknown, devices=forgotten.devices, applied_at=None, sent=SENT[2:], is_enabled=False)
    off = replace(off, read=Shown("Available", "Available"))
    yield "person_disabled", person.person_card(texts, off, NOW, "UTC", "resend")
    yield "person_excluded", person.person_card(texts, out, NOW, "UTC", "exclude")
    by_hand = line(by_hand=True, changed_by="Ana Lima", changed_at=NOW - timedelta(days=3))
    done = replace(full, line=by_hand, sent=SENT[:1])
    yield "person_meanwhile", person.person_card(texts, done, NOW, "UTC", meanwhile="Ana Lima")
    worst = line(LONG, address=LONG, left_out=Unmatched.AMBIGUOUS, is_matched=False, extension=LONG[:20])
    worst = replace(worst, desired=None, shown=None)
    many = tuple(replace(devices[1], extension=f"{LONG[:30]}{at}") for at in range(20))
    last = replace(full, line=worst, devices=devices + many, read=None, applied_at=None, sent=SENT[2:])
    yield "person_worst", person.person_card(texts, last, NOW, "UTC")
    hidden = replace(closed, line=line(opted_out=True, desired=None, shown=None), closed_until=None)
    yield "person_opted_out", person.person_card(texts, hidden, NOW, "UTC")
    some = tuple(FurtherMapping(name, name) for name in ("Reception", "Board"))
    mapped = replace(full, line=line(mapping="Board", chosen_mapping="Board"), further=some)
    yield "person_mapped", person.person_card(texts, mapped, NOW, "UTC", "mapping")
    yield "person_mapping", further.of_person(texts, mapped)
    yield "person_mapping_none", further.of_person(texts, full)
    yield "person_match", person.match_form(texts, line())
    for refusal in MatchRefusal:
        refused = MatchRefused(refusal, "Rui Exemplo")
        yield f"person_match_{refusal}", person.match_form(texts, by_hand, "rui@contoso.example", refused)


def _imports(texts: Texts, one: IntegrationView) -> Iterator[tuple[str, Card]]:
    yield "import", importing.form(texts, one)
    for fault in FileFault:
        detail = texts("export.people.excluded") if fault is FileFault.COLUMN_TWICE else "48"
        yield f"import_file_{fault}", importing.form(texts, one, "x" * 4000, FileRefused(fault, detail))
    yield "import_reading", importing.reading(texts, one, "people.csv")
    changes = (
        ImportLine(2, "p", "Sofia Exemplo", 0, excluded=True),
        ImportLine(3, "p", "Rui Exemplo", 0, excluded=False),
        ImportLine(7, "p", "Ana Exemplo", 0, match=Matched.MATCH, account="ana@contoso.example"),
        ImportLine(9, "p", "Bea Exemplo", 0, match=Matched.UNMATCH),
    )
    view = ImportView("i", "i", "people.csv", NOW, Figures(1, 1, 1, 1, 84), lines=changes)
    yield "import_preview", importing.preview(texts, view)
    changed = (Changed("Gil Exemplo", "Ana Lima"), Changed("Eva Exemplo", ""))
    yield "import_changed", importing.preview(texts, replace(view, changed=changed))
    yield "import_nothing", importing.preview(texts, replace(view, figures=Figures(unchanged=3), lines=()))
    yield "import_done", importing.preview(texts, replace(view, is_done=True, lines=()))
    faults = [ImportLine(at, name=name, fault=one, detail=said) for at, (one, name, said) in enumerate(FAULTS, 22)]
    faulty = replace(view, figures=Figures(faulty=len(faults)))
    yield (
        "import_faulty",
        importing.preview(texts, replace(faulty, lines=faults[:10], has_after=True)),
    )
    view_pasted = replace(view, figures=Figures(faulty=1), lines=[replace(faults[0], number=2)])
    yield "import_pasted", importing.preview(texts, view_pasted, "Name;Excluded\nSofia Exemplo;=B7\n")
    yield (
        "import_faulty_more",
        importing.preview(texts, replace(faulty, lines=faults[10:], has_before=True)),
    )
    worst = [
        ImportLine(99_990 + at, "p", LONG, 0, excluded=True, match=Matched.MATCH, account=LONG) for at in range(10)
    ]
    names = [Changed(LONG, LONG)] * 200
    totals = Figures(excluded=100, matched=100, unchanged=84)
    long = replace(view, file=LONG, lines=worst, changed=names, has_before=True, has_after=True, figures=totals)
    yield "import_worst", importing.preview(texts, long)
    yield "import_gone", importing.gone(texts)
    yield "import_cancelled", importing.cancelled(texts)


def _reasons(texts: Texts) -> Iterator[tuple[str, Card]]:
    for reason in Reason:
        found = explanation(reason)
        yield f"why_{reason}", why.why_card(texts, found, found.at or NOW, "Europe/Lisbon")
    for name, case in (("second_device", "shown, of a second device"), ("parked", "shown, of a parked call")):
        found = explained(CASES[case][1])
        yield f"why_{name}", why.why_card(texts, found, found.at or NOW, "Europe/Lisbon")
    shown = explanation(Reason.SHOWN)
    of_porto = replace(shown, person=line(integration="Porto Office"))
    by_porto = OtherPresence(CALL, "Porto Office")
    closed = CASES["outside the hours, another integration"][1]
    of_vale = explained(replace(closed, others_wish=by_porto, shown=Shown("Busy", "InACall")))
    of_vale = replace(of_vale, person=line(integration="Vale Contact Centre"))
    yield "why_integration", why.why_card(texts, of_porto, shown.at or NOW, "Europe/Lisbon")
    yield "why_me_twice", why.own_card(texts, [of_porto, of_vale], shown.at or NOW, "UTC")
    yield "why_me", why.own_card(texts, [shown], shown.at or NOW, "UTC")
    opted_out = replace(explanation(Reason.OPTED_OUT), person=line(opted_out=True))
    yield "opt_out", opt_out.choice(texts, [shown])
    yield "opt_out_stopped", opt_out.choice(texts, [opted_out], is_done=True)
    yield "opt_out_shown", opt_out.choice(texts, [shown], is_done=True)
    yield "opt_out_outside", opt_out.choice(texts, [explanation(Reason.OUTSIDE)], is_done=True)
    yield "opt_out_forbidden", opt_out.choice(texts, [shown], is_forbidden=True)
    yield "opt_out_nobody", opt_out.choice(texts, [])
    yield "why_me_opted_out", why.own_card(texts, [opted_out], shown.at or NOW, "UTC")
    yield "why_me_none", why.own_card(texts, [], NOW, "UTC")
    card = PersonCard(line(), (), SENT, teams_user_id="1b2c3d4e-0000-4000-8000-1234567890ab", because="cause")
    lines = why.support_lines(card, explanation(Reason.REFUSED))
    yield "why_copied", why.copied(texts, lines, line())


PLAINEST = {
    Reason.CREDENTIALS: "expired secret",
    Reason.PENDING: "on its way",
    Reason.SHARED: "another integration is stronger",
}
"""Of reasons with many cases, the one to show."""


def explanation(reason: Reason) -> Explanation:
    """The ladder of a person for whom this is the reason, with what was sent for them."""
    if reason in PLAINEST:
        return explained(CASES[PLAINEST[reason]][1])
    return explained(next(facts for of, facts in CASES.values() if of is reason))


def explained(given: Facts) -> Explanation:
    found = explain(replace(given, sent=_sent(given)))
    return replace(found, person=line(), sent=SENT)


def _sent(facts: Facts) -> tuple[SentChange, ...]:
    """What must have been sent for these facts to be: newest first."""
    person = facts.person
    if person.refusal:
        return (SentChange(facts.now - timedelta(seconds=30), CALL, "refused", person.refusal),)
    if facts.quota_until:
        return (SentChange(facts.now - timedelta(seconds=30), CALL, "throttled", "60"),)
    if person.applied in (None, UNSURE) or person.applied_at is None:
        return ()
    return (SentChange(person.applied_at, CALL, "done"),)
