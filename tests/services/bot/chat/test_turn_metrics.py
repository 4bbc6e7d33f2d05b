"""What is said to the bot is counted, timed, and has one line in the log that does not tell what was said."""

import pytest
from structlog.testing import capture_logs

from bot.activity import Action, Installed, Message, Removed, Undelivered
from core.correlation import current_cause
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import RecordingTurn, incoming
from tests.support.bot.hosting import open_bot
from tests.support.bot.setup_wizard import at_preview
from tests.support.captured_log import captured_log


def counted(chat: Chat, kind: str, outcome: str) -> float:
    labels = {"kind": kind, "outcome": outcome}
    return chat.registry.get_sample_value("cloudlink_presence_turns_total", labels) or 0


def times(chat: Chat, kind: str) -> float:
    return chat.registry.get_sample_value("cloudlink_presence_turn_seconds_count", {"kind": kind}) or 0


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        (Message("help"), "message"),
        (Action("help.show", {}, "card"), "action"),
        (Installed(), "installed"),
        (Removed(), "removed"),
    ],
)
async def test_a_turn_is_counted_by_its_kind(
    chat: Chat, what: Message | Action | Installed | Removed, kind: str
) -> None:
    before, timed = counted(chat, kind, "done"), times(chat, kind)
    await chat.turn(what)
    assert (counted(chat, kind, "done"), times(chat, kind)) == (before + 1, timed + 1)


async def test_what_nobody_foresaw_counts_as_failed(chat: Chat) -> None:
    await chat.press(await at_preview(chat), "setup.later")
    before = counted(chat, "message", "done")
    chat.integrations.errors["status"] = RuntimeError()
    await chat.say("status")
    assert (counted(chat, "message", "failed"), counted(chat, "message", "done")) == (1, before)


async def test_what_cannot_be_delivered_counts_as_failed(chat: Chat) -> None:
    class Deaf(RecordingTurn):
        async def replace(self, card: dict[str, object], summary: str) -> None:
            raise Undelivered(503)

    with pytest.raises(Undelivered):
        await chat.conversation(Deaf(incoming(Message("help"))))
    assert counted(chat, "message", "failed") == 1


async def test_who_may_not_speak_counts_as_refused(chat: Chat) -> None:
    before = counted(chat, "message", "done")
    stranger = RecordingTurn(incoming(Message("status"), person="a stranger"))
    await chat.conversation(stranger)
    assert (counted(chat, "message", "refused"), counted(chat, "message", "done")) == (1, before)


async def test_the_log_has_one_line_and_not_what_was_said(chat: Chat) -> None:
    with capture_logs() as logs:
        await chat.say("help me with hunter2")
    [line] = [entry for entry in logs if entry["event"] == "turn"]
    assert (line["kind"], line["outcome"]) == ("message", "done")
    assert "hunter2" not in str(logs)


async def test_a_request_that_is_turned_away_is_counted_by_its_status() -> None:
    async with open_bot() as bot:
        await bot.post(bot.activity(), token=None)
        await bot.post({})
        for status in ("401", "400"):
            labels = {"status": status}
            assert bot.registry.get_sample_value("cloudlink_presence_refused_activities_total", labels) == 1


async def test_each_turn_has_an_id_of_its_own() -> None:
    causes = []

    async def handler(_turn: object) -> None:
        causes.append(current_cause())

    with captured_log():
        async with open_bot(handler) as bot:
            for number in range(2):
                await bot.post(bot.activity(id=f"activity-{number}"))
    assert len(set(causes)) == 2
    assert all(causes)
