"""What one card offers is done once, however often it is pressed and on however many machines.

Every card that is shown gets a stamp of its own, which its acting buttons carry. The first press takes it, in one
transaction, before anything is done; any other is told so, and shown how things stand. A card that is shown again,
with a complaint say, is another card. A stamp proves nothing and opens nothing: without one, or with a made-up one,
the act's own checks stand as ever.
"""

from collections.abc import Mapping
from typing import Any

from bot.activity import Card

STAMP = "press"
LONGEST = 64

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
    "edit.save_name": "edit.open",
    "edit.save_teams": "edit.open",
    "enable.now": "enable.preview",
    "monitors.add": "monitors.show",
    "monitors.other": "monitors.show",
    "monitors.remove": "monitors.show",
    "monitors.same": "monitors.checklist",
    "monitors.tick": "monitors.checklist",
    "remove.now": "remove.ask",
    "rotate.save": "rotate.progress",
    "rotate.start": "rotate.progress",
    "setup.now": "enable.preview",
    "setup.save": "setup.resume",
    "update.install": "update.show",
    "update.undo": "update.show",
}
"""The verbs that change something, and the verbs that show how things stand instead.

The rest of what a setup is made of is about one's own draft, and bears being done again; a code to claim with is
used up by itself.
"""


def stamped(card: Card, stamp: str) -> Card:
    """The card, its acting buttons (and what older clients send in their place) carrying ``stamp``."""
    made: Card = _stamped(card, stamp)
    return made


def _stamped(part: Any, stamp: str) -> Any:
    if isinstance(part, list):
        return [_stamped(item, stamp) for item in part]
    if not isinstance(part, Mapping):
        return part
    made = {name: _stamped(value, stamp) for name, value in part.items()}
    data = made.get("data")
    if isinstance(data, dict) and ACTS.keys() & {made.get("verb"), data.get("verb")}:
        made["data"] = {**data, STAMP: stamp}
    return made
