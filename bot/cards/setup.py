"""The wizard's cards: one card that replaces itself, in four steps. A secret is never among the values."""

from collections.abc import Sequence

from microsoft_teams.cards.core import (
    Action,
    CardElement,
    Column,
    ColumnSet,
    Container,
    DateInput,
    TextBlock,
    TextInput,
)

from bot.activity import Card
from bot.cards.field_errors import FormError, Link, Links
from bot.cards.fields import GUID_EXAMPLE, MAX_NAME, Values, expiry_day, field, safe, secret, with_errors
from bot.cards.parts import (
    button,
    capped,
    card,
    header,
    note,
    plain,
    progress,
    text,
)
from bot.languages import Texts

STEPS = 4


def cloudlink_step(
    texts: Texts, draft: str, values: Values, proven: bool, form_errors: Sequence[FormError] = ()
) -> Card:
    """Step 1. With ``proven`` a checked secret is stored, so the field may stay empty."""
    masked = secret(texts, "cloudlink_secret", required=not proven, hint=_secret_hint(proven, form_errors))
    fields = [
        field(texts, "account_id", values, required=True),
        field(texts, "cloudlink_client_id", values, required=True),
        masked,
        field(texts, "region", values, required=False),
    ]
    body = [
        step_header(texts, 1, "☎️", texts("setup.cloudlink.title")),
        text(texts("setup.cloudlink.intro")),
        *with_errors(fields, form_errors),
        safe(texts),
    ]
    actions = [
        button(texts("button.check"), "setup.cloudlink", {"draft": draft}, style="positive", inputs=True),
        _cancel(texts, draft),
    ]
    return card(texts, texts("setup.cloudlink.title"), body, actions)


def too_many(texts: Texts, limit: int) -> Card:
    """The tenant has as many integrations as it may have."""
    title = texts("setup.full")
    remedy = text(texts("setup.full.remedy"))
    body = [header("🧩", title), text(texts("setup.full.limit", count=texts.number(limit))), remedy]
    return card(
        texts, title, body, [button(texts("button.integrations"), "command.integrations", style="positive")]
    )


def already_set_up(texts: Texts, integration_id: str) -> Card:
    """The tenant has an integration of the same account, tenant and application; the way to it."""
    title, data = texts("setup.equal"), {"integration": integration_id}
    body = [header("🧩", title), text(texts("setup.equal.remedy"))]
    actions = [
        button(texts("button.status"), "status.show", data, style="positive"),
        button(texts("button.integrations"), "command.integrations"),
    ]
    return card(texts, title, body, actions)


def register_step(texts: Texts, draft: str, values: Values, links: Links) -> Card:
    """Step 2: what to do in the Azure portal, in the order and words of Mitel's guide, with links."""
    body: list[CardElement] = [step_header(texts, 2, "🗝️", texts("setup.register.title"))]
    if "people" in values:
        body.append(_found(texts, values))
    body.append(text(texts("setup.register.intro")))
    places = _places(texts, values.get("tenant_id", ""), values.get("client_id", ""), links)
    for number, (step, place) in enumerate(places.items(), start=1):
        body.append(_checklist_row(texts, number, step, place))
    actions = [
        button(texts("button.next"), "setup.register", {"draft": draft}, style="positive"),
        button(texts("button.back"), "setup.back", {"draft": draft, "to": "cloudlink"}),
        _cancel(texts, draft),
    ]
    return card(texts, texts("setup.register.title"), body, actions, wide=True)


def _places(texts: Texts, tenant_id: str, client_id: str, links: Links) -> dict[str, Link]:
    return {
        "registration": Link(texts("link.new_registration"), links.new_registration()),
        "permissions": Link(texts("link.permissions"), links.registration(client_id, "CallAnAPI")),
        "consent": Link(texts("link.consent"), links.admin_consent(tenant_id, client_id)),
        "secret": Link(texts("link.secrets"), links.registration(client_id, "Credentials")),
        "ids": Link(texts("link.registrations"), links.registration(client_id)),
    }


def _checklist_row(texts: Texts, number: int, step: str, place: Link) -> ColumnSet:
    words = [
        text(texts(f"setup.register.{step}"), weight="Bolder", spacing="None"),
        text(texts(f"setup.register.{step}.how"), spacing="None"),
        text(f"[{place.label}]({place.url})", spacing="Small"),
    ]
    sign = TextBlock(text=f"{number}.", size="Large", weight="Bolder", color="Accent", spacing="None")
    columns = [Column(width="28px", items=[sign]), Column(width="stretch", items=list(words))]
    return ColumnSet(spacing="Medium", columns=columns)


def teams_step(texts: Texts, draft: str, values: Values, form_errors: Sequence[FormError] = ()) -> Card:
    """Step 3: the four fields of Mitel's guide and the secret's expiry date."""
    fields: list[TextInput | DateInput] = [
        field(texts, "name", values, required=True, length=MAX_NAME),
        field(texts, "tenant_id", values, required=True, example=GUID_EXAMPLE),
        field(texts, "client_id", values, required=True, example=GUID_EXAMPLE),
        secret(texts, "client_secret", required=True, hint=_secret_hint(False, form_errors)),
        expiry_day(texts, values),
    ]
    body = [
        step_header(texts, 3, "🔐", texts("setup.teams.title")),
        text(texts("setup.teams.intro")),
        *with_errors(fields, form_errors),
        text(texts("setup.teams.expiry"), subtle=True, spacing="Small"),
        safe(texts),
    ]
    actions = [
        button(texts("button.save"), "setup.save", {"draft": draft}, style="positive", inputs=True),
        button(texts("button.back"), "setup.back", {"draft": draft, "to": "register"}),
        _cancel(texts, draft),
    ]
    return card(texts, texts("setup.teams.title"), body, actions)


def checking(texts: Texts, step: int, what: str) -> Card:
    """Shown while a service is checked; ``step`` is 0 outside the wizard.

    ``what`` is ``cloudlink``, ``teams`` or ``people``.
    """
    title = texts(f"setup.checking.{what}")
    head = step_header(texts, step, "⏳", title) if step else header("⏳", title)
    return card(texts, title, [head, text(texts("setup.checking.wait"), subtle=True)])


def resume(texts: Texts, draft: str, step: int, name: str) -> Card:
    """An unfinished setup: continue it or start over."""
    body: list[CardElement] = [
        step_header(texts, step, "⏸️", texts("setup.resume.title")),
        text(texts("setup.resume.where", step=step, total=STEPS)),
    ]
    if name:
        body.append(plain(capped(name), weight="Bolder"))
    actions = [
        button(texts("button.resume"), "setup.resume", {"draft": draft}, style="positive"),
        button(texts("button.start_over"), "setup.restart", {"draft": draft}),
        _cancel(texts, draft),
    ]
    return card(texts, texts("setup.resume.title"), body, actions)


def cancelled(texts: Texts) -> Card:
    body = [header("🗑️", texts("setup.cancelled.title")), text(texts("setup.cancelled.nothing_kept"))]
    actions = [button(texts("button.setup"), "command.setup"), button(texts("button.help"), "command.help")]
    return card(texts, texts("setup.cancelled.title"), body, actions)


def ended(texts: Texts) -> Card:
    """Shown for a button of a setup that was finished, cancelled or restarted."""
    body = [header("🕰️", texts("setup.ended.title")), text(texts("setup.ended.why"))]
    actions = [
        button(texts("button.setup"), "command.setup"),
        button(texts("button.integrations"), "command.integrations"),
    ]
    return card(texts, texts("setup.ended.title"), body, actions)


def step_header(texts: Texts, step: int, symbol: str, title: str) -> Container:
    """The wizard's header: the step in words and as a bar."""
    where = texts("setup.step", step=step, total=STEPS)
    return header(symbol, title, where, extra=[progress(step, STEPS)])


def _found(texts: Texts, values: Values) -> Container:
    people = int(values.get("people", "0"))
    return note("good", "✅", texts.plural("setup.found", people, account=capped(values.get("account_name", ""))))


def _cancel(texts: Texts, draft: str) -> Action:
    return button(texts("button.cancel"), "setup.cancel", {"draft": draft})


def _secret_hint(proven: bool, form_errors: Sequence[FormError]) -> str:
    if proven:
        return "field.secret.kept"
    return "field.secret.again" if form_errors else ""
