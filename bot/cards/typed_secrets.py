"""Keeps a secret that was typed where none belongs off the cards that answer, and out of what a file stores."""

import re
from collections.abc import Iterable
from typing import Any

from bot.activity import Action, Card, Event, Message
from sync.credentials.new_secrets import secrets_in

HIDDEN = "•••"
KNOWN_BY = 12
"""From so many of its first characters on a secret is recognised: a card may cut it short."""


def without_secrets(text: str) -> str:
    """``text`` with ``HIDDEN`` in place of each secret in it."""
    return _hide(text, _pattern(found)) if (found := secrets_in(text)) else text


def hidden(card: Card, event: Event) -> Card:
    """The card without the secrets that were typed in this event."""
    found = [secret for text in _typed(event) for secret in secrets_in(text)]
    made: Card = _hide(card, _pattern(found)) if found else card
    return made


def _typed(event: Event) -> Iterable[str]:
    match event:
        case Message(text):
            return (text,)
        case Action(_, data):
            return data.values()
    return ()


def _pattern(secrets: Iterable[str]) -> re.Pattern[str]:
    begin = "|".join(sorted({re.escape(secret[:KNOWN_BY]) for secret in secrets}))
    return re.compile(rf"(?:{begin})[\w.~…-]*", re.IGNORECASE)


def _hide(part: Any, pattern: re.Pattern[str]) -> Any:
    if isinstance(part, str):
        return pattern.sub(HIDDEN, part)
    if isinstance(part, list):
        return [_hide(each, pattern) for each in part]
    if isinstance(part, dict):
        return {name: _hide(value, pattern) for name, value in part.items()}
    return part
