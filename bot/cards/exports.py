"""Cards with the link to a file."""

from microsoft_teams.cards.core import Action

from bot.activity import Card
from bot.cards.field_errors import Link
from bot.cards.parts import button, capped, card, header, open_link, text
from bot.languages import Texts
from sync.domain.model import IntegrationView


def people_card(texts: Texts, integration: IntegrationView, link: Link | None) -> Card:
    """The link to everyone of an integration as CSV."""
    data = {"integration": integration.id}
    importing = button(texts("import.title"), "import_people.show", data)
    back = button(texts("button.people"), "people.show", data)
    subtitle = capped(integration.name, 40)
    said = texts("export.people.what")
    return _card(texts, texts("export.people.title"), subtitle, said, link, importing, back)


def report_card(texts: Texts, integration: IntegrationView, link: Link | None, days: int) -> Card:
    """The link to the figures and faults of the last ``days`` as CSV."""
    back = button(texts("button.report"), "report.show", {"integration": integration.id, "days": str(days)})
    subtitle = capped(integration.name, 40)
    what = texts.plural("export.report.what", days)
    return _card(texts, texts("export.report.title"), subtitle, what, link, back)


def diagnostics_card(texts: Texts, link: Link | None) -> Card:
    """The link to the file for support."""
    back = button(texts("button.status"), "command.status")
    title = texts("diagnostics.title")
    return _card(texts, title, texts("diagnostics.purpose"), texts("diagnostics.link"), link, back)


def _card(texts: Texts, title: str, subtitle: str, what: str, link: Link | None, *more: Action) -> Card:
    """Without a link, what the operator has to set."""
    said = text(what if link else texts("export.unreachable"))
    actions: list[Action] = [open_link(link)] if link else []
    return card(texts, title, [header("📤", title, subtitle), said], [*actions, *more])
