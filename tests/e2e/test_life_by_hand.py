"""The life of an integration by hand: pressing, typing and pasting in the Playground's window."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.journeys import NAME, TONGUES, Tongue, set_up
from tests.e2e.person import Person, sitting_down
from tests.e2e.playground import running_playground
from tests.e2e.product import becomes, running_product
from tests.support.browsers import chromium
from tests.support.sandboxes import Switchboard
from tests.support.tools import require

pytestmark = [pytest.mark.long, pytest.mark.e2e, pytest.mark.timeout(400)]

ANA, SOFIA = "2001", "2019"
ON_A_CALL = "Busy/InACall"
MONITOR = "Receção"
NEW_NAME = "Sede do Porto"
WRONG = "Wr0ng~client.secret-typed_by.mistake-4711"


@pytest.mark.parametrize("tongue", TONGUES, ids=["english", "portuguese"])
async def test_a_person_maintains_an_integration(tmp_path: Path, tongue: Tongue) -> None:
    """Set up quickly by the driver, whose messages the window shows as well; the rest is by hand."""
    require("chromium")
    soon = (datetime.now(UTC) + timedelta(days=5)).date().isoformat()
    async with (
        running_product(tmp_path) as (sandbox, bot),
        running_playground(bot.url, tmp_path / "logs", tongue.locale) as playground,
        chromium() as browser,
        sitting_down(browser, playground.url, sandbox.url, tongue.locale) as person,
    ):
        await person.sees(tongue("welcome.title"))
        await set_up(playground, sandbox, tongue, soon)
        await is_warned(person, tongue)
        await lists_a_monitor(person, tongue)
        await replaces_the_secret(person, sandbox, tongue)
        await renews_the_monitor(person, tongue)
        await renames(person, tongue)
        await reads_the_history(person, tongue)
        await installs_the_update(person, sandbox, tongue)


async def is_warned(person: Person, tongue: Tongue) -> None:
    await person.sees(tongue.texts.plural("notice.expiry.soon", 5, what=tongue("notice.what.secret")))
    await person.photographs_chat(f"warning.{tongue.texts.language}")


async def lists_a_monitor(person: Person, tongue: Tongue) -> None:
    await person.says(tongue.monitors)
    await person.types(tongue("monitors.add"), MONITOR)
    await person.photographs_chat(f"monitors.{tongue.texts.language}")
    await person.presses(tongue("button.monitors_add"))
    await person.sees(tongue("monitors.listed"), MONITOR)


async def replaces_the_secret(person: Person, sandbox: Switchboard, tongue: Tongue) -> None:
    old = (await sandbox.state())["registration"]["secrets"][-1]
    new = await sandbox.new_secret("The next one")
    await person.presses(tongue("notice.replace"))
    await person.sees(tongue("rotate.title"))
    await person.types(tongue("field.client_secret"), WRONG)
    await person.types(tongue("field.expires_on"), new["endDateTime"][:10])
    await person.photographs_chat(f"rotate.{tongue.texts.language}")
    await person.presses(tongue("button.rotate"))
    await person.sees(tongue("rotate.other_app"))
    await person.photographs_chat(f"rotate-refused.{tongue.texts.language}")
    await person.pastes(f"secretValue-{new['keyId']}", tongue("field.client_secret"))
    await person.presses(tongue("button.rotate"))
    await person.sees(tongue("rotate.replaced"))
    await person.photographs_chat(f"rotated.{tongue.texts.language}", tongue("rotate.replaced"))
    await person.sees(tongue("notice.closed.title"))
    await person.photographs_chat(f"warning-closed.{tongue.texts.language}", tongue("notice.closed.title"))
    await sandbox.expire_secret(old["keyId"])
    await person.turns(f"ring-{ANA}")
    await person.turns(f"answer-{ANA}")
    await becomes(sandbox, ANA, ON_A_CALL)


async def renews_the_monitor(person: Person, tongue: Tongue) -> None:
    await person.sees(tongue("monitors.asked"))
    await person.photographs_chat(f"monitors-asked.{tongue.texts.language}")
    await person.presses(tongue("button.same_secret"))
    await person.sees(tongue("monitors.checklist"))
    await person.ticks(MONITOR)
    await person.photographs_chat(f"checklist.{tongue.texts.language}")
    await person.presses(tongue("button.tick"))
    await person.sees(tongue("monitors.all_done"))
    await person.photographs_chat(f"checklist-done.{tongue.texts.language}")


async def renames(person: Person, tongue: Tongue) -> None:
    await person.says(tongue.edit)
    await person.sees(tongue("edit.title"))
    await person.photographs_chat(f"edit.{tongue.texts.language}")
    await person.presses(tongue("button.rename"))
    await person.types(tongue("field.name"), NEW_NAME)
    await person.presses(tongue("button.save"))
    await person.sees(tongue("edit.renamed"), NEW_NAME)
    await person.photographs_chat(f"renamed.{tongue.texts.language}")
    await person.says(tongue.integrations)
    await person.sees(tongue.texts.plural("integrations.count", 1))
    await person.photographs_chat(f"integrations.{tongue.texts.language}")
    await person.presses(tongue("button.open"))
    await person.sees(tongue("button.pause"))
    await person.photographs_chat(f"integration.{tongue.texts.language}")


async def reads_the_history(person: Person, tongue: Tongue) -> None:
    await person.says(tongue.history)
    await person.sees(tongue("history.title"), NAME)
    await person.photographs_chat(f"history.{tongue.texts.language}")
    await person.says(tongue.export)
    await person.sees(tongue("export.download"))
    await person.photographs_chat(f"export.{tongue.texts.language}")


async def installs_the_update(person: Person, sandbox: Switchboard, tongue: Tongue) -> None:
    await sandbox.call(SOFIA)
    await person.says(tongue.status)
    await person.sees(tongue("update.available", version="3"))
    await person.photographs_chat(f"status-update.{tongue.texts.language}")
    await person.says(tongue.update)
    await person.sees(tongue("update.here"))
    await person.photographs_chat(f"update.{tongue.texts.language}")
    await sandbox.set_faults(slow_seconds=2.0)
    await person.presses(tongue("button.install_update"))
    await person.sees(tongue("update.installing"))
    await person.photographs_chat(f"update-begun.{tongue.texts.language}")
    await person.sees("50 %")
    await person.photographs_chat(f"update-going.{tongue.texts.language}")
    await person.sees(tongue("button.done"))
    await sandbox.set_faults(slow_seconds=0)
    await person.photographs_chat(f"update-completed.{tongue.texts.language}")
    await person.presses(tongue("button.done"))
    await person.sees(tongue("update.stands_on", version="3"))
    await person.photographs_chat(f"update-done.{tongue.texts.language}")
    await becomes(sandbox, SOFIA, ON_A_CALL)
    await person.sees_in_teams(ANA, tongue("update.3.words"))
    await person.photographs_switchboard(f"switchboard-updated.{tongue.texts.language}")
