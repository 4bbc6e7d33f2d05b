"""The checks every card passes: three by other people's libraries, each finding what the others miss, and our own.

1. microsoft-teams-cards knows every element of Teams, but on its own lets unknown properties and missing ones pass.
2. The schema of Adaptive Cards 1.5 finds both, but knows nothing of Teams' additions: it sees their fallbacks.
3. The adaptivecards renderer finds what a schema cannot say: equal ids, inputs without ids, hints.
"""

import json
import subprocess
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft6Validator, ValidationError
from jsonschema.validators import extend
from microsoft_teams.cards import core
from pydantic import ValidationError as TypeProblems

from tests.support.cards.elements import (
    Json,
    only_in_teams,
    parts,
    plain_properties,
    plain_schema,
    teams_models,
    without_teams,
)
from tests.support.tools import require

MAX_BYTES = 28 * 1024
MAX_ACTIONS = 6
SCRIPT = Path(__file__).with_name("validate.mjs")

_faultless: set[tuple[str, str]] = set()
"""The parts the schema has accepted, each with the form it was checked for."""


def problems_of(card: Json, secrets: Collection[str] = ()) -> list[str]:
    """Everything that is wrong with one card, each with its place; ``secrets`` must appear nowhere in it."""
    return problems_of_all([card], secrets)[0]


def problems_of_all(cards: Sequence[Json], secrets: Collection[str] = ()) -> list[list[str]]:
    """The problems of each card, in order; the renderer is started only once."""
    return [
        [*typed_problems(card), *schema_problems(card), *drawn, *own_problems(card, secrets)]
        for card, drawn in zip(cards, renderer_problems(cards), strict=True)
    ]


def typed_problems(card: Json) -> list[str]:
    """Each part parsed by its class in microsoft-teams-cards, and every property that is unknown to its class."""
    found = [problem for path, part in parts(card) for problem in _typed_problems_of_part(path, part)]
    return list(dict.fromkeys(found))


def _typed_problems_of_part(path: str, part: Json) -> Iterator[str]:
    models = teams_models().get(part["type"])
    if models is None:
        if not plain_properties(part["type"]):
            yield f"{path}: Teams knows no type {part['type']}"
        return
    problems = [list(_parsing_problems(model, path, part)) for model in models]
    yield from min(problems, key=len)


def _parsing_problems(model: type[core.SerializableObject], path: str, part: Json) -> Iterator[str]:
    try:
        parsed = model.model_validate(_lower_case_width(part))
    except TypeProblems as problems:
        for problem in problems.errors():
            yield f"{path}.{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        return
    yield from _unknown_properties(parsed, path)


def _lower_case_width(part: Json) -> Json:
    """Teams' documentation writes the width of a card ``Full``, the library ``full``; Teams takes both."""
    teams = part.get("msteams")
    if isinstance(teams, dict) and teams.get("width") == "Full":
        return part | {"msteams": teams | {"width": "full"}}
    return part


def _unknown_properties(parsed: core.SerializableObject, path: str) -> Iterator[str]:
    """Unknown properties, here and in the untyped objects below; parts with a type are checked separately."""
    for key in parsed.model_extra or {}:
        if key != "$schema":
            yield f"{path}.{key}: Teams knows no such property"
    for key in type(parsed).model_fields:
        value = getattr(parsed, key)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, core.SerializableObject) and _belongs_to_its_part(item):
                yield from _unknown_properties(item, f"{path}.{key}")


def _belongs_to_its_part(item: core.SerializableObject) -> bool:
    """Not a part itself, nor parsed as just "some element", nor an action's data, which may contain anything."""
    bases = (core.CardElement, core.Action, core.ContainerLayout)
    open_ones = core.SubmitActionData | core.HostCapabilities
    return type(item) not in bases and "type" not in type(item).model_fields and not isinstance(item, open_ones)


def _form_meant(
    validator: Draft6Validator, forms: list[Json], part: Any, schema: Json
) -> Iterator[ValidationError]:
    """``anyOf`` by a part's type: it reports what is wrong with the part, not what else it might be."""
    name = part.get("type") if isinstance(part, dict) else None
    known = {_definition(form): form for form in forms}
    families = [form for form in forms if isinstance(part, dict) and "ImplementationsOf." in _definition(form)]
    if form := known.get(f"#/definitions/{name}") or next(iter(families), None):
        yield from _of_form(validator, part, form)
    elif isinstance(part, dict) and all("required" in form for form in forms):
        yield ValidationError(f"type {name!r} is not allowed here" if name else "a part without a type")
    else:
        yield from Draft6Validator.VALIDATORS["anyOf"](validator, forms, part, schema)


def _of_form(validator: Draft6Validator, part: Json, form: Json) -> Iterator[ValidationError]:
    """What is wrong with this part; most parts are on many cards, and are checked once."""
    checked = _definition(form), json.dumps(part)
    if checked not in _faultless:
        errors = list(validator.descend(part, form))
        if not errors:
            _faultless.add(checked)
        yield from errors


def _definition(form: Json) -> str:
    return str(form.get("$ref") or form.get("allOf", [{}])[0].get("$ref"))


@cache
def _plain_validator() -> Draft6Validator:
    found: Draft6Validator = extend(Draft6Validator, {"anyOf": _form_meant})(plain_schema())
    return found


def schema_problems(card: Json) -> list[str]:
    """What the schema of Adaptive Cards 1.5 finds in the card without Teams' additions."""
    errors = _plain_validator().iter_errors(without_teams(card))
    return [f"card{error.json_path.removeprefix('$')}: {error.message[:200]}" for error in errors]


def renderer_problems(cards: Sequence[Json]) -> list[list[str]]:
    """The messages of Microsoft's renderer while parsing and validating each card; needs Node."""
    require("adaptivecards")
    lines = "".join(json.dumps(without_teams(card)) + "\n" for card in cards)
    run = subprocess.run(
        [require("node"), str(SCRIPT)], input=lines, capture_output=True, text=True, timeout=60, check=True
    )
    problems: list[list[str]] = [json.loads(line) for line in run.stdout.splitlines()]
    return problems


def own_problems(card: Json, secrets: Collection[str] = ()) -> list[str]:
    """What Teams requires beyond the schema, and this project's own rules."""
    return [
        *_whole_card_problems(card, secrets),
        *(
            f"{path}: {problem}"
            for path, part in parts(card)
            for problem in _part_problems(part)
            if not path.startswith("card.refresh.")
        ),
    ]


def _whole_card_problems(card: Json, secrets: Collection[str]) -> Iterator[str]:
    text = json.dumps(card)
    if len(text.encode()) > MAX_BYTES:
        yield f"card: {len(text.encode())} bytes, Teams takes {MAX_BYTES}"
    if card.get("version") != "1.5":
        yield f"card: version {card.get('version')!r}, not 1.5"
    if (count := sum(1 for _ in _buttons(card))) > MAX_ACTIONS:
        yield f"card: {count} actions, Teams takes {MAX_ACTIONS}"
    for name in _names(card, "Input.", "label") & _names(card, "Action.", "title"):
        yield f"card: {name!r} names a field and a button"
    if any(json.dumps(secret)[1:-1] in text for secret in secrets):
        yield "card: holds a secret"


def _names(card: Json, kind: str, key: str) -> set[str]:
    """The labels or titles of the card's parts of one kind."""
    return {str(part[key]) for _, part in parts(card) if part["type"].startswith(kind) and key in part}


def _buttons(card: Json) -> Iterator[str]:
    """Every button; a fallback replaces one, a line that can be pressed is none, a client asks for the refresh."""
    for path, part in parts(card):
        if part["type"].startswith("Action.") and not path.endswith(
            (".fallback", ".selectAction", ".refresh.action")
        ):
            yield path


def _part_problems(part: Json) -> Iterator[str]:
    name = part["type"]
    if name.startswith("Input."):
        yield from _input_problems(part)
    if name == "Action.Execute":
        yield from _execute_problems(part)
    if name == "Image" and not part.get("altText"):
        yield "an image without altText"
    if only_in_teams(part) and not name.startswith("Layout.") and "fallback" not in part:
        yield f"{name} is Teams' own and has no fallback"


def _input_problems(part: Json) -> Iterator[str]:
    if not str(part.get("label", "")).strip():
        yield "an input without a label"
    masked = str(part.get("style", "")).lower() == "password"
    if masked and part.get("value"):
        yield "a masked input with a value"
    if "secret" in str(part.get("id", "")).lower() and part["type"] == "Input.Text" and not masked:
        yield "an input for a secret that is not masked"


def _execute_problems(part: Json) -> Iterator[str]:
    verb, fallback = part.get("verb"), part.get("fallback")
    if not verb:
        yield "Action.Execute without a verb"
        return
    if not isinstance(fallback, dict) or fallback.get("type") != "Action.Submit":
        yield "Action.Execute without an Action.Submit for older clients"
        return
    expected = {**part.get("data", {}), "verb": verb}
    if fallback.get("data") != expected:
        yield f"the fallback's data are {fallback.get('data')!r}, not {expected!r}"
    for key in ("title", "associatedInputs", "style"):
        if fallback.get(key) != part.get(key):
            yield f"the fallback has another {key}"
