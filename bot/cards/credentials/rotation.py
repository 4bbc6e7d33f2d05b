"""Rotating a client secret: by hand, by the bot on request, and by the bot automatically."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from microsoft_teams.cards.core import Action, CardElement, CodeBlock, DateInput, TextBlock, TextInput

from bot.activity import Card
from bot.cards.field_errors import FormError, Link, Links
from bot.cards.fields import MAX_NAME, Values, expiry_day, field, safe, secret, with_errors
from bot.cards.health.expiry import expiry_form
from bot.cards.parts import button, capped, card, fact, header, note, open_link, row, text
from bot.languages import Texts
from sync.domain.errors import OUTAGES, Fault
from sync.domain.model import CredentialKind, IntegrationView
from sync.domain.rotation import OldSecretLeft, RotationStep, RotationView

FIELDS = ("client_secret", "expires_on", "description")
SHOWN_STEPS = (RotationStep.ADD, RotationStep.WAIT, RotationStep.SWAP, RotationStep.PROVE, RotationStep.REMOVE)
SYMBOL = "🔑"

_POLICY = frozenset({Fault.GRAPH_SECRETS_FORBIDDEN, Fault.GRAPH_SECRET_TOO_LONG})


def form(
    texts: Texts,
    view: IntegrationView,
    values: Values,
    links: Links,
    form_errors: Sequence[FormError] = (),
    offer_for_me: bool = False,
) -> Card:
    """The form for the new secret of this tenant and application; ``offer_for_me`` if the bot can create one."""
    title = texts("rotate.title")
    data = {"integration": view.id}
    page = secrets_page(texts, view, links)
    shown = [replace(one, link=None) if one.link == page else one for one in form_errors]
    fields: list[TextInput | DateInput] = [
        secret(texts, "client_secret", required=True, hint="field.secret.again" if form_errors else ""),
        expiry_day(texts, values),
        field(texts, "description", values, required=False, length=MAX_NAME),
    ]
    body: list[CardElement] = [
        header(SYMBOL, title, capped(view.name)),
        text(texts("rotate.intro")),
        fact(texts("field.tenant_id"), capped(view.tenant_id)),
        fact(texts("field.client_id"), capped(view.client_id)),
        *with_errors(fields, shown),
        safe(texts),
    ]
    save = {**data, "revision": str(view.revision)}
    actions: list[Action] = [button(texts("button.rotate"), "rotate.save", save, style="positive", inputs=True)]
    if offer_for_me:
        actions.append(button(texts("button.rotate_for_me"), "rotate.for_me", data))
    actions += [
        open_link(page),
        button(texts("button.cancel"), "rotate.cancel", data),
    ]
    return card(texts, title, body, actions)


def checking(texts: Texts, view: IntegrationView) -> Card:
    title = texts("rotate.checking")
    said = [text(texts("rotate.checking.wait")), text(texts("checking.interrupted"), subtle=True)]
    return card(texts, title, [header("⏳", title, capped(view.name)), *said])


def replaced(
    texts: Texts, view: IntegrationView, rotation: RotationView, links: Links, form_error: FormError | None = None
) -> Card:
    """The new secret is in use, and whether it is already proven."""
    title = texts("rotate.replaced")
    body: list[CardElement] = [header(SYMBOL, title, capped(view.name))]
    if rotation.step is RotationStep.FAILED:
        return failed(texts, view, rotation, form_error)
    if rotation.finished:
        body.append(_proven(texts, secrets_page(texts, view, links)))
    else:
        body.append(note("accent", "⏳", texts("rotate.swapped"), texts("rotate.old_kept")))
        if form_error:
            body.append(note("warning", "⏳", texts("rotate.held_up"), form_error.sentence))
    body += _until(texts, view, rotation)
    body.append(text(texts("rotate.monitors"), subtle=True))
    data = {"integration": view.id}
    actions: list[Action] = [button(texts("button.status"), "status.show", data, style="positive")]
    if not rotation.finished:
        actions.append(button(texts("button.refresh"), "rotate.progress", data))
    actions.append(button(texts("button.monitors"), "monitors.show", data))
    return card(texts, title, body, actions)


def _proven(texts: Texts, page: Link) -> CardElement:
    return note("good", "✅", texts("rotate.proven"), texts("rotate.forgotten"), link=page)


def for_me_asked(texts: Texts, view: IntegrationView, monitors: Sequence[str]) -> Card:
    """What the bot would do, with a button to confirm; ``monitors`` are the names of those that are listed."""
    title = texts("rotate.for_me.title")
    steps = [step for step in SHOWN_STEPS if step is not RotationStep.REMOVE or not monitors]
    body: list[CardElement] = [
        header("🔄", title, capped(view.name)),
        text(texts("rotate.for_me.what")),
        *(row(f"{number}.", texts(f"rotate.step.{step}")) for number, step in enumerate(steps, start=1)),
        _about_monitors(texts, monitors),
    ]
    data = {"integration": view.id}
    actions = [
        button(texts("button.rotate_start"), "rotate.start", data, style="positive"),
        button(texts("button.rotate_by_hand"), "rotate.ask", data),
        button(texts("button.cancel"), "rotate.cancel", data),
    ]
    return card(texts, title, body, actions)


def _about_monitors(texts: Texts, monitors: Sequence[str]) -> CardElement:
    """A secret that the bot makes is shown to nobody, so monitors cannot share it."""
    if not monitors:
        return note("emphasis", "📡", texts("rotate.for_me.monitors"))
    return note(
        "warning", "📡", texts("rotate.for_me.listed", names=_listed(texts, monitors)), texts("rotate.for_me.own")
    )


def _listed(texts: Texts, names: Sequence[str]) -> str:
    named = ", ".join(capped(name, 40) for name in names[:5])
    more = len(names) - 5
    return texts.plural("report.and_more", more, names=named) if more > 0 else named


def progress(
    texts: Texts,
    view: IntegrationView,
    rotation: RotationView,
    links: Links,
    form_error: FormError | None = None,
    sharing: Sequence[str] = (),
) -> Card:
    """The progress of a rotation by the bot, and what it waits for.

    ``sharing`` are the names of the other integrations with this application.
    """
    if rotation.step in (RotationStep.FAILED, RotationStep.UNDO):
        return failed(texts, view, rotation, form_error)
    title = texts("rotate.for_me.done" if rotation.finished else "rotate.for_me.going")
    is_whole = rotation.finished and not rotation.old_left
    last = RotationStep.REMOVE if rotation.finished else rotation.step
    place = len(SHOWN_STEPS) if is_whole else SHOWN_STEPS.index(last)
    body: list[CardElement] = [header("🔄", title, capped(view.name))]
    body += [
        row(_mark(number, place, is_finished=rotation.finished), texts(f"rotate.step.{step}"))
        for number, step in enumerate(SHOWN_STEPS)
    ]
    if form_error and not rotation.finished:
        body.append(note("warning", "⏳", texts("rotate.held_up"), form_error.sentence))
    if rotation.finished:
        body += _until(texts, view, rotation)
    if rotation.old_left:
        page = secrets_page(texts, view, links)
        body.append(old_secret_left(texts, rotation.old_left, rotation.expires_on, page, sharing))
    return card(texts, title, body, _progress_actions(texts, view, rotation))


def _mark(number: int, place: int, *, is_finished: bool) -> str:
    """Done, under way, or still to do; of a finished rotation the old secret that was left."""
    if number < place:
        return "✅"
    return "⬜" if number > place else "⚠️" if is_finished else "⏳"


def old_secret_left(
    texts: Texts, why: OldSecretLeft, expires_on: date | None, page: Link, sharing: Sequence[str] = ()
) -> CardElement:
    """Why the old secret is still in Azure, which one to keep, what to do, and the ``page`` where they are.

    ``expires_on`` is the last day of the new one; ``sharing`` as in ``progress``.
    """
    newest = texts("rotate.old_left.keep_newest")
    keep = texts("rotate.old_left.keep", day=texts.date(expires_on)) if expires_on else newest
    remedy = texts(f"rotate.old_left.{why}.remedy")
    if why is OldSecretLeft.SHARED and sharing:
        remedy = texts.plural("rotate.old_left.shared.named", len(sharing), names=_listed(texts, sharing))
    return note("warning", "🗝️", texts(f"rotate.old_left.{why}"), keep, remedy, link=page)


def _progress_actions(texts: Texts, view: IntegrationView, rotation: RotationView) -> list[Action]:
    data = {"integration": view.id}
    status = button(texts("button.status"), "status.show", data)
    if rotation.old_left is OldSecretLeft.MONITORS:
        return [button(texts("button.monitors"), "monitors.show", data, style="positive"), status]
    if rotation.finished:
        return [status, button(texts("button.monitors"), "monitors.show", data)]
    return [button(texts("button.refresh"), "rotate.progress", data, style="positive"), status]


def failed(texts: Texts, view: IntegrationView, rotation: RotationView, form_error: FormError | None) -> Card:
    """The rotation failed: why, and that nothing was changed. Where secrets are forbidden, a certificate helps."""
    title = texts("rotate.failed")
    body: list[CardElement] = [header(SYMBOL, title, capped(view.name))]
    if form_error:
        body.append(note("attention", "❌", form_error.sentence, form_error.remedy, link=form_error.link))
    body.append(text(texts("rotate.failed.as_before")))
    data = {"integration": view.id}
    fault = rotation.error.fault if rotation.error else None
    if fault in _POLICY:
        first = button(texts("button.certificate_make"), "certificate.make", data, style="positive")
    elif fault in OUTAGES:
        first = button(texts("button.try_again"), "rotate.for_me", data, style="positive")
    else:
        first = button(texts("button.rotate_by_hand"), "rotate.ask", data, style="positive")
    status = button(texts("button.status"), "status.show", data)
    return card(texts, title, body, [first, *how_to_permit(texts, view, fault), status])


def how_to_permit(texts: Texts, view: IntegrationView, fault: Fault | None) -> list[Action]:
    """For an application that may not change its own secrets: the card with the command that permits it."""
    if fault is not Fault.GRAPH_ROTATION_FORBIDDEN:
        return []
    return [button(texts("auto_rotate.title"), "auto_rotate.show", {"integration": view.id})]


def under_way(texts: Texts, view: IntegrationView) -> Card:
    """No secret can be typed while the bot rotates it."""
    title = texts("rotate.under_way")
    data = {"integration": view.id}
    body: list[CardElement] = [header("🔄", title, capped(view.name)), text(texts("rotate.under_way.what"))]
    return card(texts, title, body, [button(texts("button.refresh"), "rotate.progress", data, style="positive")])


def automatic(
    texts: Texts, view: IntegrationView, possible: bool, links: Links, monitors: Sequence[str] = ()
) -> Card:
    """Whether the bot rotates the secret automatically; ``possible`` if the application permits it."""
    title = texts("auto_rotate.title")
    data = {"integration": view.id}
    body: list[CardElement] = [header("🔄", title, capped(view.name))]
    actions: list[Action] = []
    if view.credential is not CredentialKind.SECRET:
        body.append(note("good", "✅", texts("auto_rotate.no_secret")))
    elif view.auto_rotate:
        body.append(note("good", "✅", texts("auto_rotate.is_on"), texts("auto_rotate.what.on")))
        actions.append(button(texts("button.auto_rotate_off"), "auto_rotate.off", data))
    else:
        body.append(note("emphasis", "⏸️", texts("auto_rotate.is_off"), texts("auto_rotate.what")))
        if possible:
            actions.append(button(texts("button.auto_rotate_on"), "auto_rotate.on", data, style="positive"))
    if view.credential is CredentialKind.SECRET and not possible:
        page = Link(texts("link.permissions"), links.registration(view.client_id, "CallAnAPI"))
        what = texts("fault.graph.rotation_forbidden"), texts("auto_rotate.impossible.remedy")
        shell = f"[{texts('link.cloud_shell')}]({links.cloud_shell()})"
        owner = text(f"{texts('auto_rotate.owner')} {shell}")
        body += [note("warning", "🔒", *what, link=page), owner, _owner_line(view)]
        actions.append(button(texts("button.refresh"), "auto_rotate.show", data, style="positive"))
    if view.credential is CredentialKind.SECRET and possible and monitors:
        body.append(_about_monitors(texts, monitors))
    actions.append(button(texts("button.status"), "status.show", data))
    return card(texts, title, body, actions)


def _owner_line(view: IntegrationView) -> CodeBlock:
    """Makes the application an owner of itself, in Azure's Cloud Shell ("az ad app owner", Azure CLI)."""
    client = view.client_id
    line = f"az ad app owner add --id {client} --owner-object-id $(az ad sp show --id {client} --query id -o tsv)"
    plain = TextBlock(text=line, font_type="Monospace", size="Small", wrap=True)
    return CodeBlock(code_snippet=line, language="Bash", fallback=plain)


def _until(texts: Texts, view: IntegrationView, rotation: RotationView) -> list[CardElement]:
    """The new secret's last day; an unknown one can be entered once the secret is proven."""
    if rotation.expires_on:
        return [fact(texts("field.expires_on"), texts.date(rotation.expires_on))]
    unknown = note("warning", "❔", texts("expiry.unknown"), texts("expiry.unknown.remedy"))
    return [unknown, *(expiry_form(texts, view) if rotation.finished else [])]


def secrets_page(texts: Texts, view: IntegrationView, links: Links) -> Link:
    """Where the application's client secrets are in Azure."""
    return Link(texts("link.secrets"), links.registration(view.client_id, "Credentials"))
