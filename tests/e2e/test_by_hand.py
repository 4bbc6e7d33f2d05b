"""The main task as a person does it: clicking and typing in the Playground's window and on the switchboard."""

from pathlib import Path

import pytest

from tests.e2e.journeys import NAME, TONGUES, Tongue
from tests.e2e.person import Person, sitting_down
from tests.e2e.playground import running_playground
from tests.e2e.product import becomes, running_product
from tests.support.browsers import chromium
from tests.support.sandboxes import Switchboard
from tests.support.tools import require

pytestmark = [pytest.mark.long, pytest.mark.e2e, pytest.mark.timeout(240)]

ANA, BRUNO, CATARINA = "2001", "2002", "2003"
IN_A_CALL = {"en-US": "In a call", "pt-PT": "Numa chamada"}
AVAILABLE = {"en-US": "Available", "pt-PT": "Disponível"}


@pytest.mark.parametrize("tongue", TONGUES, ids=["english", "portuguese"])
async def test_a_person_connects_a_phone_system_and_sees_a_call_in_teams(tmp_path: Path, tongue: Tongue) -> None:
    require("chromium")
    async with (
        running_product(tmp_path) as (sandbox, bot),
        running_playground(bot.url, tmp_path / "logs", tongue.locale) as playground,
        chromium() as browser,
        sitting_down(browser, playground.url, sandbox.url, tongue.locale) as person,
    ):
        await sets_up_cloudlink(person, tongue)
        await connects_the_application(person, sandbox, tongue)
        await takes_a_call(person, sandbox, tongue)
        await switches_it_off(person, sandbox, tongue)


async def sets_up_cloudlink(person: Person, tongue: Tongue) -> None:
    await person.sees(tongue("welcome.title"))
    await person.photographs_chat(f"welcome.{tongue.texts.language}")
    await person.says(tongue.setup)
    await person.sees(tongue.step(1))
    await person.pastes("accountId", tongue("field.account_id"))
    await person.pastes("cloudlinkClientId", tongue("field.cloudlink_client_id"))
    await person.pastes("cloudlinkClientSecret", tongue("field.cloudlink_secret"))
    await person.photographs_chat(f"cloudlink.{tongue.texts.language}")
    await person.presses(tongue("button.check"))
    await person.sees(tongue.step(2))
    await person.photographs_chat(f"register.{tongue.texts.language}")
    await person.presses(tongue("button.next"))
    await person.sees(tongue.step(3))


async def connects_the_application(person: Person, sandbox: Switchboard, tongue: Tongue) -> None:
    secret = (await sandbox.state())["registration"]["secrets"][0]
    await person.types(tongue("field.name"), NAME)
    await person.pastes("tenantId", tongue("field.tenant_id"))
    await person.pastes("clientId", tongue("field.client_id"))
    await person.pastes(f"secretId-{secret['keyId']}", tongue("field.client_secret"))
    await person.types(tongue("field.expires_on"), secret["endDateTime"][:10])
    await person.presses(tongue("button.save"))
    await person.sees(tongue("fault.entra.secret_is_id"))
    await person.photographs_chat(f"chat.{tongue.texts.language}")
    await person.pastes(f"secretValue-{secret['keyId']}", tongue("field.client_secret"))
    await person.presses(tongue("button.save"))
    await person.sees(tongue("preview.title"), tongue("preview.saved"))
    await person.photographs_chat(f"preview.{tongue.texts.language}")
    await person.presses(tongue("button.enable"))
    await person.sees(tongue("enabled.title"), NAME)
    await person.photographs_chat(f"enabled.{tongue.texts.language}")


async def takes_a_call(person: Person, sandbox: Switchboard, tongue: Tongue) -> None:
    await person.turns(f"ring-{ANA}")
    await person.turns(f"answer-{ANA}")
    await person.sees_in_teams(ANA, IN_A_CALL[tongue.locale])
    await becomes(sandbox, ANA, "Busy/InACall")
    await person.turns(f"dnd-{CATARINA}")
    await person.turns(f"ring-{BRUNO}")
    await becomes(sandbox, CATARINA, "DoNotDisturb/Presenting")
    await person.photographs_switchboard(f"switchboard.{tongue.texts.language}")
    await person.says(tongue.status)
    await person.sees(tongue("status.enabled"))
    await person.photographs_chat(f"status.{tongue.texts.language}")
    await person.turns(f"hangup-{ANA}")
    await person.sees_in_teams(ANA, AVAILABLE[tongue.locale])


async def switches_it_off(person: Person, sandbox: Switchboard, tongue: Tongue) -> None:
    await person.says(tongue.disable)
    await person.sees(tongue("disable.title"))
    await person.presses(tongue("button.disable"))
    await person.sees(tongue("disabled.title"))
    await person.photographs_chat(f"disabled.{tongue.texts.language}")
    await becomes(sandbox, CATARINA, "Available/Available")
