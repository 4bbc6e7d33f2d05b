"""The cards of editing, history and monitors in every distinct state."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from bot.activity import Card
from bot.cards.access import history
from bot.cards.credentials import monitors
from bot.cards.credentials.monitors import MonitorList
from bot.cards.credentials.rotation import secrets_page
from bot.cards.field_errors import FormError, Link, Links, form_error
from bot.cards.integrations import edit
from bot.cards.presence import further, mapping, messages, schedule
from bot.cards.presence.typed_hours import DAYS, HOLIDAYS, MAX_TYPED_DAY, PRESET, schedule_of, typed_of
from bot.cards.presence.typed_hours import ZONE as ZONE_FIELD
from bot.cards.validation import failed_check
from bot.chat.exports.csv_lines import csv_line
from bot.languages import Texts
from storage.queries.monitors import MAX_MONITORS, OpenTask
from storage.tables.history import HistoryEntry
from storage.tables.rotations import Monitor
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import BOT, Concerned, FurtherMapping, IntegrationView, Replay, Replayed, Rule, RuleKind
from sync.domain.presence import BUSY_LINES, LineState, Presence
from sync.domain.schedule import WEEKS, Period, Preset, Schedule
from sync.integrations.mapping_editor import SHOWN
from sync.presence.mapping import QUIET, Leave, chosen_by
from sync.presence.status_message_plan import texts_of
from tests.cards.gallery.names import LONG_INTEGRATION

ZONE = "Europe/Lisbon"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LONG = "Ş" * 400
GUID = "1b2c3d4e-0000-4000-8000-1234567890ab"
VALUES = {
    "region": "eu",
    "account_id": "1000200030",
    "cloudlink_client_id": "presence-reader",
    "tenant_id": GUID,
    "client_id": GUID,
    "expires_on": "2027-05-31",
}


def samples(texts: Texts, one: IntegrationView, wrong: list[FormError]) -> Iterator[tuple[str, Card]]:
    """``wrong`` are errors of every field."""
    yield from _editing(texts, one, wrong)
    yield from _mapping(texts, one)
    yield from _schedule(texts, replace(one, enabled=True))
    yield from _messages(texts, one)
    yield from _history(texts, one)
    yield from _monitors(texts, one)


def _editing(texts: Texts, one: IntegrationView, wrong: list[FormError]) -> Iterator[tuple[str, Card]]:
    yield "edit_menu", edit.menu(texts, one)
    yield "edit_saved", edit.menu(texts, replace(one, name=LONG_INTEGRATION), "edit.saved.teams")
    yield "edit_rename", edit.rename_form(texts, one)
    yield (
        "edit_rename_taken",
        edit.rename_form(texts, one, {"name": LONG_INTEGRATION}, [failed_check(texts, "name_taken", "name")]),
    )
    yield "edit_cloudlink", edit.cloudlink_form(texts, one)
    refused = form_error(CredentialsWrong(Fault.CLOUDLINK_REFUSED), texts, Links())
    yield "edit_cloudlink_refused", edit.cloudlink_form(texts, one, VALUES, [refused])
    yield "edit_teams", edit.teams_form(texts, one)
    mistaken = {**VALUES, "tenant_id": "contoso", "client_id": "1b2c3d4e", "expires_on": "2026-05-31"}
    undated = replace(one, secret_expires_on=None)
    yield "edit_teams_all_wrong", edit.teams_form(texts, undated, mistaken, wrong)
    ago = texts.when(NOW - timedelta(minutes=3), NOW, ZONE)
    yield (
        "edit_outdated",
        edit.outdated(texts, one, act("edit_teams", tenant_id=GUID), "Ada", ago),
    )
    yield "edit_outdated_own", edit.outdated(texts, one, act("edit_teams", tenant_id=GUID), "", ago)
    yield "edit_outdated_nobody", edit.outdated(texts, one, None, "", "")


def _mapping(texts: Texts, one: IntegrationView) -> Iterator[tuple[str, Card]]:
    defaults, quiet = chosen_by({}), {**chosen_by({}), **QUIET}
    busy, silent = Presence.IN_A_CALL, Presence.PRESENTING
    first = [Concerned(name, LineState.ON_CALL, busy, silent) for name in ("Ana Lima", "Rui Melo")]
    talking, ringing = {LineState.ON_CALL: silent, LineState.IN_CONFERENCE: None}, {LineState.RINGING: busy}
    other = {**defaults, **talking, **ringing}
    most = [Concerned(LONG, LineState.IN_CONFERENCE, Presence.IN_A_CONFERENCE_CALL, None)] * SHOWN
    on = replace(one, enabled=True)
    yield "mapping", mapping.form(texts, on, defaults)
    yield "mapping_quiet", mapping.form(texts, on, quiet, mapping.Preview(2, first))
    yield "mapping_most", mapping.form(texts, replace(on, name=LONG), other, mapping.Preview(14_000, most))
    yield "mapping_nobody", mapping.form(texts, on, quiet, mapping.Preview(0, []))
    yield "mapping_off", mapping.form(texts, replace(one, enabled=False), quiet, mapping.Preview(0, []))
    yield "mapping_saved", mapping.form(texts, on, quiet, said=texts.plural("mapping.saved", 2))
    names = ("Reception", "Board", "Customer service of the northern branch offices", "Sales", "Purchasing")
    more = ("Accounting", "Legal", "Facilities", "Warehouse and dispatch", "Interns")
    rules = (Rule(RuleKind.GROUP, GUID, "Sales"),)
    ten = tuple(FurtherMapping(name, name, rules=rules if name == "Sales" else ()) for name in (*names, *more))
    some = ten[:3]
    several = replace(on, further=some)
    yield "mapping_some", further.listed(texts, several, {"Reception": 3, "Board": 1})
    full = replace(on, further=ten)
    yield "mapping_full", further.listed(texts, full, {"Reception": 3, "Sales": 12}, refused="too_many")
    yield "mapping_added", further.listed(texts, several, {}, said=texts("further.added", name="Board"))
    yield "mapping_further", mapping.form(texts, on, quiet, further=some[0])
    kinds = [(Presence.IN_A_CONFERENCE_CALL, None), (None, busy), (busy, silent)]
    figures = ((2460, 14), (300, 2), (7200, 9))
    totals = tuple(Replayed(*kind, *figure) for kind, figure in zip(kinds, figures, strict=True))
    whose = zip(kinds, ((1200, "Ana Exemplo"), (240, "Rui Exemplo"), (1800, "Eva Exemplo")), strict=True)
    named = tuple(Replayed(*kind, seconds, name=name) for kind, (seconds, name) in whose)
    replay = Replay(date(2026, 11, 21), totals, named)
    yield "mapping_replayed", mapping.form(texts, on, other, mapping.Preview(2, first, replay))
    longest = FurtherMapping("longest", LONG, rules=rules)
    worst = replace(replay, first=tuple(replace(each, name=LONG) for each in (*named, *named[:2])), is_today=True)
    yield (
        "mapping_replayed_worst",
        mapping.form(texts, on, other, mapping.Preview(14_000, most, worst), further=longest),
    )
    nothing = mapping.Preview(0, [], Replay(date(2026, 11, 21)))
    yield "mapping_replayed_nothing", mapping.form(texts, on, quiet, nothing)
    resting = {LineState.IDLE: busy, LineState.ON_HOLD: None, LineState.DO_NOT_DISTURB: Leave.ALONE}
    free = [Concerned(name, LineState.IDLE, None, busy) for name in ("Ana Lima", "Rui Melo")]
    yield "mapping_more", mapping.form(texts, on, {**defaults, **resting}, mapping.Preview(2, free))
    yield "mapping_refused", mapping.form(texts, on, defaults, refused=LineState.RINGING)


def _schedule(texts: Texts, one: IntegrationView) -> Iterator[tuple[str, Card]]:
    today = NOW.date()

    def shown(given: Schedule | None, **about: Any) -> Card:
        return schedule.form(texts, one, schedule.Form(typed_of(given, ZONE, today), given, **about), NOW)

    christmas = frozenset({date(2026, 12, 25), date(2027, 1, 1)})
    office = Schedule(ZONE, WEEKS[Preset.OFFICE], christmas)
    split = (Period(time(9), time(12, 30)), Period(time(13, 30), time(18)))
    yield "schedule", shown(None)
    yield "schedule_preview", shown(office, cleared=12)
    yield "schedule_saved", shown(Schedule(ZONE, (split,) * 7, christmas), is_saved=True)
    typed = {PRESET: Preset.OWN, ZONE_FIELD: "Lisbn", **dict.fromkeys(DAYS, "nine to five"), HOLIDAYS: "x\n" * 9}
    _, errors = schedule_of(texts, typed, today)
    wrong = schedule.Form(typed, None, errors)
    yield "schedule_wrong", schedule.form(texts, replace(one, name=LONG_INTEGRATION), wrong, NOW)
    most = {**dict.fromkeys(DAYS, "Ş" * MAX_TYPED_DAY), HOLIDAYS: "2026-12-25\n" * 400, PRESET: Preset.OWN}
    yield (
        "schedule_most",
        schedule.form(texts, one, schedule.Form(most, None, schedule_of(texts, most, today)[1]), NOW),
    )


def _messages(texts: Texts, one: IntegrationView) -> Iterator[tuple[str, Card]]:
    yield (
        "messages",
        messages.form(texts, one, texts_of(texts("update.3.words"), {"ringing": texts("line.ringing")})),
    )
    most = dict.fromkeys(BUSY_LINES, "Ş" * messages.MAX_STATUS_TEXT)
    yield "messages_saved", messages.form(texts, replace(one, name=LONG_INTEGRATION), most, is_saved=True)
    yield "messages_not_installed", messages.not_installed(texts, one)


def _history(texts: Texts, one: IntegrationView) -> Iterator[tuple[str, Card]]:
    other = replace(one, name="Branch", id="f" * 32)
    few = [
        act("rename", **{"from": "Old", "to": "Head office"}),
        act("enable", result="graph.consent_missing", permissions="Presence.ReadWrite.All"),
    ]
    yield (
        "history",
        history.history_card(texts, [*few, act("rotate", actor=BOT.id)], 3, 0, NOW, ZONE),
    )
    yield "history_empty", history.history_card(texts, [], 0, 0, NOW, ZONE)
    worst = act("edit_teams", result="entra.refused", name=LONG, **dict.fromkeys(("tenant_id", "to", "x"), LONG))
    many = [replace(one, name=LONG, id=f"{number:032}") for number in range(60)]
    yield (
        "history_worst",
        history.history_card(texts, [worst] * history.PAGE, 9_999, 40, NOW, ZONE, many, many[3].id),
    )
    yield "history_last", history.history_card(texts, [*few, act("some_new_act")], 13, 1, NOW, ZONE, [one, other])
    link = Link(texts("export.download"), f"https://bot.example/exports/{'x' * 400}")
    yield "export", history.export_card(texts, 12, link)
    yield "export_no_link", history.export_card(texts, 0, None)
    cells = (history.columns(texts), *(history.line(texts, entry) for entry in few))
    lines = [csv_line(each, texts.language).rstrip() for each in cells]
    yield "export_text", history.export_text(texts, lines, 2, 0)
    yield "export_text_worst", history.export_text(texts, [LONG] * (history.LINES + 1), 9_999, 40)


def _monitors(texts: Texts, one: IntegrationView) -> Iterator[tuple[str, Card]]:
    few, most = monitor_rows(2, "Lobby"), monitor_rows(MAX_MONITORS, LONG[:60])
    wrong = FormError(texts("check.names_needed"), texts("check.names_needed.remedy"), field="names")
    yield "monitors_none", monitors.list_card(texts, one, MonitorList([], MAX_MONITORS))
    yield "monitors", monitors.list_card(texts, one, MonitorList(few, MAX_MONITORS - 2, rotation_id="r1"))
    yield "monitors_open", monitors.list_card(texts, one, MonitorList(few, MAX_MONITORS - 2, open_tasks=2), wrong)
    full = MonitorList(most, 0, open_tasks=MAX_MONITORS)
    yield "monitors_most", monitors.list_card(texts, replace(one, name=LONG), full)
    yield "monitors_asked", monitors.asked(texts, one, few, "r1")
    yield "monitors_asked_most", monitors.asked(texts, one, most, "r1")
    yield "monitors_other", monitors.other_secret(texts, one)
    yield "monitors_checklist", monitors.checklist(texts, one, monitor_tasks(few, 1), NOW, ZONE)
    yield "monitors_checklist_own", monitors.checklist(texts, one, monitor_tasks(few, 1), NOW, ZONE, own=True)
    page, link = (
        secrets_page(texts, one, Links()),
        Link(texts("link.monitor_secret"), "https://bot.example/exports/x"),
    )
    yield "monitors_secret", monitors.secret_offered(texts, one, page, link, may=True)
    yield "monitors_secret_forbidden", monitors.secret_offered(texts, one, page, link, may=False)
    yield "monitors_secret_unreachable", monitors.secret_offered(texts, one, page, None, may=True)
    yield "monitors_checklist_most", monitors.checklist(texts, one, monitor_tasks(most, 25), NOW, ZONE)
    yield (
        "monitors_all_done",
        monitors.checklist(texts, one, monitor_tasks(monitor_rows(MAX_MONITORS, "Lobby"), MAX_MONITORS), NOW, ZONE),
    )


def monitor_rows(count: int, name: str) -> list[Monitor]:
    return [
        Monitor(id=f"{n:032}", owner_tenant="t", integration_id="i", name=f"{name} {n + 1}", created_at=NOW)
        for n in range(count)
    ]


def monitor_tasks(rows: list[Monitor], done: int) -> list[OpenTask]:
    """A task for each, the first ``done`` of them ticked."""
    return [
        OpenTask(row.id, row.name, "Ada Example", NOW - timedelta(hours=1))
        if place < done
        else OpenTask(row.id, row.name, "", None)
        for place, row in enumerate(rows)
    ]


def act(
    what: str, *, result: str = "done", name: str = "Head office", actor: str = GUID, **facts: str
) -> HistoryEntry:
    """A sample act."""
    return HistoryEntry(
        id="a",
        owner_tenant="t",
        integration_id="i",
        integration_name=name,
        actor_id=actor,
        actor_name="Ada Example",
        act=what,
        result=result,
        facts=facts,
        at=NOW - timedelta(hours=3),
    )
