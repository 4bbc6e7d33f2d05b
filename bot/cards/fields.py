"""The inputs shared by setup, edit and rotation, each with its error below it."""

from collections.abc import Iterable, Mapping, Sequence

from microsoft_teams.cards.core import CardElement, Choice, ChoiceSetInput, DateInput, TextInput

from bot.cards.field_errors import FormError
from bot.cards.parts import error_note, row
from bot.languages import Texts
from sync.credentials.new_secrets import holds_secret

Values = Mapping[str, str]
MAX_NAME = 60
MAX_ID = 100
MAX_SECRET = 512
Field = TextInput | DateInput | ChoiceSetInput
LIFETIMES = ("90", "180", "365", "545", "730")
"""Days: 3, 6, 12, 18 and 24 months (Azure portal, "Add a client secret")."""

OTHER = "other"
GUID_EXAMPLE = "00000000-0000-0000-0000-000000000000"


def field(
    texts: Texts, name: str, values: Values, *, required: bool, length: int = MAX_ID, example: str = ""
) -> TextInput:
    """A text input with the known value; its texts are ``field.<name>`` and ``field.<name>.hint``.

    A value that looks like a client secret, pasted into the wrong field, is not shown again.
    """
    label = texts(f"field.{name}")
    known = values.get(name, "")
    return TextInput(
        id=name,
        label=label,
        value=None if holds_secret(known) else known or None,
        placeholder=example or texts(f"field.{name}.hint"),
        is_required=required or None,
        error_message=texts("check.required", field=label) if required else None,
        max_length=length,
    )


def secret(texts: Texts, name: str, *, required: bool, hint: str = "") -> TextInput:
    """A masked input, always empty; ``hint`` is the key of its placeholder."""
    label = texts(f"field.{name}")
    return TextInput(
        id=name,
        label=label,
        style="Password",
        placeholder=texts(hint or f"field.{name}.hint"),
        is_required=required or None,
        error_message=texts("check.required", field=label) if required else None,
        max_length=MAX_SECRET,
    )


def expiry_day(texts: Texts, values: Values, label: str = "field.expires_on") -> DateInput:
    """The secret's expiry date; ``label`` is a key."""
    return DateInput(id="expires_on", label=texts(label), value=values.get("expires_on") or None)


def lifetime(texts: Texts, values: Values) -> ChoiceSetInput:
    """For how long a secret was made, as Azure's portal offers it, in days."""
    choices = [Choice(title=texts(f"field.expires_in.{days}"), value=days) for days in LIFETIMES]
    return ChoiceSetInput(
        id="expires_in",
        label=texts("field.expires_in"),
        choices=[*choices, Choice(title=texts("field.expires_in.other"), value=OTHER)],
        value=values.get("expires_in") or None,
        placeholder=texts("field.expires_in.hint"),
    )


def with_errors(fields: Iterable[Field], form_errors: Sequence[FormError]) -> list[CardElement]:
    """The errors about the whole card first, then each field with its own errors below it."""
    elements: list[CardElement] = [error_note(form_error) for form_error in form_errors if not form_error.field]
    for one in fields:
        elements.append(one)
        elements.extend(error_note(form_error) for form_error in form_errors if form_error.field == one.id)
    return elements


def safe(texts: Texts) -> CardElement:
    """How a secret that is typed here is stored."""
    return row("🔒", "", texts("setup.safe"))
