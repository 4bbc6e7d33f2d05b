"""Reading an Adaptive Card as a person does: its words, its buttons, its fields; and filling it in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

WORDS = ("text", "title", "label", "value", "placeholder", "altText")


@dataclass(frozen=True, slots=True)
class Button:
    """An action of a card; ``data`` is what pressing it sends, filled in."""

    title: str
    verb: str
    data: Json


def elements(node: object) -> Iterator[Json]:
    """Every object of a card, in reading order, without fallbacks, which are not shown."""
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            if key not in ("fallback", "data"):
                yield from elements(value)
    elif isinstance(node, list):
        for each in node:
            yield from elements(each)


def words(card: Json) -> str:
    """All visible text of the card, one element per line."""
    found = (each.get(key) for each in elements(card) for key in WORDS)
    return "\n".join(text for text in found if isinstance(text, str))


def titles(card: Json) -> list[str]:
    """The buttons' titles."""
    return [action["title"] for action in _actions(card)]


def button(card: Json, title: str, typed: dict[str, str]) -> Button:
    """The button called ``title`` with what it would send once ``typed`` (by field id) is filled in.

    As clients do: every field of the card is sent, an untouched one with its own value, unless the action
    says that no inputs belong to it. Raises ``AssertionError`` for a button or field that is not on the card.
    """
    action = next((each for each in _actions(card) if each["title"] == title), None)
    assert action is not None, f"no button {title!r} among {titles(card)} on:\n{words(card)}"
    fields = {
        each["id"]: each.get("value", "")
        for each in elements(card)
        if str(each.get("type", "")).startswith("Input.")
    }
    assert typed.keys() <= fields.keys(), f"no fields {sorted(typed.keys() - fields.keys())} among {sorted(fields)}"
    inputs = {} if action.get("associatedInputs") == "none" else fields | typed
    return Button(title, action.get("verb", ""), {**action.get("data", {}), **inputs})


def _actions(card: Json) -> Iterator[Json]:
    return (each for each in elements(card) if str(each.get("type", "")).startswith("Action."))
