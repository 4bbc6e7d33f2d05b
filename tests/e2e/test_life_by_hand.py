"""The life of an integration by hand: pressing, typing and pasting in the Playground's window."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.journeys import NAME, WORDINGS, Wording, set_up
from tests.e2e.person import Person, open_person
from tests.e2e.playground import running_playground
from tests.e2e.product import Bot, becomes, running_product
from tests.support.bot.texts import problem_words
from tests.support.browsers import chromium
from tests.support.services.sandboxes import Switchboard
from tests.support.tools import require

pytestmark = [pytest.mark.long, pytest.mark.e2e, pytest.mark.timeout(400)]

ANA, BRUNO, SOFIA = "2001", "2002", "2019"
ON_A_CALL = "Busy/InACall"
MONITOR = "Receção"
NEW_NAME = "Sede do Porto"
DESCRIPTION = "Verão 2027"
WRONG = "Wr0ng~client.secret-typed_by.mistake-4711"


@pytest.mark.parametrize("wording", WORDINGS, ids=["english", "portuguese"])
async def test_a_person_maintains_an_integration(tmp_path: Path, wording: Wording) -> None:
    """Set up quickly by the driver, whose messages the window shows as well; the rest is by hand."""
    require("chromium")
    soon = (datetime.now(UTC) + timedelta(days=5)).date().isoformat()
    async with (
        running_product(tmp_path) as (sandbox, bot),
        running_playground(bot.url, tmp_path / "logs", wording.locale) as playground,
        chromium() as browser,
        open_person(browser, playground.url, sandbox.url, wording.locale) as person,
    ):
        await person.sees(wording("welcome.title"))
        await set_up(playground, sandbox, wording, soon)
        await is_warned(person, wording)
        await lists_a_monitor(person, wording)
        await replaces_the_secret(person, sandbox, wording)
        await renews_the_monitor(person, wording)
        await person.opens_the_chat_again()
        await renames(person, wording)
        await reads_the_history(person, wording)
        await person.opens_the_chat_again()
        await installs_the_updates(person, sandbox, wording)
        await lets_the_bot_replace_the_secret(person, sandbox, wording)
        await reads_that_the_secret_expired(person, sandbox, bot, wording)


async def is_warned(person: Person, wording: Wording) -> None:
    await person.sees(wording.texts.plural("notice.expiry.soon", 5, what=wording("notice.what.secret")))
    await person.captures_chat(f"warning.{wording.texts.language}")


async def lists_a_monitor(person: Person, wording: Wording) -> None:
    await person.says(wording.monitors)
    await person.types(wording("monitors.add"), MONITOR)
    await person.captures_chat(f"monitors.{wording.texts.language}")
    await person.presses(wording("button.monitors_add"))
    await person.sees(wording("monitors.listed"), MONITOR)


async def replaces_the_secret(person: Person, sandbox: Switchboard, wording: Wording) -> None:
    old = (await sandbox.state())["registration"]["secrets"][-1]
    new = await sandbox.new_secret("The next one")
    await person.presses(wording("button.rotate"))
    await person.sees(wording("rotate.title"))
    await person.types(wording("field.client_secret"), WRONG)
    await person.types(wording("field.expires_on"), new["endDateTime"][:10])
    await person.types(wording("field.description"), DESCRIPTION)
    await person.captures_chat(f"rotate.{wording.texts.language}")
    await person.presses(wording("button.rotate"))
    await person.sees(wording("rotate.other_app"))
    await person.captures_chat(f"rotate-refused.{wording.texts.language}")
    await person.pastes(f"secretValue-{new['keyId']}", wording("field.client_secret"))
    await person.presses(wording("button.rotate"))
    await person.sees(wording("rotate.replaced"), NAME)
    await person.captures_chat(f"rotated.{wording.texts.language}", wording("rotate.replaced"))
    await person.sees(wording("notice.closed.title"))
    await person.captures_chat(f"warning-closed.{wording.texts.language}", wording("notice.closed.title"))
    await sandbox.expire_secret(old["keyId"])
    await person.clicks_switchboard(f"ring-{ANA}")
    await person.clicks_switchboard(f"answer-{ANA}")
    await becomes(sandbox, ANA, ON_A_CALL)


async def renews_the_monitor(person: Person, wording: Wording) -> None:
    await person.sees(wording("monitors.asked"))
    await person.captures_chat(f"monitors-asked.{wording.texts.language}")
    await person.presses(wording("button.same_secret"))
    await person.sees(wording("monitors.checklist"))
    await person.ticks(MONITOR)
    await person.captures_chat(f"checklist.{wording.texts.language}")
    await person.presses(wording("button.tick"))
    await person.sees(wording("monitors.all_done"))
    await person.captures_chat(f"checklist-done.{wording.texts.language}")


async def renames(person: Person, wording: Wording) -> None:
    await person.says(wording.edit)
    await person.sees(wording("edit.title"))
    await person.captures_chat(f"edit.{wording.texts.language}")
    await person.presses(wording("button.rename"))
    await person.types(wording("field.name"), NEW_NAME)
    await person.presses(wording("button.save"))
    await person.sees(wording("edit.renamed"), NEW_NAME)
    await person.captures_chat(f"renamed.{wording.texts.language}")
    await person.says(wording.integrations)
    await person.sees(wording.texts.plural("integrations.count", 1))
    await person.captures_chat(f"integrations.{wording.texts.language}")
    await person.presses(wording("button.open"))
    await person.sees(wording("button.disable"))
    await person.captures_chat(f"integration.{wording.texts.language}")


async def reads_the_history(person: Person, wording: Wording) -> None:
    await person.says(wording.history)
    await person.sees(wording("history.title"), NAME, wording("fault.entra.secret_wrong"), DESCRIPTION)
    await person.captures_chat(f"history.{wording.texts.language}")
    await person.says(wording.export)
    await person.sees(wording("export.download"))
    await person.captures_chat(f"export.{wording.texts.language}")


async def installs_the_updates(person: Person, sandbox: Switchboard, wording: Wording) -> None:
    """On the first day nothing offers them: the administrator asks, for one after the other."""
    await sandbox.call(SOFIA)
    for version in ("2", "3"):
        await installs(person, sandbox, wording, version)
    await becomes(sandbox, SOFIA, ON_A_CALL)
    await person.sees_in_teams(ANA, wording("update.3.words"))
    await person.captures_switchboard(f"switchboard-updated.{wording.texts.language}")


async def installs(person: Person, sandbox: Switchboard, wording: Wording, version: str) -> None:
    await person.says(wording.update)
    await person.sees(wording(f"update.{version}.name"))
    await person.captures_chat(f"update-{version}.{wording.texts.language}")
    await sandbox.set_faults(slow_seconds=2.0)
    await person.presses(wording("button.install_update"))
    await person.sees(wording("update.installing"))
    await person.captures_chat(f"update-{version}-going.{wording.texts.language}")
    await person.sees(wording("button.done"))
    await sandbox.set_faults(slow_seconds=0.0)
    await person.captures_chat(f"update-{version}-completed.{wording.texts.language}")
    await person.presses(wording("button.done"))
    await person.sees(wording("update.stands_on", version=version))
    await person.captures_chat(f"update-{version}-done.{wording.texts.language}")


async def lets_the_bot_replace_the_secret(person: Person, sandbox: Switchboard, wording: Wording) -> None:
    """The monitor is offered a secret of its own, behind a link."""
    language = wording.texts.language
    await sandbox.permissions(Application_ReadWrite_OwnedBy=True)
    await person.says(wording.rotate)
    await person.sees(wording("rotate.title"))
    await person.presses(wording("button.rotate_for_me"))
    await person.sees(wording("rotate.for_me.listed", names=MONITOR), wording("rotate.for_me.own"))
    await person.captures_chat(f"for-me.{language}", wording("rotate.for_me.title"))
    await person.presses(wording("button.rotate_start"))
    await person.sees(wording("rotate.for_me.done"), wording("rotate.old_left.monitors"), wording("monitors.asked"))
    await person.presses(wording("button.same_secret"))
    await person.sees(wording("monitors.checklist.own"))
    await person.captures_chat(f"checklist-own.{language}", wording("monitors.checklist"))
    await person.presses(wording("button.monitor_secret"))
    await person.sees(wording("monitors.secret.open"))
    await person.captures_chat(f"monitors-secret.{language}", wording("monitors.secret.open"))


async def reads_that_the_secret_expired(person: Person, sandbox: Switchboard, bot: Bot, wording: Wording) -> None:
    """One truth: nothing new is shown, why, and the button that helps."""
    language = wording.texts.language
    await bot.stop()
    for secret in (await sandbox.state())["registration"]["secrets"]:
        await sandbox.expire_secret(secret["keyId"])
    await sandbox.call(BRUNO)
    await bot.start()
    await person.sees(*problem_words("entra.secret_expired", wording.texts))
    await person.says(wording.status)
    await person.sees(wording("status.no_calls", since=""), wording("fault.entra.secret_expired.remedy"))
    await person.captures_chat(f"status-expired.{language}", wording("status.no_calls", since=""))
    await person.presses(wording("button.rotate"))
    await person.sees(wording("rotate.title"))
