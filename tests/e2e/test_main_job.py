"""The main task, end to end: the real bot, the sandbox and Microsoft's own client, each in its own process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.journeys import (
    ENGLISH,
    NAME,
    PORTUGUESE,
    Wording,
    complete_cloudlink_steps,
    connect,
    enable,
    install_bot,
    save,
    setup_values,
)
from tests.e2e.playground import Playground, running_playground
from tests.e2e.product import Bot, becomes, running_product
from tests.support.services.sandboxes import Switchboard

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

ANA, BRUNO = "2001", "2002"
ON_A_CALL = "Busy/InACall"


@asynccontextmanager
async def everything(directory: Path, locale: str) -> AsyncIterator[tuple[Playground, Switchboard, Bot]]:
    async with (
        running_product(directory) as (sandbox, bot),
        running_playground(bot.url, directory / "logs", locale) as chat,
    ):
        yield chat, sandbox, bot


@pytest.mark.parametrize(
    "wording", [ENGLISH, pytest.param(PORTUGUESE, marks=pytest.mark.long)], ids=["english", "portuguese"]
)
async def test_from_chat_to_presence(tmp_path: Path, wording: Wording) -> None:
    async with everything(tmp_path, wording.locale) as (chat, sandbox, _):
        before = "/".join(await sandbox.shown(ANA))
        values = await setup_values(sandbox)
        key_id = (await sandbox.state())["registration"]["secrets"][-1]["keyId"]

        await install_bot(chat, wording)
        await complete_cloudlink_steps(chat, wording, values)
        await chat.press(wording("button.save_and_check"), **values.teams | {"client_secret": key_id})
        await chat.card_with(wording("fault.entra.secret_is_id"), wording.step(2))
        await chat.press(
            wording("button.save_and_check"),
            **values.teams | {"client_secret": "not-the-right-one-at-all-0123456789~x"},
        )
        await chat.card_with(wording("fault.entra.secret_wrong"), wording.step(2))
        await save(chat, wording, values)
        preview = await chat.card_with(wording("preview.title"))
        assert {"28", "21", "7"} <= set(preview.words.splitlines())

        await sandbox.call(BRUNO)
        await enable(chat, wording)
        await becomes(sandbox, BRUNO, ON_A_CALL)

        await sandbox.ring(ANA)
        await sandbox.answer(ANA)
        await becomes(sandbox, ANA, ON_A_CALL)
        await chat.say(wording.status)
        status = await chat.card_with(wording("status.enabled"), NAME)
        assert "2" in status.words.splitlines()
        await chat.say(wording.test)
        await chat.card_with(wording("test.passed"))
        await sandbox.hangup(ANA)
        await becomes(sandbox, ANA, before)

        await sandbox.dnd(ANA)
        await becomes(sandbox, ANA, "DoNotDisturb/Presenting")
        await chat.say(wording.disable)
        await chat.press(wording("button.disable"))
        await chat.card_with(wording("disabled.title"))
        await becomes(sandbox, ANA, before)
        await becomes(sandbox, BRUNO, before)
        await sandbox.hangup(BRUNO)
        await sandbox.call(BRUNO)

        await chat.say(wording.remove)
        await chat.press(wording("button.remove"), typed_name="Another office")
        await chat.card_with("❌", NAME)
        await chat.press(wording("button.remove"), typed_name=NAME)
        await chat.card_with(wording("removed.title"))
        assert "/".join(await sandbox.shown(BRUNO)) == before


@pytest.mark.long
async def test_a_power_cut_during_a_call_leaves_no_presence(tmp_path: Path) -> None:
    async with everything(tmp_path, ENGLISH.locale) as (chat, sandbox, bot):
        before = "/".join(await sandbox.shown(ANA))
        await connect(chat, sandbox, ENGLISH)
        await sandbox.call(ANA)
        await becomes(sandbox, ANA, ON_A_CALL)

        await bot.kill()
        await sandbox.hangup(ANA)
        await sandbox.call(BRUNO)
        assert "/".join(await sandbox.shown(ANA)) == ON_A_CALL

        await bot.start()
        await becomes(sandbox, ANA, before)
        await becomes(sandbox, BRUNO, ON_A_CALL)
        await sandbox.ring(ANA)
        await sandbox.answer(ANA)
        await becomes(sandbox, ANA, ON_A_CALL)


@pytest.mark.long
async def test_a_setup_continues_after_a_restart(tmp_path: Path) -> None:
    async with everything(tmp_path, PORTUGUESE.locale) as (chat, sandbox, bot):
        values = await setup_values(sandbox)
        await install_bot(chat, PORTUGUESE)
        await complete_cloudlink_steps(chat, PORTUGUESE, values)

        await bot.kill()
        await bot.start()
        await chat.say(PORTUGUESE.setup)
        await chat.card_with(PORTUGUESE("setup.resume.title"))
        await chat.press(PORTUGUESE("button.resume"))
        await chat.card_with(PORTUGUESE.step(2))
        await save(chat, PORTUGUESE, values)
        await enable(chat, PORTUGUESE)
        await sandbox.call(ANA)
        await becomes(sandbox, ANA, ON_A_CALL)


@pytest.mark.long
async def test_cancel_keeps_nothing(tmp_path: Path) -> None:
    async with everything(tmp_path, ENGLISH.locale) as (chat, sandbox, _):
        await install_bot(chat, ENGLISH)
        await complete_cloudlink_steps(chat, ENGLISH, await setup_values(sandbox))
        await chat.press(ENGLISH("button.cancel"))
        await chat.card_with(ENGLISH("setup.cancelled.title"))
        await chat.say(ENGLISH.setup)
        first = await chat.card_with(ENGLISH.step(1))
        assert (await sandbox.state())["cloudlink"]["accountId"] not in first.words
