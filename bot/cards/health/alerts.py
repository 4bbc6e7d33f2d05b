"""The cards of ``alerts``: which notices a person gets and when, and who else gets them; a channel's answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from microsoft_teams.cards.core import CardElement, Choice, ChoiceSetInput, TimeInput, ToggleInput

from bot.activity import Card
from bot.cards.parts import button, capped, card, header, note, plain, row, text
from bot.languages import Texts
from sync.domain.reports import Cadence

INTEGRATIONS_SHOWN = 20
INTEGRATIONS_NAMED = 3
LISTENERS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Listener:
    """A recipient of notices.

    ``state``: ``told``, ``waiting``, ``muted``, ``unreachable``, ``listening`` or ``not_sent``.
    """

    name: str
    state: str
    is_channel: bool = False


@dataclass(frozen=True, slots=True)
class AlertsView:
    """A person's alert preferences: which integrations (id, name, on), quiet hours, and how often the digest."""

    integrations: Sequence[tuple[str, str, bool]]
    quiet_from: str
    quiet_until: str
    zone: str
    zones: Sequence[str]
    listeners: Sequence[Listener]
    digest: str = ""


def recipients_card(texts: Texts, name: str, listeners: Sequence[Listener]) -> Card:
    """Who else receives a notice, and whether it reached them."""
    title = texts("notice.told.title")
    about = [replace(one, state="not_sent") if one.state == "listening" else one for one in listeners]
    body = [header("👥", title, capped(name)), *_listeners(texts, about)]
    return card(texts, title, body, [button(texts("alerts.title"), "command.alerts")])


def alerts_card(texts: Texts, view: AlertsView, message: str = "") -> Card:
    """The form of the alert preferences; ``message`` is the key of the result of saving them."""
    title = texts("alerts.title")
    body: list[CardElement] = [header("🔔", title, texts("alerts.subtitle"))]
    if message:
        wrong = message != "alerts.saved"
        said = [] if wrong else _what_is_sent(texts, view)
        body.append(note("attention" if wrong else "good", "❌" if wrong else "✅", texts(message), *said))
    body.append(text(texts("alerts.of"), weight="Bolder"))
    body.extend(_toggles(texts, view.integrations))
    if not view.integrations:
        body.append(text(texts("none.title"), subtle=True))
    body.extend(_quiet_hours(texts, view))
    body.extend(_digest_choice(texts, view.digest))
    body.append(text(texts("alerts.listeners"), weight="Bolder"))
    body.extend(_listeners(texts, view.listeners))
    body.append(text(texts("alerts.channel"), subtle=True))
    return card(texts, title, body, [button(texts("button.save"), "alerts.save", style="positive", inputs=True)])


def _what_is_sent(texts: Texts, view: AlertsView) -> list[str]:
    """What the reader gets from now on, and when."""
    on = [capped(name, 40) for _, name, is_on in view.integrations if is_on]
    named = ", ".join(on[:INTEGRATIONS_NAMED])
    more = len(on) - INTEGRATIONS_NAMED
    named = texts.plural("report.and_more", more, names=named) if more > 0 else named
    said = [texts("alerts.sent.about", names=named) if on else texts("alerts.sent.none")]
    if on and view.quiet_from:
        hours = {"begin": view.quiet_from, "end": view.quiet_until, "zone": view.zone.replace("_", " ")}
        said.append(texts("alerts.sent.quiet", **hours))
    if view.digest:
        said.append(texts("alerts.sent.digest", when=texts(f"digest.{view.digest}")))
    others = sum(one.state == "listening" for one in view.listeners)
    return [*said, texts.plural("alerts.sent.to", others)]


def channel_answer(texts: Texts, is_on: bool) -> Card:
    """The only card a channel gets when notices start or stop there."""
    key = "channel.on" if is_on else "channel.off"
    return card(texts, texts(key), [note("good", "🔔" if is_on else "🔕", texts(key))])


def channel_refused(texts: Texts, most: int) -> Card:
    """For a channel too many: ``most`` get notices."""
    said = texts("channel.too_many", most=texts.number(most))
    return card(texts, said, [note("attention", "❌", said, texts("channel.too_many.remedy"))])


def _toggles(texts: Texts, integrations: Sequence[tuple[str, str, bool]]) -> list[CardElement]:
    title = texts("alerts.on")
    shown: list[CardElement] = [
        ToggleInput(id=f"on_{key}", label=capped(name), title=title, value="true" if is_on else "false")
        for key, name, is_on in integrations[:INTEGRATIONS_SHOWN]
    ]
    more = len(integrations) - INTEGRATIONS_SHOWN
    return [*shown, *([text(texts.plural("alerts.more_integrations", more), subtle=True)] if more > 0 else [])]


def _quiet_hours(texts: Texts, view: AlertsView) -> list[CardElement]:
    zones = list(dict.fromkeys([*([view.zone] if view.zone not in view.zones else []), *view.zones]))
    return [
        text(texts("alerts.quiet"), weight="Bolder"),
        TimeInput(id="quiet_from", label=texts("alerts.quiet.from"), value=view.quiet_from or None),
        TimeInput(id="quiet_until", label=texts("alerts.quiet.until"), value=view.quiet_until or None),
        ChoiceSetInput(
            id="time_zone",
            label=texts("alerts.zone"),
            choices=[Choice(title=zone.replace("_", " "), value=zone) for zone in zones],
            value=view.zone,
            style="compact",
        ),
        text(texts("alerts.urgent"), subtle=True),
    ]


def _digest_choice(texts: Texts, chosen: str) -> list[CardElement]:
    choices = [Choice(title=texts(f"digest.{one or 'never'}"), value=one or "never") for one in Cadence]
    return [
        text(texts("digest.choice"), weight="Bolder"),
        ChoiceSetInput(
            id="digest", label=texts("digest.how_often"), choices=choices, value=chosen or "never", style="compact"
        ),
        text(texts("digest.what"), subtle=True),
    ]


def _listeners(texts: Texts, listeners: Sequence[Listener]) -> list[CardElement]:
    rows: list[CardElement] = [_listener(texts, one) for one in listeners[:LISTENERS_SHOWN]]
    more = len(listeners) - LISTENERS_SHOWN
    if more > 0:
        rows.append(plain(texts.plural("alerts.more", more), subtle=True))
    return rows or [text(texts("alerts.nobody"), subtle=True)]


def _listener(texts: Texts, one: Listener) -> CardElement:
    name = capped(one.name, 60) or texts("alerts.a_channel" if one.is_channel else "alerts.an_administrator")
    symbols: Mapping[str, str] = {"told": "✅", "waiting": "⏳", "muted": "🔕", "unreachable": "🚫"}
    return row(symbols.get(one.state, "👤"), name, texts(f"alerts.state.{one.state}"))
