"""What every card is made of."""

from microsoft_teams.cards.core import SerializableObject

from bot.activity import Card
from bot.cards.field_errors import FormError, Link
from bot.cards.parts import button, capped, card, error_note, plain, summary
from bot.languages import Language, load_texts

TEXTS = load_texts()[Language.PORTUGUESE]


def json_of(part: SerializableObject) -> Card:
    return part.model_dump(by_alias=True, exclude_none=True)


def test_a_card_says_its_version_language_and_summary() -> None:
    made = card(TEXTS, "Título", [], wide=True)
    assert (made["version"], made["lang"], summary(made)) == ("1.5", "pt", "Título")
    assert made["msteams"] == {"width": "Full"}
    assert "actions" not in made


def test_a_button_says_the_same_to_old_and_new_clients() -> None:
    made = json_of(button("Go", "setup.back", {"draft": "1"}))
    assert (made["type"], made["verb"], made["data"]) == ("Action.Execute", "setup.back", {"draft": "1"})
    assert made["fallback"]["type"] == "Action.Submit"
    assert made["fallback"]["data"] == {"draft": "1", "verb": "setup.back"}
    assert made["associatedInputs"] == made["fallback"]["associatedInputs"] == "none"


def test_a_button_takes_inputs_only_when_requested() -> None:
    made = json_of(button("Save", "setup.save", inputs=True))
    assert made["associatedInputs"] == made["fallback"]["associatedInputs"] == "auto"


def test_external_text_is_not_markdown() -> None:
    made = json_of(plain("[x](https://evil.example) **b**"))
    assert made["type"] == "RichTextBlock"
    assert made["inlines"][0]["text"] == "[x](https://evil.example) **b**"


def test_external_text_stays_on_one_short_line() -> None:
    assert capped("a\nb\u0000c\u202ed  e") == "a b c d e"
    assert capped("x" * 80) == "x" * 80
    assert capped("x" * 81) == "x" * 79 + "…"


def test_a_form_error_has_sentence_remedy_and_link() -> None:
    made = json_of(error_note(FormError("Wrong.", "Fix it.", Link("Here", "https://contoso.example"))))
    assert made["style"] == "attention"
    assert "Wrong." in str(made)
    assert "Fix it." in str(made)
    assert made["items"][1]["actions"][0]["url"] == "https://contoso.example"
