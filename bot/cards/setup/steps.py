"""The cards around setup's forms: progress, an unfinished setup, and how one ends. None holds a secret."""

from microsoft_teams.cards.core import Action, CardElement, Container

from bot.activity import Card
from bot.cards.parts import button, capped, card, header, plain, progress, text
from bot.languages import Texts
from sync.domain.model import IntegrationView

STEPS = 3


def too_many(texts: Texts, limit: int) -> Card:
    """The tenant has as many integrations as it may have."""
    title = texts("setup.full")
    remedy = text(texts("setup.full.remedy"))
    body = [header("🧩", title), text(texts("setup.full.limit", count=texts.number(limit))), remedy]
    return card(
        texts, title, body, [button(texts("button.integrations"), "command.integrations", style="positive")]
    )


def already_set_up(texts: Texts, existing: IntegrationView | None, name: str, draft: str = "") -> Card:
    """The tenant has an integration of the same account, tenant and application, ``name``; the way to it.

    ``existing`` is None if it was removed in the meantime.
    """
    title = texts("setup.equal" if existing else "setup.equal_removed")
    what = texts("setup.equal.remedy") if existing else texts("setup.equal_removed.remedy", name=capped(name))
    body: list[CardElement] = [header("🧩", title, capped(name)), text(what)]
    back = [button(texts("button.back"), "setup.resume", {"draft": draft})] if draft else []
    all_of_them = button(texts("button.integrations"), "command.integrations")
    if existing is None:
        return card(texts, title, body, [*back, all_of_them])
    data = {"integration": existing.id}
    actions = [
        button(texts("button.status"), "status.show", data, style="positive"),
        button(texts("button.edit"), "edit.open", data),
    ]
    return card(texts, title, body, [*actions, all_of_them, *back])


def checking(texts: Texts, step: int, what: str, attempt: int = 0) -> Card:
    """Shown while a service is checked; ``step`` is 0 outside setup.

    ``what`` is ``cloudlink``, ``teams`` or ``people``. ``attempt`` counts how often Microsoft did not know a new
    secret or registration yet.
    """
    title = texts(f"setup.checking.{what}")
    head = step_header(texts, step, "⏳", title) if step else header("⏳", title)
    body: list[CardElement] = [head]
    if attempt:
        body.append(text(texts("setup.checking.new")))
        body.append(plain(f"{'● ' * attempt}{texts('setup.checking.attempt', number=attempt + 1)}"))
    body.append(text(texts("setup.checking.wait" if step else "setup.checking.moment"), subtle=True))
    if not step:
        body.append(text(texts("checking.interrupted"), subtle=True))
    return card(texts, title, body)


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
        cancel_button(texts, draft),
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


def cancel_button(texts: Texts, draft: str) -> Action:
    return button(texts("button.cancel"), "setup.cancel", {"draft": draft})
