"""A whole conversation with many errors, which produce output; then a search for every secret."""

from pathlib import Path

import pytest

from tests.e2e.journeys import (
    ENGLISH,
    NAME,
    Values,
    complete_cloudlink_steps,
    enable,
    install_bot,
    save,
    setup_values,
)
from tests.e2e.playground import Playground, running_playground
from tests.e2e.product import becomes, running_product
from tests.e2e.searches import contents, leaks, stored_output
from tests.support.services.sandboxes import Switchboard

pytestmark = [pytest.mark.long, pytest.mark.e2e, pytest.mark.timeout(180)]

ANA = "2001"
WRONG_CLOUDLINK = "wrong-cloudlink-secret-Zq81"
WRONG_CLIENT = "Wr0ng~client.secret-typed_by.mistake-4711"


async def whole_conversation(chat: Playground, sandbox: Switchboard, values: Values) -> None:
    await install_bot(chat, ENGLISH)
    await chat.say(ENGLISH.setup)
    await chat.card_with(ENGLISH.step(1))
    await chat.press(ENGLISH("button.check"), **values.cloudlink | {"cloudlink_secret": WRONG_CLOUDLINK})
    await chat.card_with(ENGLISH.step(1), "❌")
    await chat.press(ENGLISH("button.cancel"))
    await complete_cloudlink_steps(chat, ENGLISH, values)
    await chat.press(ENGLISH("button.save_and_check"), **values.teams | {"client_secret": WRONG_CLIENT})
    await chat.card_with(ENGLISH("fault.entra.secret_wrong"))
    await sandbox.set_faults(entraOutage=True)
    await chat.press(ENGLISH("button.save_and_check"), **values.teams)
    await chat.card_with(ENGLISH.step(2), "❌")
    await sandbox.set_faults(entraOutage=False)
    await save(chat, ENGLISH, values)
    await enable(chat, ENGLISH)
    await sandbox.call(ANA)
    await becomes(sandbox, ANA, "Busy/InACall")
    await sandbox.set_faults(graphOutage=True, cloudlinkOutage=True)
    for command in (ENGLISH.test, ENGLISH.status):
        await chat.say(command)
        await chat.card_with(NAME)
    await sandbox.set_faults(graphOutage=False, cloudlinkOutage=False)
    await chat.say(values.teams["client_secret"])
    await chat.card_with(ENGLISH("unknown.title"))


async def test_no_secret_is_left_behind(tmp_path: Path) -> None:
    async with running_product(tmp_path) as (sandbox, bot), running_playground(bot.url, tmp_path / "logs") as chat:
        values = await setup_values(sandbox)
        await whole_conversation(chat, sandbox, values)
        found = await stored_output(chat, sandbox, bot, tmp_path / "logs")
    found |= {f"{name} (after the end)": each for name, each in contents(bot.data, tmp_path / "logs").items()}

    assert_searched_where_things_are(found)
    secrets = {values.cloudlink["cloudlink_secret"], values.teams["client_secret"], WRONG_CLOUDLINK, WRONG_CLIENT}
    assert leaks(found, secrets) == {}


def assert_searched_where_things_are(found: dict[str, bytes]) -> None:
    """The search must work: a value that is not secret is found in each place."""
    holding_name = {name for name, content in found.items() if NAME.encode() in content}
    assert "chat" in holding_name
    assert any(".db" in name or ".sqlite" in name for name in holding_name), sorted(found)
    assert any(name.endswith("bot.log") for name in found)
    assert b"/token" in found["sandbox's log"]
    assert found["metrics"]
