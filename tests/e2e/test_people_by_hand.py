"""People by hand, in the Playground's window: Sofia found, explained and shown; who is shown, when and as what; and
the integration removed while no service answers.

After each decision, what Teams shows is read from the sandbox.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.languages import Language
from tests.e2e.journeys import NAME, WORDINGS, Wording, set_up
from tests.e2e.person import Person, open_person
from tests.e2e.playground import running_playground
from tests.e2e.product import becomes, running_product
from tests.support.browsers import chromium
from tests.support.services.sandboxes import Switchboard
from tests.support.tools import require

pytestmark = [pytest.mark.long, pytest.mark.e2e, pytest.mark.timeout(240)]

SOFIA, SIGN_IN = "2019", "sofia.marques@valeverde.example"
PEOPLE = {Language.ENGLISH: "people", Language.PORTUGUESE: "pessoas"}
WHY = {Language.ENGLISH: "why sofia", Language.PORTUGUESE: "porquê sofia"}
ANA, BRUNO = "2001", "2002"
ON_A_CALL, PRESENTING, NOTHING = "Busy/InACall", "DoNotDisturb/Presenting", "Available/Available"
SAID = {
    Language.ENGLISH: ("exclude ana", "quiet second call", "schedule", "scope", "import people", "alerts", "drill"),
    Language.PORTUGUESE: (
        *("excluir ana", "segunda chamada silenciosa", "horário", "âmbito", "importar pessoas", "alertas"),
        "simulacro",
    ),
}
YES = {Language.ENGLISH: "yes", Language.PORTUGUESE: "sim"}
DRILL = {Language.ENGLISH: "secret", Language.PORTUGUESE: "graph"}
OUTAGES = ("graph_outage", "entra_outage", "cloudlink_outage")
STEPS = ("alert", "status", "clear", "times")
READS = ("getPresencesByUserId", "/token", "$batch")
MOST_CLICKS = 5
UNMATCHED = {Language.ENGLISH: "unmatched", Language.PORTUGUESE: "quem não está sincronizado"}


@pytest.mark.parametrize("wording", WORDINGS, ids=["english", "portuguese"])
async def test_sofia_is_found_explained_and_shown_in_three_presses(tmp_path: Path, wording: Wording) -> None:
    require("chromium")
    async with (
        running_product(tmp_path) as (sandbox, bot),
        running_playground(bot.url, tmp_path / "logs", wording.locale) as playground,
        chromium() as browser,
        open_person(browser, playground.url, sandbox.url, wording.locale) as person,
    ):
        await set_up(playground, sandbox, wording)
        await person.opens_the_chat_again()
        await corrects_sofia(person, sandbox, wording)
        assert person.clicks <= MOST_CLICKS
        await person.opens_the_chat_again()
        await decides(person, sandbox, wording)


async def corrects_sofia(person: Person, sandbox: Switchboard, wording: Wording) -> None:
    language = wording.texts.language
    await person.clicks_switchboard(f"ring-{SOFIA}")
    await person.clicks_switchboard(f"answer-{SOFIA}")
    await person.comes_back()
    await person.says(WHY[language])
    await person.sees(wording("why.title"), wording("button.match"))
    await person.captures_chat(f"why-left-out.{language}", wording("why.title"))
    await person.presses(wording("button.match"))
    await person.types(wording("person.match.name"), SIGN_IN)
    await person.presses(wording("button.check_match"))
    await person.sees(wording("person.done.match"))
    await becomes(sandbox, SOFIA, "Busy/InACall")
    await person.presses(wording("button.why"))
    await person.sees(wording("why.reason.shown"))
    await person.captures_chat(f"why-shown.{language}", wording("why.title"))
    await person.presses(wording("button.person"))
    await person.sees(wording("person.changes"))
    await person.captures_chat(f"person.{language}", wording("person.devices"))
    await person.says(PEOPLE[language])
    await person.sees("Ana Martins")
    await person.captures_chat(f"people.{language}", wording("people.title"))
    await person.says(UNMATCHED[language])
    await person.sees(wording("unmatched.guest"))
    await person.captures_chat(f"left-out.{language}", wording("people.filter.left_out"))


async def decides(person: Person, sandbox: Switchboard, wording: Wording) -> None:
    """Each decision, one after the other, with Ana and Sofia on a call."""
    await sandbox.call(ANA)
    await becomes(sandbox, ANA, ON_A_CALL)
    said = iter(SAID[wording.texts.language])
    await excludes_and_includes(person, sandbox, wording, next(said))
    await keeps_the_second_call_quiet(person, sandbox, wording, next(said))
    await closes_and_opens(person, sandbox, wording, next(said))
    await person.opens_the_chat_again()
    await leaves_out_by_rule(person, sandbox, wording, next(said))
    await imports(person, sandbox, wording, next(said))
    await gets_a_report_each_week(person, wording, next(said))
    await person.opens_the_chat_again()
    await rehearses(person, sandbox, wording, next(said))
    await removes_during_an_outage(person, sandbox, wording)


async def excludes_and_includes(person: Person, sandbox: Switchboard, wording: Wording, said: str) -> None:
    await person.says(said)
    await person.sees(f"{ANA} · ")
    await person.presses(wording("button.exclude"))
    await person.sees(wording("person.done.exclude"))
    await becomes(sandbox, ANA, NOTHING)
    await person.captures_chat(f"excluded.{wording.texts.language}", wording("person.done.exclude"))
    await person.presses(wording("button.include"))
    await person.sees(wording("person.done.include"))
    await becomes(sandbox, ANA, ON_A_CALL)


async def keeps_the_second_call_quiet(person: Person, sandbox: Switchboard, wording: Wording, said: str) -> None:
    await person.says(said)
    await person.presses(wording("button.quiet"))
    await person.sees(wording("mapping.preview.title"), "Ana Martins")
    await person.captures_chat(f"mapping.{wording.texts.language}", wording("mapping.preview.title"))
    assert "/".join(await sandbox.shown(ANA)) == ON_A_CALL
    await person.presses(wording("button.save"))
    await becomes(sandbox, ANA, PRESENTING)


async def closes_and_opens(person: Person, sandbox: Switchboard, wording: Wording, said: str) -> None:
    """Holidays close today, and tomorrow in case it is late."""
    today, language = datetime.now(UTC).date(), wording.texts.language
    days = [(today + timedelta(days=number)).isoformat() for number in (0, 1)]
    await person.says(said)
    await person.types(wording("schedule.holidays"), "\n".join(days))
    await person.presses(wording("button.preview"))
    await person.sees(wording("mapping.preview.title"), wording.texts.plural("schedule.clears", 2))
    await person.captures_chat(f"schedule.{language}", wording("mapping.preview.title"))
    await person.presses(wording("button.save"))
    await person.sees(wording("schedule.saved"))
    await becomes(sandbox, ANA, NOTHING)
    await person.presses(wording("button.status"))
    await person.sees(wording("status.closed.how"))
    await person.captures_chat(f"closed.{language}", wording("status.closed.how"))
    await person.presses(wording("button.schedule"))
    await person.types(wording("schedule.holidays"), "")
    await person.presses(wording("button.save"))
    await person.sees(wording("schedule.always"))
    await becomes(sandbox, ANA, PRESENTING)


async def leaves_out_by_rule(person: Person, sandbox: Switchboard, wording: Wording, said: str) -> None:
    await person.says(said)
    await person.picks(wording("scope.mode.except"))
    await person.types(wording("scope.extensions"), ANA)
    await person.presses(wording("button.preview"))
    await person.sees(wording("scope.dry_run"), wording("scope.nothing_saved"))
    await person.captures_chat(f"dry-run.{wording.texts.language}", wording("scope.dry_run"))
    assert "/".join(await sandbox.shown(ANA)) == PRESENTING
    await person.presses(wording("button.save"))
    await becomes(sandbox, ANA, NOTHING)
    await person.captures_chat(f"scope.{wording.texts.language}", wording("scope.saved.soon"))


async def imports(person: Person, sandbox: Switchboard, wording: Wording, said: str) -> None:
    """Two lines, of which one names no one; corrected where they were pasted."""
    language, yes = wording.texts.language, YES[wording.texts.language]
    await sandbox.call(BRUNO)
    await becomes(sandbox, BRUNO, PRESENTING)
    first = f"{wording('export.people.extension')};{wording('export.people.excluded')}\n{BRUNO};{yes}\n"
    await person.says(said)
    await person.sees_hint(wording("import.example").partition("\n")[0])
    await person.captures_chat(f"import.{language}", wording("button.preview"))
    await person.types(wording("import.lines"), f"{first}2999;{yes}")
    await person.presses(wording("button.preview"))
    await person.sees(wording("import.faulty"), wording("import.fault.unknown"))
    await person.captures_chat(f"import-wrong.{language}", wording("import.faulty"))
    await person.types(wording("import.lines"), f"{first}2003;{yes}")
    await person.presses(wording("button.check_again"))
    await person.sees(wording("import.preview"), wording.texts.plural("import.excluded", 2))
    await person.captures_chat(f"import-checked.{language}", wording("import.preview"))
    assert "/".join(await sandbox.shown(BRUNO)) == PRESENTING
    await person.presses(wording("button.import"))
    await person.sees(wording("import.done"))
    await becomes(sandbox, BRUNO, NOTHING)


async def gets_a_report_each_week(person: Person, wording: Wording, said: str) -> None:
    await person.says(said)
    await person.chooses(wording("digest.how_often"), wording("digest.weekly"))
    await person.presses(wording("button.save"))
    await person.sees(wording("alerts.saved"))
    await person.captures_chat(f"digest.{wording.texts.language}", wording("digest.how_often"))


async def rehearses(person: Person, sandbox: Switchboard, wording: Wording, said: str) -> None:
    """Every card of a drill; nothing but reading reaches CloudLink or Microsoft meanwhile."""
    language = wording.texts.language
    await person.says(said)
    await person.sees(wording("drill.safe"))
    await person.captures_chat(f"drills.{language}", wording("drill.safe"))
    await sandbox.clear_log()
    await person.opens(wording(f"drill.{DRILL[language]}"))
    await person.sees(wording("drill.banner"), wording("drill.times"))
    for step in STEPS:
        await person.presses(wording(f"button.drill_{step}"))
    await person.captures_chat(f"drill.{language}", wording("drill.banner"))
    await person.presses(wording("button.drill_other"))
    await person.sees(wording("drill.safe"))
    assert writes(await sandbox.log()) == []


async def removes_during_an_outage(person: Person, sandbox: Switchboard, wording: Wording) -> None:
    """Nothing is called removed while Sofia's call is still shown; that it is done is said."""
    language = wording.texts.language
    await becomes(sandbox, SOFIA, PRESENTING)
    await sandbox.set_faults(**dict.fromkeys(OUTAGES, True))
    await person.says(wording.remove)
    await person.types(wording("remove.type_name", name=NAME), NAME)
    async with asyncio.TaskGroup() as doing:
        doing.create_task(person.presses(wording("button.remove")))
        await person.sees(wording("removing.title"), wording("removing.what"))
        await person.captures_chat(f"removing.{language}", wording("removing.title"))
        assert "/".join(await sandbox.shown(SOFIA)) == PRESENTING
        await sandbox.set_faults(**dict.fromkeys(OUTAGES, False))
    await person.sees(wording("removed.title"), wording("removed.what"))
    await person.captures_chat(f"removed.{language}", wording("removed.title"))
    await becomes(sandbox, SOFIA, NOTHING)


def writes(log: list[dict[str, object]]) -> list[str]:
    """The requests that change something, those inside a batch included."""
    calls = [one for entry in log for one in (entry, *(entry["batch"] or ()))]  # type: ignore[misc]
    return [f"{one['method']} {one.get('path') or one.get('url')}" for one in calls if is_write(one)]


def is_write(call: dict[str, object]) -> bool:
    path = str(call.get("path") or call.get("url"))
    return call["method"] not in ("GET", "HEAD") and not path.endswith(READS)
