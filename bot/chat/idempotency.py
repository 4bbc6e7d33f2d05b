"""Idempotency: an act of a card runs once, however often its button is pressed, in any number of processes.

Every card gets a press id of its own, which its acting buttons carry. The first press claims it in one transaction
before the act runs; later presses get a banner and the current state instead. A card that is shown again, for
example with a form error, is another card. A press id authorises nothing: without one, or with an invented one, the
act's own checks still apply.

A press whose process ended before its act did is replaced by the next one, on PostgreSQL after two minutes: the act
runs again. What it stored before is kept, as after any failure, and its own checks, such as the revision of a form,
find that.
"""

from collections.abc import Mapping, Set
from typing import Any

from bot.activity import Card
from bot.cards.parts import verbs

PRESS_ID = "press"
MAX_LENGTH = 64

ACTS: Mapping[str, str] = {
    "admins.add": "admins.list",
    "admins.change": "admins.open",
    "admins.demote": "admins.open",
    "admins.remove": "admins.list",
    "alerts.remind": "command.alerts",
    "alerts.save": "command.alerts",
    "auto_rotate.off": "auto_rotate.show",
    "auto_rotate.on": "auto_rotate.show",
    "certificate.federated": "certificate.show",
    "certificate.host": "certificate.show",
    "certificate.make": "certificate.show",
    "certificate.use": "certificate.show",
    "disable.now": "disable.ask",
    "edit.save_cloudlink": "edit.open",
    "edit.save_expiry": "status.show",
    "edit.save_name": "edit.open",
    "edit.save_teams": "edit.open",
    "enable.now": "enable.preview",
    "import_people.apply": "import_people.page",
    "mapping.add": "mapping.some",
    "mapping.choose": "people.open",
    "mapping.remove": "mapping.some",
    "mapping.save": "mapping.show",
    "messages.save": "messages.show",
    "monitors.add": "monitors.show",
    "monitors.other": "monitors.show",
    "monitors.remove": "monitors.show",
    "monitors.same": "monitors.checklist",
    "monitors.tick": "monitors.checklist",
    "person.clear": "people.open",
    "person.exclude": "people.open",
    "person.include": "people.open",
    "person.resend": "people.open",
    "person.save_match": "people.open",
    "person.unmatch": "people.open",
    "remove.now": "remove.ask",
    "rotate.save": "rotate.progress",
    "rotate.start": "rotate.progress",
    "mapping.rules_save": "mapping.some",
    "schedule.save": "schedule.show",
    "scope.save": "scope.show",
    "setup.now": "enable.preview",
    "setup.save": "setup.resume",
    "update.install": "update.show",
    "update.undo": "update.show",
}
"""The verbs that change something, each with the verb that shows the current state instead.

The other steps of a setup change only the user's own draft and may run twice; a claim code works only once anyway.
"""


def with_press_id(card: Card, press_id: str, known: Set[str] | None = None) -> Card:
    """The card with ``press_id`` in the data of its acting buttons and of their fallbacks for older clients.

    ``known`` are its verbs, if they have been looked for already.
    """
    if ACTS.keys().isdisjoint(verbs(card) if known is None else known):
        return card
    made: Card = _with_press_id(card, press_id)
    return made


def _with_press_id(part: Any, press_id: str) -> Any:
    if isinstance(part, list):
        return [_with_press_id(item, press_id) if isinstance(item, (dict, list)) else item for item in part]
    made = {
        name: _with_press_id(value, press_id) if isinstance(value, (dict, list)) else value
        for name, value in part.items()
    }
    data = made.get("data")
    if isinstance(data, dict) and ACTS.keys() & {made.get("verb"), data.get("verb")}:
        made["data"] = {**data, PRESS_ID: press_id}
    return made
