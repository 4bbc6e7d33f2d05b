"""Fakes for both sides of the bot: a turn that records its cards, and integrations kept in memory."""

import json
from builtins import list as list_of
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import uuid4

from bot.activity import Action, Address, Card, Event, Incoming, Sender
from core.clock import Clock
from storage.tables.problems import Problem
from sync.credentials.new_secrets import Waiting
from sync.domain.model import (
    Actor,
    CloudLinkAccount,
    CloudLinkCheck,
    EditedMeanwhile,
    ExpirySource,
    Freshness,
    IntegrationView,
    Preview,
    Probe,
    Service,
    ServiceHealth,
    Status,
    TeamsApp,
    TeamsCheck,
    UnknownIntegration,
)
from sync.integrations.connection_test import ConnectionTest
from sync.integrations.editor import Editor
from sync.integrations.overview import Overview
from sync.integrations.service import IntegrationService

TENANT = "11111111-0000-4000-8000-000000000001"
ADMIN = "22222222-0000-4000-8000-000000000002"
STRANGER = "33333333-0000-4000-8000-000000000003"
CARD_ID = "card-1"


class RecordingTurn:
    """Keeps every card it is given, as the JSON that would be sent."""

    def __init__(self, incoming: Incoming, principal_name: str = "") -> None:
        self._incoming = incoming
        self._principal_name = principal_name
        self.sent: list[Card] = []
        self.replaced: list[Card] = []
        self.summaries: list[str] = []

    @property
    def incoming(self) -> Incoming:
        return self._incoming

    async def send(self, card: Card, summary: str) -> str:
        self.sent.append(json.loads(json.dumps(card)))
        self.summaries.append(summary)
        return f"sent-{len(self.sent)}"

    async def replace(self, card: Card, summary: str) -> None:
        self.replaced.append(json.loads(json.dumps(card)))
        self.summaries.append(summary)

    async def principal_name(self) -> str:
        return self._principal_name

    @property
    def cards(self) -> list[Card]:
        return [*self.sent, *self.replaced]

    @property
    def answer(self) -> Card:
        """The card shown in the end."""
        return (self.replaced or self.sent)[-1]


@dataclass
class SentFiles:
    """Files that Teams keeps, by their addresses."""

    files: dict[str, bytes] = field(default_factory=dict)

    async def read(self, _tenant: str, url: str, parse: Callable[[bytes], Any]) -> Any:
        return [wish for part in parse(self.files[url]) for wish in part]


def incoming(
    event: Event,
    *,
    person: str = ADMIN,
    tenant: str = TENANT,
    locale: str = "en-US",
    personal: bool = True,
) -> Incoming:
    address = Address(
        "https://smba.example/emea/", f"conversation-of-{person}", tenant, "29:user", "28:bot", "msteams"
    )
    return Incoming(event, Sender("29:user", person, "Somebody"), address, tenant, locale, personal)


@dataclass
class FakeIntegrations(IntegrationService, Editor, Overview, ConnectionTest):
    """Every operation on integrations, in memory. ``errors`` are raised by the name of the call.

    ``calls`` are the names of the calls, ``actors`` who made those that change or test something. ``waits`` is how
    often a new secret is waited for, ``region`` what CloudLink's token names.
    """

    clock: Clock
    errors: dict[str, Exception] = field(default_factory=dict)
    found: Preview = field(default_factory=lambda: Preview(25, (), ()))
    service_health: tuple[ServiceHealth, ...] = tuple(ServiceHealth(service) for service in Service)
    probes: tuple[Probe, ...] = (Probe(Service.CLOUDLINK, "users", 0.2), Probe(Service.ENTRA, "token", 0.3))
    monitors_open: int = 0
    waits: int = 0
    region: str = ""
    calls: list[str] = field(default_factory=list)
    actors: list[Actor] = field(default_factory=list)
    accounts: list[CloudLinkAccount] = field(default_factory=list)
    apps: list[TeamsApp] = field(default_factory=list)
    check: TeamsCheck = field(default_factory=lambda: TeamsCheck("Contoso"))
    stored: dict[str, tuple[str, IntegrationView]] = field(default_factory=dict)

    def _called(self, name: str, by: Actor | None = None) -> None:
        self.calls.append(name)
        if by is not None:
            self.actors.append(by)
        if name in self.errors:
            raise self.errors[name]

    async def check_cloudlink(self, owner_tenant: str, account: CloudLinkAccount, by: Actor) -> CloudLinkCheck:
        self.accounts.append(account)
        self._called("check_cloudlink", by)
        return CloudLinkCheck("Contoso [Telephony](https://evil.example)", 27, account.region or self.region)

    async def check_teams(
        self, owner_tenant: str, app: TeamsApp, by: Actor, waiting: Waiting | None = None
    ) -> TeamsCheck:
        self.apps.append(app)
        for _ in range(self.waits if waiting else 0):
            assert waiting is not None
            await waiting()
        self._called("check_teams", by)
        return self.check

    async def add(
        self,
        owner_tenant: str,
        name: str,
        account: CloudLinkAccount,
        app: TeamsApp,
        expires_on: date | None,
        by: Actor,
        status_text: str = "",
        check: TeamsCheck | None = None,
    ) -> IntegrationView:
        read = check.expires_on if check else None
        self.accounts.append(account)
        self.apps.append(app)
        self._called("add", by)
        view = IntegrationView(
            id=uuid4().hex,
            name=name,
            enabled=False,
            cloudlink_region=account.region,
            cloudlink_account_id=account.account_id,
            cloudlink_client_id=account.client_id,
            tenant_id=app.tenant_id,
            client_id=app.client_id,
            secret_expires_on=read or expires_on,
            expiry_source=ExpirySource.GRAPH if read else ExpirySource.ADMIN,
            created_at=self.clock(),
        )
        self.stored[view.id] = (owner_tenant, view)
        return view

    async def check_room(self, owner_tenant: str) -> None:
        if "check_room" in self.errors:
            raise self.errors["check_room"]

    async def list(self, owner_tenant: str) -> list_of[IntegrationView]:
        return [view for owner, view in self.stored.values() if owner == owner_tenant]

    def _find(self, owner_tenant: str, integration_id: str) -> IntegrationView:
        owner, view = self.stored.get(integration_id, ("", None))
        if view is None or owner != owner_tenant:
            raise UnknownIntegration
        return view

    async def preview(self, owner_tenant: str, integration_id: str) -> Preview:
        self._called("preview")
        self._find(owner_tenant, integration_id)
        return self.found

    async def enable(self, owner_tenant: str, integration_id: str, by: Actor) -> IntegrationView:
        self._called("enable", by)
        view = replace(self._find(owner_tenant, integration_id), enabled=True)
        self.stored[view.id] = (owner_tenant, view)
        return view

    async def disable(self, owner_tenant: str, integration_id: str, by: Actor) -> int:
        self._called("disable", by)
        view = replace(self._find(owner_tenant, integration_id), enabled=False)
        self.stored[view.id] = (owner_tenant, view)
        return 3

    async def remove(self, owner_tenant: str, integration_id: str, by: Actor) -> None:
        self._called("remove", by)
        del self.stored[self._find(owner_tenant, integration_id).id]

    async def left_by_removal(self, owner_tenant: str, integration_id: str) -> int | None:
        if integration_id in self.stored:
            raise UnknownIntegration
        return 0

    def _edited(self, owner_tenant: str, integration_id: str, revision: int, **changed: Any) -> IntegrationView:
        view = self._find(owner_tenant, integration_id)
        if view.revision != revision:
            raise EditedMeanwhile
        self.stored[view.id] = (owner_tenant, replace(view, revision=revision + 1, **changed))
        return self.stored[view.id][1]

    async def rename(
        self, owner_tenant: str, integration_id: str, revision: int, name: str, by: Actor
    ) -> IntegrationView:
        self._called("rename", by)
        return self._edited(owner_tenant, integration_id, revision, name=name)

    async def edit_cloudlink(
        self, owner_tenant: str, integration_id: str, revision: int, account: CloudLinkAccount, by: Actor
    ) -> IntegrationView:
        self.accounts.append(account)
        self._called("edit_cloudlink", by)
        changed = {"cloudlink_account_id": account.account_id, "cloudlink_client_id": account.client_id}
        return self._edited(owner_tenant, integration_id, revision, cloudlink_region=account.region, **changed)

    async def edit_teams(
        self,
        owner_tenant: str,
        integration_id: str,
        revision: int,
        app: TeamsApp,
        expires_on: date | None,
        by: Actor,
        waiting: Waiting | None = None,
    ) -> IntegrationView:
        self.apps.append(app)
        self._called("edit_teams", by)
        changed = {"tenant_id": app.tenant_id, "client_id": app.client_id, "secret_expires_on": expires_on}
        return self._edited(owner_tenant, integration_id, revision, **changed)

    async def correct_expiry(
        self, owner_tenant: str, integration_id: str, revision: int, expires_on: date, by: Actor
    ) -> IntegrationView:
        self._called("correct_expiry", by)
        return self._edited(owner_tenant, integration_id, revision, secret_expires_on=expires_on)

    async def status(self, owner_tenant: str, integration_id: str, *, rehearsed: Problem | None = None) -> Status:
        self._called("status")
        view = self._find(owner_tenant, integration_id)
        unknown = (("parked", 4),)
        return Status(
            view,
            self.service_health,
            27,
            25,
            3,
            0,
            None,
            Freshness.LIVE,
            1,
            unknown,
            monitors_open=self.monitors_open,
        )

    async def test(self, owner_tenant: str, integration_id: str, by: Actor) -> tuple[Probe, ...]:
        self._called("test", by)
        self._find(owner_tenant, integration_id)
        return self.probes


def parts(card: Any) -> Iterator[dict[str, Any]]:
    """Every object of a card, in the order a reader meets them; fallbacks and the refresh are left out."""
    if isinstance(card, list):
        for item in card:
            yield from parts(item)
    elif isinstance(card, dict):
        if "type" in card:
            yield card
        for key, value in card.items():
            if key not in ("fallback", "refresh"):
                yield from parts(value)


def words(card: Card) -> str:
    """All visible text of a card."""
    said = (part.get(key) for part in parts(card) for key in ("text", "label", "title", "value", "placeholder"))
    return "\n".join(str(word) for word in said if word)


def buttons(card: Card) -> dict[str, dict[str, Any]]:
    """The buttons by verb; of two with the same verb, the last."""
    return {part["verb"]: part for part in parts(card) if part["type"] == "Action.Execute"}


def link_urls(card: Card) -> list[str]:
    return [part["url"] for part in parts(card) if part["type"] == "Action.OpenUrl"]


def inputs(card: Card) -> dict[str, dict[str, Any]]:
    return {part["id"]: part for part in parts(card) if part["type"].startswith("Input.")}


def press(card: Card, verb: str, typed: Mapping[str, str] | None = None) -> Action:
    """The button as a client presses it: with the card's inputs only when the button takes them."""
    pressed = buttons(card)[verb]
    sent: dict[str, str] = {}
    if pressed.get("associatedInputs") != "none":
        sent = {name: str(part.get("value", "")) for name, part in inputs(card).items()}
        sent.update(typed or {})
    return Action(verb, {**sent, **pressed.get("data", {})}, CARD_ID)


def error_below(card: Card, field_id: str) -> str:
    """The error shown directly below a field, or empty. For ``""``, the error above all fields."""
    body = card["body"]
    places = [place for place, part in enumerate(body) if part.get("id") == field_id]
    place = places[0] + 1 if places else next(i for i, part in enumerate(body) if part.get("style") == "attention")
    if place < len(body) and body[place].get("style") == "attention":
        return words(body[place])
    return ""
