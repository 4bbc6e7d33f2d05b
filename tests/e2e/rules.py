"""What an administrator decides about who is shown, when and as what: by hand, in the Playground's window.

After each decision, what Teams shows is read from the sandbox.
"""

from datetime import UTC, datetime, timedelta

from bot.languages import Language
from tests.e2e.journeys import Wording
from tests.e2e.person import Person
from tests.e2e.product import becomes
from tests.support.services.sandboxes import Switchboard

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
DRILLS = ("secret", "webhooks", "graph")
STEPS = ("alert", "status", "clear", "times")
READS = ("getPresencesByUserId", "/token", "$batch")


async def decides(person: Person, sandbox: Switchboard, wording: Wording) -> None:
    """Each decision, one after the other, with Ana and Sofia on a call."""
    await sandbox.call(ANA)
    await becomes(sandbox, ANA, ON_A_CALL)
    said = iter(SAID[wording.texts.language])
    await excludes_and_includes(person, sandbox, wording, next(said))
    await keeps_the_second_call_quiet(person, sandbox, wording, next(said))
    await closes_and_opens(person, sandbox, wording, next(said))
    await leaves_out_by_rule(person, sandbox, wording, next(said))
    await imports(person, sandbox, wording, next(said))
    await gets_a_report_each_week(person, wording, next(said))
    await rehearses(person, sandbox, wording, next(said))


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
    await person.sees_hint(wording("import.example"))
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
    """Every card of every drill; nothing but reading reaches CloudLink or Microsoft meanwhile."""
    language = wording.texts.language
    await person.says(said)
    await person.sees(wording("drill.safe"))
    await person.captures_chat(f"drills.{language}", wording("drill.safe"))
    await sandbox.clear_log()
    for drill in DRILLS:
        await person.opens(wording(f"drill.{drill}"))
        await person.sees(wording("drill.banner"), wording("drill.times"))
        for step in STEPS:
            await person.presses(wording(f"button.drill_{step}"))
        await person.captures_chat(f"drill-{drill}.{language}", wording("drill.banner"))
        await person.presses(wording("button.drill_other"))
        await person.sees(wording("drill.safe"))
    assert writes(await sandbox.log()) == []


def writes(log: list[dict[str, object]]) -> list[str]:
    """The requests that change something, those inside a batch included."""
    calls = [one for entry in log for one in (entry, *(entry["batch"] or ()))]  # type: ignore[misc]
    return [f"{one['method']} {one.get('path') or one.get('url')}" for one in calls if is_write(one)]


def is_write(call: dict[str, object]) -> bool:
    path = str(call.get("path") or call.get("url"))
    return call["method"] not in ("GET", "HEAD") and not path.endswith(READS)
