"""Bad cards, one fault each: each check finds its own kind of fault."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.cards.checks import (
    MAX_BYTES,
    own_problems,
    problems_of,
    problems_of_all,
    renderer_problems,
    schema_problems,
    typed_problems,
)
from tests.support.cards.elements import without_teams

Json = dict[str, Any]


def execute(verb: str, **more: Any) -> Json:
    fallback = {"type": "Action.Submit", "title": verb, "data": {"verb": verb}}
    return {"type": "Action.Execute", "title": verb, "verb": verb, "fallback": fallback, **more}


def chart(**more: Any) -> Json:
    return {"type": "Chart.Donut", "data": [{"legend": "In a call", "value": 3}], **more}


GOOD: Json = {
    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
    "type": "AdaptiveCard",
    "version": "1.5",
    "lang": "pt",
    "msteams": {"width": "full"},
    "body": [
        {"type": "TextBlock", "text": "Olá", "wrap": True, "style": "heading", "targetWidth": "atLeast:Narrow"},
        {"type": "Image", "url": "https://example.com/a.png", "altText": "A phone"},
        {"type": "Input.Text", "id": "name", "label": "Name", "isRequired": True, "errorMessage": "Say a name"},
        {"type": "Input.Text", "id": "client_secret", "label": "Client secret", "style": "Password"},
        {"type": "Input.ChoiceSet", "id": "r", "label": "Region", "choices": [{"title": "Europe", "value": "eu"}]},
        {"type": "FactSet", "facts": [{"title": "State", "value": "Enabled"}]},
        {
            "type": "ColumnSet",
            "columns": [{"type": "Column", "width": "stretch", "items": [{"type": "TextBlock", "text": "Left"}]}],
        },
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "Words"}]},
        chart(fallback={"type": "TextBlock", "text": "3 in a call"}),
        {
            "type": "ActionSet",
            "actions": [{"type": "Action.OpenUrl", "title": "Portal", "url": "https://example.com"}],
        },
    ],
    "actions": [execute("save"), execute("cancel")],
}

Change = Callable[[Json], object]
Check = Callable[[Json], list[str]]


def changed(change: Change) -> Json:
    card = copy.deepcopy(GOOD)
    change(card)
    return card


def drawn(card: Json) -> list[str]:
    return renderer_problems([card])[0]


def test_a_good_card_has_no_problems() -> None:
    assert problems_of(GOOD) == []


TYPED: dict[str, tuple[Change, str]] = {
    "a misspelt property": (
        lambda c: c["body"][0].update(wrapp=True),
        "body[0].wrapp: Teams knows no such",
    ),
    "a misspelt property of the card": (lambda c: c.update(fallbackTxt="x"), "card.fallbackTxt: Teams knows no"),
    "a misspelt property of a Teams element": (
        lambda c: c["body"][8].update(titel="x"),
        "body[8].titel: Teams knows no such property",
    ),
    "a misspelt property of a fact": (
        lambda c: c["body"][5]["facts"][0].update(vale="x"),
        "body[5].facts.vale: Teams knows no such property",
    ),
    "a misspelt property in a fallback": (
        lambda c: c["actions"][0]["fallback"].update(titel="x"),
        "actions[0].fallback.titel: Teams knows no such property",
    ),
    "an unknown type": (
        lambda c: c["body"][0].update(type="TextBlok"),
        "body[0]: Teams knows no type TextBlok",
    ),
    "a value of the wrong type": (
        lambda c: c["body"][0].update(text=["x"]),
        "body[0].text: Input should be",
    ),
    "a word that is none of those allowed": (
        lambda c: c["body"][6]["columns"][0].update(style="loud"),
        "columns[0].style: Input should be 'default'",
    ),
    "a wrong value in a Teams element": (lambda c: c["body"][8].update(data="x"), "body[8].data: Input should be"),
}


@pytest.mark.parametrize("fault", TYPED)
def test_the_typed_parse_finds(fault: str) -> None:
    change, said = TYPED[fault]
    found = typed_problems(changed(change))
    assert any(said in problem for problem in found), found


SCHEMA: dict[str, tuple[Change, str]] = {
    "a misspelt property": (lambda c: c["body"][0].update(wrapp=True), "card.body[0]: Additional properties"),
    "a missing text": (lambda c: c["body"][0].pop("text"), "card.body[0]: 'text' is a required property"),
    "a missing url": (lambda c: c["body"][9]["actions"][0].pop("url"), "actions[0]: 'url' is a required property"),
    "a missing type": (lambda c: c["body"][0].pop("type"), "card.body[0]: a part without a type"),
    "a missing input id": (lambda c: c["body"][2].pop("id"), "card.body[2]: 'id' is a required property"),
    "a wrong type": (lambda c: c["body"][0].update(wrap="true"), "card.body[0].wrap: 'true' is not of type"),
    "an unknown type": (
        lambda c: c["body"][0].update(type="TextBlok"),
        "body[0]: type 'TextBlok' is not allowed",
    ),
    "a fault inside a column": (
        lambda c: c["body"][6]["columns"][0]["items"][0].pop("text"),
        "card.body[6].columns[0].items[0]: 'text' is a required property",
    ),
    "a fault in a Teams element's fallback": (
        lambda c: c["body"][8]["fallback"].pop("text"),
        "card.body[8]: 'text' is a required property",
    ),
    "a fault in an action's fallback": (
        lambda c: c["actions"][0]["fallback"].update(data=5),
        "card.actions[0].fallback.data: 5 is not",
    ),
    "an element where an action belongs": (
        lambda c: c["actions"].append({"type": "TextBlock", "text": "x"}),
        "card.actions[2]: type 'TextBlock' is not allowed here",
    ),
    "an object for a word": (lambda c: c["body"][0].update(size={"type": "Large"}), "card.body[0].size: "),
    "a number for a fallback": (lambda c: c["body"][0].update(fallback=5), "card.body[0].fallback: 5 is not valid"),
}


@pytest.mark.parametrize("fault", SCHEMA)
def test_the_schema_finds(fault: str) -> None:
    change, said = SCHEMA[fault]
    found = schema_problems(changed(change))
    assert any(said in problem for problem in found), found


RENDERER: dict[str, tuple[Change, str]] = {
    "two inputs of one id": (lambda c: c["body"][3].update(id="name"), "DuplicateId"),
    "an input without id": (lambda c: c["body"][2].pop("id"), "PropertyCantBeNull"),
    "a required input without its message": (lambda c: c["body"][2].pop("errorMessage"), "ShouldHaveErrorMessage"),
    "a required input without its label": (lambda c: c["body"][2].pop("label"), "ShouldHaveLabel"),
    "a choice without a title": (lambda c: c["body"][4]["choices"][0].pop("title"), "PropertyCantBeNull"),
    "an unknown type": (lambda c: c["body"][0].update(type="TextBlok"), "UnknownElementType"),
    "an unknown action": (lambda c: c["actions"][0].update(type="Action.Exec", fallback=None), "UnknownActionType"),
    "an unknown size": (lambda c: c["body"][0].update(size="hug"), "InvalidPropertyValue"),
    "seven actions in a row": (lambda c: c["actions"].extend(map(execute, "abcde")), "TooManyActions"),
    "a version it does not know": (lambda c: c.update(version="9.0"), "UnsupportedCardVersion"),
}


@pytest.mark.parametrize("fault", RENDERER)
def test_the_renderer_finds(fault: str) -> None:
    change, said = RENDERER[fault]
    found = drawn(changed(change))
    assert any(said in problem for problem in found), found


def test_the_renderer_answers_each_card_in_its_place() -> None:
    bad = changed(lambda c: c["body"][0].update(size="hug"))
    assert [len(problems) for problems in renderer_problems([GOOD, bad, GOOD])] == [0, 1, 0]


def test_the_renderer_is_not_confused_by_a_line_break_in_a_text() -> None:
    card = changed(lambda c: c["body"][0].update(text="one\ntwo\u2028three"))
    assert problems_of_all([card, GOOD]) == [[], []]


OWN: dict[str, tuple[Change, str]] = {
    "too large": (lambda c: c["body"][0].update(text="x" * MAX_BYTES), f"Teams takes {MAX_BYTES}"),
    "seven actions in all": (
        lambda c: c["body"][9]["actions"].extend(map(execute, "abcd")),
        "card: 7 actions, Teams takes 6",
    ),
    "a field named as a button": (
        lambda c: c["body"][2].update(label="save"),
        "card: 'save' names a field and a button",
    ),
    "another version": (lambda c: c.update(version="1.4"), "version '1.4', not 1.5"),
    "no version": (lambda c: c.pop("version"), "version None, not 1.5"),
    "no verb": (lambda c: c["actions"][0].pop("verb"), "actions[0]: Action.Execute without a verb"),
    "no fallback": (
        lambda c: c["actions"][0].pop("fallback"),
        "Action.Execute without an Action.Submit",
    ),
    "a dropping fallback": (lambda c: c["actions"][0].update(fallback="drop"), "without an Action.Submit"),
    "a fallback of another verb": (
        lambda c: c["actions"][0]["fallback"]["data"].update(verb="cancel"),
        "card.actions[0]: the fallback's data are {'verb': 'cancel'}, not {'verb': 'save'}",
    ),
    "a fallback without the data": (
        lambda c: c["actions"][0].update(data={"integration": "1"}),
        "not {'integration': '1', 'verb': 'save'}",
    ),
    "a fallback of another title": (
        lambda c: c["actions"][0].update(title="Save it"),
        "fallback has another title",
    ),
    "a fallback that sends the inputs": (
        lambda c: c["actions"][0].update(associatedInputs="none"),
        "fallback has another associatedInputs",
    ),
    "an input without a label": (lambda c: c["body"][4].pop("label"), "card.body[4]: an input without a label"),
    "an input with a blank label": (lambda c: c["body"][4].update(label=" "), "card.body[4]: an input without"),
    "a masked value": (lambda c: c["body"][3].update(value="s3cret"), "card.body[3]: a masked input with a value"),
    "an unmasked secret": (lambda c: c["body"][3].pop("style"), "card.body[3]: an input for a secret that is not"),
    "an image without words": (lambda c: c["body"][1].pop("altText"), "card.body[1]: an image without altText"),
    "a Teams element without fallback": (
        lambda c: c["body"][8].pop("fallback"),
        "card.body[8]: Chart.Donut is Teams' own and has no fallback",
    ),
}


@pytest.mark.parametrize("fault", OWN)
def test_our_own_check_finds(fault: str) -> None:
    change, said = OWN[fault]
    found = own_problems(changed(change))
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(("text", "found"), [("s3cret", []), ('it is "p\\q~ção"', ["card: holds a secret"])])
def test_a_secret_is_found_anywhere_in_a_card(text: str, found: list[str]) -> None:
    assert own_problems(changed(lambda c: c["body"][0].update(text=text)), secrets=['"p\\q~ção"']) == found


def test_a_card_of_exactly_the_limit_is_taken() -> None:
    room = MAX_BYTES - len(json.dumps(changed(lambda c: c["body"][0].update(text=""))))
    assert own_problems(changed(lambda c: c["body"][0].update(text="x" * room))) == []
    assert own_problems(changed(lambda c: c["body"][0].update(text="x" * (room + 1)))) != []


@pytest.mark.parametrize("width", ["Full", "full"])
def test_both_spellings_of_a_wide_card_are_taken(width: str) -> None:
    assert typed_problems(changed(lambda c: c["msteams"].update(width=width))) == []
    assert typed_problems(changed(lambda c: c["msteams"].update(width="wide"))) != []


def test_six_actions_are_taken() -> None:
    assert problems_of(changed(lambda c: c["actions"].extend(map(execute, "abc")))) == []


MISSED: dict[str, tuple[Change, Check, Check]] = {
    "a missing text, by the typed parse": (lambda c: c["body"][0].pop("text"), typed_problems, schema_problems),
    "a misspelt property, by the renderer": (lambda c: c["body"][0].update(wrapp=1), drawn, schema_problems),
    "a fault in a Teams element, by the schema": (
        lambda c: c["body"][8].update(data="x"),
        schema_problems,
        typed_problems,
    ),
    "equal ids, by the schema": (lambda c: c["body"][3].update(id="name"), schema_problems, drawn),
}


@pytest.mark.parametrize("fault", MISSED)
def test_no_single_check_finds_everything(fault: str) -> None:
    change, misses, finds = MISSED[fault]
    assert misses(changed(change)) == []
    assert finds(changed(change)) != []


def test_without_teams_a_fallback_replaces_its_element() -> None:
    plain = without_teams(GOOD)
    assert plain["body"][8] == {"type": "TextBlock", "text": "3 in a call"}
    assert "msteams" not in plain
    assert "targetWidth" not in plain["body"][0]
    assert plain["actions"] == GOOD["actions"]


def test_without_teams_an_element_that_drops_is_gone() -> None:
    plain = without_teams(changed(lambda c: c["body"].insert(0, chart(fallback="drop"))))
    assert plain == without_teams(GOOD)


def test_without_teams_a_fallback_of_a_fallback_is_found() -> None:
    nested = chart(fallback=chart(fallback={"type": "TextBlock", "text": "3"}))
    assert without_teams({"items": [nested], "selectAction": chart()}) == {
        "items": [{"type": "TextBlock", "text": "3"}]
    }
