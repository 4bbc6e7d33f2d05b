"""What a card sends when a button is pressed: a verb and the inputs, as strings, within limits."""

from typing import Any

from bot.activity import Action
from bot.hosting.fields import Json, obj, required
from bot.hosting.refusals import Refused

MAX_INPUTS = 50
MAX_KEY = 64
MAX_VALUE = 4_000


def read_execute(value: Json, card_id: str) -> Action:
    """An ``Action.Execute``: ``{"action": {"verb": .., "data": {..}}}``. Raises ``Refused`` (400)."""
    action = obj(value, "action")
    return Action(required(action, "verb"), _inputs(obj(action, "data")), card_id)


def read_submit(value: Json, card_id: str) -> Action | None:
    """An ``Action.Submit`` with its verb among the data; None when it names none. Raises ``Refused`` (400)."""
    if value.get("verb") is None:
        return None
    data = {key: item for key, item in value.items() if key not in ("verb", "msteams")}
    return Action(required(value, "verb"), _inputs(data), card_id)


def _inputs(data: Json) -> dict[str, str]:
    if len(data) > MAX_INPUTS or any(len(key) > MAX_KEY or "\0" in key for key in data):
        raise Refused(400, "inputs_too_many")
    return {key: _input(value) for key, value in data.items() if value is not None}


def _input(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise Refused(400, "input_type")
    said = str(value)
    if "\0" in said:
        raise Refused(400, "input_null")
    if len(said) > MAX_VALUE:
        raise Refused(400, "input_too_long")
    return said
