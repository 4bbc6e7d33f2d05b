"""Cards on their way through botbuilder: it neither copies them nor walks through them."""

from copy import deepcopy
from typing import Any

from botbuilder import schema
from msrest import Serializer

from bot.hosting.sdk.activities import SentAnswer, card_message

KNOWN = {name: kind for name, kind in vars(schema).items() if isinstance(kind, type)}


class Unread(dict[str, Any]):
    """A part of a card that nobody looks into."""

    def items(self) -> Any:
        raise AssertionError("copied or walked through")


def test_a_card_is_sent_as_it_is() -> None:
    part = Unread(type="TextBlock", text=None)
    card = {"type": "AdaptiveCard", "body": [part]}
    serializer: Any = Serializer
    sent = serializer(KNOWN).body(deepcopy(card_message(card, "a summary")), "Activity")
    [attachment] = sent["attachments"]
    assert attachment["content"] == card
    assert attachment["content"]["body"][0] is part
    assert (sent["type"], sent["summary"]) == ("message", "a summary")


def test_the_answer_to_a_pressed_button_is_not_copied() -> None:
    answer = SentAnswer(status=200, body={"value": Unread()})
    assert deepcopy(answer) is answer
