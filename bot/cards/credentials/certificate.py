"""Using a certificate, or the platform's own token, instead of a client secret."""

from dataclasses import replace

from microsoft_teams.cards.core import Action, CardElement, CodeBlock, TextBlock

from bot.activity import Card
from bot.cards.credentials.rotation import secrets_page
from bot.cards.field_errors import FormError, Link, Links
from bot.cards.parts import button, capped, card, error_note, fact, header, note, open_link, row, text
from bot.languages import Texts
from sync.domain.model import CredentialKind, IntegrationView
from sync.domain.rotation import CredentialChoices, NewCertificate, RotationStep, RotationView

SYMBOL = "📜"


def choose(
    texts: Texts, view: IntegrationView, choices: CredentialChoices, form_error: FormError | None = None
) -> Card:
    """The current credential, and the alternatives."""
    title = texts("certificate.title")
    body: list[CardElement] = [
        header(SYMBOL, title, capped(view.name)),
        *([error_note(form_error)] if form_error else []),
        fact(texts("certificate.in_use"), texts(f"credential.{view.credential}")),
        text(texts("certificate.why")),
        row("📜", texts("certificate.make"), texts("certificate.make.how")),
    ]
    if choices.host_certificate:
        body.append(row("🖥️", texts("certificate.host"), texts("certificate.host.how")))
    if choices.federated:
        body.append(row("🪪", texts("certificate.federated"), texts("certificate.federated.how")))
    return card(texts, title, body, _choices(texts, view, choices))


def _choices(texts: Texts, view: IntegrationView, choices: CredentialChoices) -> list[Action]:
    data = {"integration": view.id}
    actions: list[Action] = [button(texts("button.certificate_make"), "certificate.make", data, style="positive")]
    use = {**data, "revision": str(view.revision)}
    if choices.host_certificate:
        actions.append(button(texts("button.certificate_host"), "certificate.host", use))
    if choices.federated:
        actions.append(button(texts("button.certificate_federated"), "certificate.federated", use))
    if view.credential is not CredentialKind.SECRET:
        actions.append(button(texts("button.certificate_secret"), "rotate.ask", data))
    return [*actions, button(texts("button.cancel"), "certificate.cancel", data)]


def handed_out(
    texts: Texts,
    view: IntegrationView,
    made: NewCertificate,
    links: Links,
    file: str = "",
    form_error: FormError | None = None,
) -> Card:
    """The public part, to upload in Azure; the private key never leaves the bot.

    ``file`` is its address; without one it is on the card, to copy.
    """
    title = texts("certificate.upload")
    data = {"integration": view.id}
    page = secrets_page(texts, view, links)
    error = replace(form_error, link=None) if form_error and form_error.link == page else form_error
    body: list[CardElement] = [
        header(SYMBOL, title, capped(view.name)),
        *([error_note(error)] if error else []),
        row("1.", texts("certificate.download" if file else "certificate.copy")),
        *([] if file else [_code(made.public)]),
        row("2.", texts("certificate.upload.where")),
        row("3.", texts("certificate.compare")),
        fact(texts("certificate.thumbprint"), _in_groups(made.thumbprint)),
        fact(texts("field.certificate_expires"), texts.date(made.expires_on)),
        row("🔒", "", texts("certificate.safe")),
    ]
    use = {**data, "revision": str(view.revision)}
    actions: list[Action] = [
        *([open_link(Link(texts("link.certificate"), file))] if file else []),
        open_link(page),
        button(texts("button.certificate_use"), "certificate.use", use, style="positive"),
        button(texts("button.cancel"), "certificate.cancel", data),
    ]
    return card(texts, title, body, actions, wide=True)


def _in_groups(thumbprint: str) -> str:
    """Of eight letters, so that it can be compared, and breaks where a telephone is too narrow for all."""
    return " ".join(thumbprint[start : start + 8] for start in range(0, len(thumbprint), 8))


def _code(pem: str) -> CodeBlock:
    """Text to copy; clients without code blocks get monospace text."""
    plain = TextBlock(text=pem.strip().replace("\n", "\n\n"), font_type="Monospace", size="Small", wrap=True)
    return CodeBlock(code_snippet=pem.strip(), language="PlainText", fallback=plain)


def progress(
    texts: Texts, view: IntegrationView, rotation: RotationView, links: Links, form_error: FormError | None = None
) -> Card:
    """After a refusal the credentials from before are in use again: nothing is then said to be in use."""
    if rotation.step in (RotationStep.FAILED, RotationStep.UNDO, RotationStep.WAIT):
        return not_switched(texts, view, rotation, form_error)
    return switched(texts, view, rotation, links)


def not_switched(
    texts: Texts, view: IntegrationView, rotation: RotationView, form_error: FormError | None = None
) -> Card:
    """The change failed, or waits after it was refused: what was in use before is in use again, and why."""
    is_over = rotation.step in (RotationStep.FAILED, RotationStep.UNDO)
    title = texts("certificate.failed" if is_over else "certificate.waits")
    body: list[CardElement] = [header(SYMBOL, title, capped(view.name))]
    if form_error:
        body.append(error_note(form_error))
    body.append(text(texts("certificate.failed.as_before")))
    data = {"integration": view.id}
    label, verb = ("button.try_again", "certificate.show") if is_over else ("button.refresh", "rotate.progress")
    again = button(texts(label), verb, data, style="positive")
    actions: list[Action] = [again, button(texts("button.status"), "status.show", data)]
    return card(texts, title, body, actions)


def switched(texts: Texts, view: IntegrationView, rotation: RotationView, links: Links) -> Card:
    """The integration uses ``rotation.credential`` now, no secret."""
    title = texts("certificate.switched")
    is_done = rotation.step is RotationStep.DONE
    body: list[CardElement] = [
        header(SYMBOL, title, capped(view.name)),
        note(
            "good" if is_done else "accent",
            "✅" if is_done else "⏳",
            texts(f"certificate.now.{rotation.credential}"),
            texts("certificate.secret_left") if is_done else texts("rotate.old_kept"),
            link=secrets_page(texts, view, links) if is_done else None,
        ),
    ]
    if rotation.expires_on:
        body.append(fact(texts("field.certificate_expires"), texts.date(rotation.expires_on)))
    data = {"integration": view.id}
    again = [] if is_done else [button(texts("button.refresh"), "rotate.progress", data)]
    actions = [button(texts("button.status"), "status.show", data, style="positive"), *again]
    return card(texts, title, body, actions)
