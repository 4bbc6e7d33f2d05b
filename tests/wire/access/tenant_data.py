"""A tenant's data with something in every state, which no other tenant may see, count or change."""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

from sqlmodel import col, update

from bot.activity import Card
from bot.commands import COMMANDS
from core.clock import utc_now
from storage.queries.people.directory_people import PeopleQuery
from storage.tables.conversations import Draft
from storage.tables.history import HistoryEntry
from storage.tables.integrations import Integration
from storage.tables.notices import AlertChannel, AlertPreference, Notice
from storage.tables.problems import Problem
from storage.tables.roles import Member
from storage.tables.rotations import Monitor, MonitorTask, Rotation
from storage.tables.updates import FeatureUpdate
from sync.domain.errors import Fault
from sync.domain.model import Actor, IntegrationView, Service
from sync.domain.roles import Role
from sync.domain.rotation import RotationKind, RotationStep
from sync.people.imports.values import Wish
from sync.phones.subscriptions import hashed
from tests.support.engines import account_of, app_of
from tests.support.eventually import eventually
from tests.support.storage.stores import stored, with_secrets
from tests.wire.access.verb_effects import READS
from tests.wire.bot_process import BotProcess, Person, Reply, pressable

WEBHOOK_TOKEN = "the-webhook-token"
SUBSCRIPTION = "subscription-of-the-first"
NEVER = utc_now() + timedelta(days=9999)
PRIVATE = {
    "integration": ("id", "name", "client_id", "cloudlink_account_id", "cloudlink_client_id", "subscription_id"),
    "person": ("id", "name", "address", "teams_user_id", "cloudlink_user_id"),
    "monitor": ("id", "name"),
    "rotation": ("id", "started_by_name", "new_key_id"),
    "notice": ("id", "activity_id"),
    "draft": ("id",),
    "act": ("id", "actor_name"),
    "conversation": ("name", "conversation_id", "user_object_id"),
    "alertchannel": ("conversation_id",),
    "member": ("id", "name", "address"),
    "peopleimport": ("id",),
}
"""The columns that identify a tenant's data."""

MOST_PEOPLE = 4

Payload = tuple[str, dict[str, Any]]
IDS = ("integration", "rotation", "notice", "draft", "monitors", "member", "person", "mapping", "import")


async def store(bot: BotProcess, owner: Person, colleague: Person, members: Mapping[Role, Person]) -> str:
    """Three integrations, a removed one, and everything else an intruder could look for; the id of the removed."""
    one = await _add(bot, owner, "Vale Verde, headquarters", preview=True)
    two = await _add(bot, owner, "Vale Verde, the warehouse")
    three = await _add(bot, owner, "Vale Verde, the harbour")
    await bot.surroundings.sandbox.permissions(Application_ReadWrite_OwnedBy=True)
    by = Actor(owner.object_id, owner.name)
    await bot.engine.credentials.make_certificate(owner.tenant, two.id, by)
    await _set(bot, one, enabled=True, subscription_id=SUBSCRIPTION, webhook_token_hash=hashed(WEBHOOK_TOKEN))
    await _set(bot, two, feature_version=2, secret_expires_on=date(2027, 1, 31))
    for who in (owner, colleague):
        await bot.say(who, "help")
    await stored(bot.database, *_rotations(bot, owner, one, two, three), *_monitors(owner, two, three))
    await stored(bot.database, *_updates(owner, two, three), *_notices(owner, one, two, three))
    await stored(bot.database, *_choices(owner, three), *_drafts(bot, owner, colleague, two))
    await stored(bot.database, *_members(owner, members))
    await bot.engine.mappings.add(owner.tenant, one.id, one.revision, "Vale Verde's reception", by)
    name = (await bot.engine.roster.page(owner.tenant, one.id, PeopleQuery())).people[0].name
    await bot.engine.imports.compare(owner.tenant, one.id, by, [Wish(2, name=name, excluded=True)], "people.csv")
    for view in (one, two, three):
        await bot.notifier.notify(view.id)
    return await _removed(bot, owner)


async def _removed(bot: BotProcess, owner: Person) -> str:
    view = await _add(bot, owner, "Vale Verde, the closed branch")
    await bot.engine.integrations.remove(owner.tenant, view.id, Actor(owner.object_id, owner.name))

    async def is_gone() -> bool:
        async with bot.database.session() as session:
            return await session.get(Integration, view.id) is None

    await eventually(is_gone)
    return view.id


async def _add(bot: BotProcess, owner: Person, name: str, preview: bool = False) -> IntegrationView:
    """Equal integrations, as some are stored since before such were refused: the sandbox has one application."""
    sandbox, by = bot.surroundings.sandbox, Actor(owner.object_id, owner.name)
    app = app_of(sandbox)
    other = replace(app, client_id=str(uuid4()))
    view = await bot.engine.integrations.add(owner.tenant, name, account_of(sandbox), other, None, by)
    await _set(bot, view, client_id=app.client_id)
    if preview:
        await bot.engine.overview.preview(owner.tenant, view.id)
    return view


async def _set(bot: BotProcess, view: IntegrationView, **values: Any) -> None:
    async with bot.database.writing() as session:
        await session.exec(update(Integration).where(col(Integration.id) == view.id).values(**values))


def _rotations(bot: BotProcess, owner: Person, *views: IntegrationView) -> list[Rotation]:
    """One rotation in progress, two done; for one of them it is still unknown which secret the monitors have."""
    now = utc_now()
    begun: dict[str, Any] = {
        "owner_tenant": owner.tenant,
        "started_by": owner.object_id,
        "started_by_name": owner.name,
    }
    under_way = Rotation(
        integration_id=views[0].id,
        kind=RotationKind.ON_REQUEST,
        step=RotationStep.WAIT,
        new_key_id="key-of-the-new-secret",
        started_at=now,
        due_at=NEVER,
        **begun,
    )
    done = [
        Rotation(
            id=f"rotation-of-{view.id}",
            integration_id=view.id,
            kind=RotationKind.MANUAL,
            step=RotationStep.DONE,
            started_at=now,
            finished_at=now,
            **begun,
        )
        for view in views[1:]
    ]
    return [with_secrets(under_way, bot.encryption, secret_sealed="a-secret"), *done]


def _monitors(
    owner: Person, asked: IntegrationView, ticking: IntegrationView
) -> list[Monitor | MonitorTask | HistoryEntry]:
    at: dict[str, Any] = {"owner_tenant": owner.tenant, "created_at": utc_now()}
    answered = HistoryEntry(
        owner_tenant=owner.tenant,
        integration_id=ticking.id,
        integration_name=ticking.name,
        actor_id=owner.object_id,
        actor_name=owner.name,
        act="monitors_same",
        result="done",
        facts={"rotation": f"rotation-of-{ticking.id}"},
        at=utc_now(),
    )
    return [
        Monitor(id="monitor-of-reception", integration_id=asked.id, name="Reception's monitor", **at),
        Monitor(id="monitor-of-the-quay", integration_id=ticking.id, name="The quay's monitor", **at),
        MonitorTask(
            rotation_id=f"rotation-of-{ticking.id}", monitor_id="monitor-of-the-quay", integration_id=ticking.id
        ),
        answered,
    ]


def _updates(owner: Person, done: IntegrationView, going: IntegrationView) -> list[FeatureUpdate]:
    begun: dict[str, Any] = {"owner_tenant": owner.tenant, "started_by": owner.object_id, "started_at": utc_now()}
    facts = {"by": owner.name}
    return [
        FeatureUpdate(integration_id=done.id, version=2, state="completed", step="accept", facts=facts, **begun),
        FeatureUpdate(integration_id=going.id, version=2, state="waiting", step="", facts=facts, **begun),
    ]


def _notices(owner: Person, *views: IntegrationView) -> list[Notice | Problem]:
    """One of each kind, ready to be sent."""
    now = utc_now()
    about: dict[str, Any] = {"owner_tenant": owner.tenant, "audience": owner.object_id, "created_at": now}
    expiry = {"expires_on": "2027-01-31", "credential": "secret"}
    problem: dict[str, Any] = {
        "service": Service.ENTRA.value,
        "fault": Fault.ENTRA_SECRET_EXPIRED.value,
        "facts": {},
    }
    return [
        Notice(integration_id=views[0].id, topic="expiry", stage="30", facts=expiry, **about),
        Notice(
            integration_id=views[1].id,
            topic="problem",
            stage="problem-1",
            facts={**problem, "since": now.isoformat()},
            **about,
        ),
        Notice(integration_id=views[1].id, topic="update", stage="3", facts={"version": 3}, **about),
        Problem(id="problem-1", integration_id=views[1].id, since=now, checked_at=now, lasting=True, **problem),
    ]


def _choices(owner: Person, muted: IntegrationView) -> list[AlertChannel | AlertPreference]:
    return [
        AlertChannel(
            owner_tenant=owner.tenant,
            conversation_id="19:the-channel-of-the-estate@thread.tacv2",
            service_url="https://smba.trafficmanager.net/emea/",
            bot_id="28:bot",
            channel_id="msteams",
            added_by=owner.object_id,
            added_at=utc_now(),
        ),
        AlertPreference(
            owner_tenant=owner.tenant, user_object_id=owner.object_id, integration_id=muted.id, muted=True
        ),
    ]


def _drafts(bot: BotProcess, owner: Person, colleague: Person, saved: IntegrationView) -> list[Draft]:
    """One setup in the middle, one that waits to be enabled."""
    account = account_of(bot.surroundings.sandbox)
    values = {
        "account_id": account.account_id,
        "cloudlink_client_id": account.client_id,
        "name": "Vale Verde, a fourth",
    }
    middle = Draft(
        tenant_id=owner.tenant,
        user_object_id=owner.object_id,
        step="teams",
        values=values,
        updated_at=utc_now(),
    )
    waiting = Draft(
        tenant_id=colleague.tenant,
        user_object_id=colleague.object_id,
        step="enable",
        values=values,
        integration_id=saved.id,
        updated_at=utc_now(),
    )
    middle = with_secrets(middle, bot.encryption, cloudlink_secret_sealed=account.client_secret)
    return [middle, waiting]


def _members(owner: Person, members: Mapping[Role, Person]) -> list[Member]:
    """A member of each role, and an invitation that is still open."""
    invited: dict[str, Any] = {"owner_tenant": owner.tenant, "invited_at": utc_now(), "invited_by": owner.object_id}
    return [
        Member(address="somebody.invited@vale-verde.example", role=Role.VIEWER, **invited),
        *(
            Member(user_object_id=who.object_id, name=who.name, role=role, joined_at=utc_now(), **invited)
            for role, who in members.items()
        ),
    ]


# What its administrators see


async def shown_buttons(bot: BotProcess, *owners: Person) -> list[Payload]:
    """Every button reachable by typing commands and pressing read-only buttons, notices included.

    Of buttons that differ in neither verb, fields nor ids, one is enough.
    """
    found: dict[str, Payload] = {}
    for owner in owners:
        replies = [await bot.say(owner, command.titles["en"]) for command in COMMANDS]
        cards = [*_cards(replies), *(call.card for call in bot.surroundings.connector.sent())]
        await _crawl(bot, owner, cards, found)
    return list({_kind(*payload): payload for payload in found.values()}.values())


def _kind(verb: str, data: Mapping[str, Any]) -> tuple[str, frozenset[str], frozenset[str]]:
    return verb, frozenset(data), frozenset(repr(data[name]) for name in IDS if name in data)


async def _crawl(bot: BotProcess, owner: Person, cards: Iterable[Card], found: dict[str, Payload]) -> None:
    waiting = deque(payload for card in cards for payload in pressable(card))
    while waiting:
        verb, data = waiting.popleft()
        key = repr((verb, sorted((name, value) for name, value in data.items() if name != "press")))
        if key in found or _is_one_more_person(verb, data, found.values()):
            continue
        found[key] = (verb, data)
        if verb in READS or verb.startswith("command."):
            waiting += [each for card in _cards([await bot.press(owner, verb, data)]) for each in pressable(card)]


def _is_one_more_person(verb: str, data: Mapping[str, Any], found: Collection[Payload]) -> bool:
    """Whether enough people were seen by this verb: their cards have the same buttons."""
    return "person" in data and sum(each == verb and "person" in sent for each, sent in found) >= MOST_PEOPLE


def _cards(replies: Iterable[Reply]) -> list[Card]:
    return [card for each in replies for card in each.cards]


# What belongs to whom


def belongs(row: Mapping[str, Any], who: Person, ids: set[str]) -> bool:
    """Whether a stored row is about this person, their tenant alone, or one of these integrations."""
    owners = [row.get(name) for name in ("owner_tenant", "tenant_id")]
    return row.get("user_object_id") == who.object_id or row.get("integration_id") in ids or who.tenant in owners


def private_words(rows: Iterable[tuple[str, Mapping[str, Any]]], but: Person) -> frozenset[str]:
    """The values no other person may see, except common words and the person's own."""
    values = {str(row[name]) for table, row in rows for name in PRIVATE.get(table, ()) if row[name]}
    return frozenset(word for word in values if len(word) > 6 and word not in (but.name, but.object_id))


def by_verb(payloads: Iterable[Payload]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for verb, data in payloads:
        found[verb].append(data)
    return found
