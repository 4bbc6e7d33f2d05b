"""Turns are counted and timed, and each has one line in the log without its content."""

import pytest
from structlog.testing import capture_logs

from bot.activity import Action, Event, Installed, Message, Removed, Undelivered
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
    ("event", "kind"),
    [
        (Message("help"), "message"),
        (Action("help.show", {}, "card"), "action"),
        (Installed(), "installed"),
        (Removed(), "removed"),
    ],
)
async def test_a_turn_is_counted_by_its_kind(chat: Chat, event: Event, kind: str) -> None:
    before, timed = counted(chat, kind, "done"), times(chat, kind)
    await chat.turn(event)
    assert (counted(chat, kind, "done"), times(chat, kind)) == (before + 1, timed + 1)


async def test_an_unexpected_error_counts_as_failed(chat: Chat) -> None:
    await chat.press(await at_preview(chat), "setup.later")
    before = counted(chat, "message", "done")
    chat.integrations.errors["status"] = RuntimeError()
    await chat.say("status")
    assert (counted(chat, "message", "failed"), counted(chat, "message", "done")) == (1, before)


async def test_a_delivery_error_counts_as_failed(chat: Chat) -> None:
    class Deaf(RecordingTurn):
        async def replace(self, card: dict[str, object], summary: str) -> None:
            raise Undelivered(503)

    with pytest.raises(Undelivered):
        await chat.pipeline(Deaf(incoming(Message("help"))))
    assert counted(chat, "message", "failed") == 1


async def test_a_user_without_a_role_counts_as_refused(chat: Chat) -> None:
    before = counted(chat, "message", "done")
    stranger = RecordingTurn(incoming(Message("status"), person="a stranger"))
    await chat.pipeline(stranger)
    assert (counted(chat, "message", "refused"), counted(chat, "message", "done")) == (1, before)


async def test_the_log_has_one_line_without_the_content(chat: Chat) -> None:
    with capture_logs() as logs:
        await chat.say("help me with hunter2")
    [line] = [entry for entry in logs if entry["event"] == "turn"]
    assert (line["kind"], line["outcome"]) == ("message", "done")
    assert "hunter2" not in str(logs)


async def test_a_refused_request_is_counted_by_its_status() -> None:
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
