"""Tenants are walls: whatever is pressed, replayed or edited, nobody finds anything of somebody else's estate.

What is tried comes from the product itself: every command, every verb, and every button its administrators were
really shown. An answer about a thing that is another tenant's is the answer about a thing that is not there.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field, replace
from itertools import cycle
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from bot.commands import COMMANDS
from storage.queries.roles import Role
from sync.credentials import service as credential_changes
from sync.phones.subscriptions import hashed
from sync.teams.host_credentials import HostCredentials
from tests.support.bot.fakes import link_urls, words
from tests.support.postgres import fresh_database
from tests.support.stores import EACH, integration, stored
from tests.wire import estates
from tests.wire.estates import Payload
from tests.wire.verbs import ACTS, LOOKS
from tests.wire.webs import Heard, Person, Web, dump, open_town, open_web, sqlite_url

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

HERE, THERE = "aaaaaaaa-0000-4000-8000-00000000000a", "bbbbbbbb-0000-4000-8000-00000000000b"
ADA = Person(HERE, "ada00000-0000-4000-8000-000000000001", "Ada of Vale Verde")
RUI = Person(HERE, "0a100000-0000-4000-8000-000000000002", "Rui of Vale Verde")
BIA = Person(THERE, "b1a00000-0000-4000-8000-000000000003", "Bia from elsewhere")
OWN = "an-integration-of-their-own"
REFUSED = "For administrators only"


@dataclass(frozen=True, slots=True)
class Intruder:
    """Somebody who tries everything. ``admitted``: they may use the bot, in their tenant; ``owns`` something."""

    name: str
    person: Person
    admitted: bool = False
    owns: bool = False


INTRUDERS = (
    Intruder("administrator of another tenant", BIA, admitted=True),
    Intruder(
        "administrator of ours who speaks from another tenant",
        replace(ADA, tenant=THERE, name="Ada abroad"),
        admitted=True,
    ),
    Intruder("guest", Person(HERE, "9ae57000-0000-4000-8000-000000000004", "Gil the guest")),
    Intruder("stranger", Person(HERE, "57a00000-0000-4000-8000-000000000005", "Sol the stranger")),
    Intruder(
        "stranger of another tenant", Person(THERE, "57b00000-0000-4000-8000-000000000006", "Tom the stranger")
    ),
    Intruder("administrator of another tenant with an integration", BIA, admitted=True, owns=True),
)

INSIDERS: Mapping[Role, Person] = {
    Role.VIEWER: Person(HERE, "71e00000-0000-4000-8000-000000000007", "Vera the viewer"),
    Role.ADMINISTRATOR: Person(HERE, "ad100000-0000-4000-8000-000000000008", "Adam the administrator"),
}
"""Who may do something here, but not all: a role that is new belongs here too."""

RECIPES: Mapping[str, tuple[str, ...]] = {
    "enable.page": ("integration", "page"),
    "setup.page": ("integration", "page"),
    "setup.preview": ("integration",),
    "setup.now": ("integration",),
    "setup.later": ("integration",),
    "setup.cloudlink": ("draft", "account_id", "cloudlink_client_id", "cloudlink_secret"),
    "setup.register": ("draft",),
    "rotate.save": ("integration", "revision", "description", "client_secret"),
    "rotate.start": ("integration",),
    "auto_rotate.off": ("integration",),
    "certificate.use": ("integration", "revision"),
    "history.page": ("integration", "page"),
    "integrations.page": ("page",),
    "admins.demote": ("member", "was", "role"),
    "claim.now": ("code",),
    "update.undo": ("integration", "version"),
    "update.done": ("integration", "version"),
}
"""The fields of what no card of the estate happens to offer."""

A_THING = re.compile(r"(?:(?:rotation|monitor)-of-)?[0-9a-f]{32}|monitor-of-[a-z-]+")
"""How the estate's ids look."""

IDS = ("integration", "rotation", "notice", "draft", "monitors", "member", "person")
HOSTILE = ("", "-1", "9" * 40, "' OR 1=1 --", "🎈" * 999, "a\x00b")
WRONG_TYPES: tuple[Any, ...] = ([], ["x"], {}, {"$ne": ""}, "x" * 5000)
OURS = re.compile(r"[0-9a-f]{32}|(?<=\"press\": \")[^\"]*|(?<=/exports/)[^\"]*")


@dataclass
class Estate:
    """The world of these tests; ``tried`` counts what was sent."""

    web: Web
    payloads: list[Payload]
    tried: dict[str, int] = field(default_factory=dict)

    @property
    def database(self) -> str:
        return self.web.database.engine.dialect.name

    def everything(self) -> list[Payload]:
        """What was harvested, and by recipe the rest."""
        known = estates.by_verb(self.payloads)
        sample = {name: value for _, data in self.payloads for name, value in data.items()}
        made = [(verb, {name: sample.get(name, "1") for name in names}) for verb, names in RECIPES.items()]
        return [*self.payloads, *(payload for payload in made if payload[0] not in known)]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=EACH)
async def estate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Estate]:
    folder = tmp_path_factory.mktemp("walls")
    with pytest.MonkeyPatch.context() as monkeypatch, ExitStack() as databases:
        is_sqlite = request.param == "sqlite"
        url = sqlite_url(folder) if is_sqlite else databases.enter_context(fresh_database())
        async with AsyncExitStack() as stack:
            monkeypatch.setattr(credential_changes, "FOLLOWED", 0)
            town = await stack.enter_async_context(open_town(monkeypatch))
            host = HostCredentials(folder / "host.pem", federated_token_file=folder / "token")
            admins = (ADA.object_id, RUI.object_id, BIA.object_id)
            web = await stack.enter_async_context(open_web(town, url, admins, (HERE, THERE), host=host))
            await estates.build(web, ADA, RUI, INSIDERS)
            yield Estate(web, await estates.harvest(web, ADA, RUI))


async def test_every_verb_is_known_and_has_something_to_be_tried_with(estate: Estate) -> None:
    verbs = {verb for command in COMMANDS for verb in command.actions}
    assert verbs == LOOKS | ACTS
    tried = set(estates.by_verb(estate.everything()))
    assert verbs - tried == set(), "nobody was shown these: give them a recipe"
    assert len(estate.payloads) > len(verbs)


@pytest.mark.parametrize(
    "intruder",
    [
        pytest.param(each, id=each.name, marks=() if each.name == "guest" else pytest.mark.long)
        for each in INTRUDERS
    ],
)
async def test_nothing_is_reachable(estate: Estate, intruder: Intruder, capsys: pytest.CaptureFixture[str]) -> None:
    attack = Attack(estate, intruder)
    await attack.prepare()
    before = await attack.theirs()
    await estate.web.town.sandbox.clear_log()
    await attack.speak()
    await attack.replay()
    await attack.edit()
    assert await attack.theirs() == before
    went_out = await estate.web.town.sandbox.log()
    assert [entry for entry in went_out if not intruder.owns or entry["status"] < 400] == []
    with capsys.disabled():
        tried = f"{len(estate.everything())} payloads, {attack.tried} requests"
        print(f"\n{intruder.name}, {estate.database}: {tried}, nothing reachable")


@pytest.mark.parametrize("role", INSIDERS)
async def test_a_role_reaches_no_further(estate: Estate, role: Role, capsys: pytest.CaptureFixture[str]) -> None:
    """What takes a greater role is neither done nor shown, in whatever words, by whatever button of the owner's."""
    web, who, tried = estate.web, INSIDERS[role], 0
    await web.say(who, "help")
    before = [(table, row) for table, row in await dump(web.database) if row.get("user_object_id") != who.object_id]
    await web.town.sandbox.clear_log()
    for command in COMMANDS:
        if not role.covers(command.least):
            refused(await web.say(who, command.titles["pt"]))
    for verb, data in estate.everything():
        needed = least(verb)
        assert needed is not None
        if not role.covers(needed):
            for form in ("execute", "submit"):
                refused(await web.press(who, verb, data, form=form))
                refused(await web.press(who, verb, {}, form=form))
                tried += 2
    after = [(table, row) for table, row in await dump(web.database) if row.get("user_object_id") != who.object_id]
    assert after == before
    assert await web.town.sandbox.log() == []
    assert tried
    with capsys.disabled():
        print(f"\n{role}, {estate.database}: {tried} requests beyond the role, nothing done")


def refused(heard: Heard) -> None:
    assert heard.status == 200
    assert {"This takes another role" in words(card) for card in heard.cards} == {True}


def least(verb: str) -> Role | None:
    """The role a verb takes, by the commands themselves."""
    return next((command.least for command in COMMANDS if command.has(verb)), None)


async def test_a_door_is_open_to_its_own_account_alone(estate: Estate) -> None:
    """What is posted for another account, or another subscription, is not heard, nor told from a wrong door."""
    web = estate.web
    account = estate.web.town.sandbox.world.saved.account.id
    before = await dump(web.database)
    tries = [
        (estates.DOOR, "900090009000", estates.SUBSCRIPTION),
        (estates.DOOR, account, "another-subscription"),
        ("no-door-at-all", account, estates.SUBSCRIPTION),
        (hashed(estates.DOOR), account, estates.SUBSCRIPTION),
    ]
    answers = [await _knock(web, *each) for each in tries]
    assert set(answers) == {(404, "")}
    assert await dump(web.database) == before
    assert (await _knock(web, estates.DOOR, account, estates.SUBSCRIPTION))[0] == 202


async def _knock(web: Web, door: str, account: str, subscription: str) -> tuple[int, str]:
    subject = {"accountId": account, "endpointId": "2001", "callId": "c1"}
    event = {"state": "connected", "eventId": uuid4().hex, "timestamp": 1_795_000_000_000, **subject}
    body = {"content": event, "subscription": {"subscriptionId": subscription}}
    async with web.town.http.post(f"{web.url}/webhooks/cloudlink/{door}", json=body) as answer:
        return answer.status, await answer.text()


async def test_a_link_to_a_file_leads_to_its_own_tenants_history_alone(estate: Estate) -> None:
    web, rows = estate.web, await dump(estate.web.database)
    private = estates.private((row for row in rows if not estates.belongs(row[1], BIA, {OWN})), BIA)
    ours, theirs = await _file(web, await _link(web, ADA)), await _file(web, await _link(web, BIA))
    assert "Ada of Vale Verde" in ours
    assert [word for word in private if word in theirs] == []
    token = (await _link(web, ADA)).rpartition("/")[2]
    other = "B" if token[20] == "A" else "A"
    edited = [token[:-2], token[:20] + other + token[21:], token[::-1]]
    for wrong in (*edited, web.encryption.encrypt("{}"), web.encryption.encrypt(HERE)):
        async with web.town.http.get(f"{web.url}/exports/{wrong}") as answer:
            assert answer.status == 404
            assert HERE not in await answer.text()


async def _link(web: Web, who: Person) -> str:
    heard = await web.press(who, "export.link", {})
    (url,) = [url for url in link_urls(heard.answer) if "/exports/" in url]
    return web.url + "/exports/" + url.rpartition("/exports/")[2]


async def _file(web: Web, url: str) -> str:
    async with web.town.http.get(url) as answer:
        assert answer.status == 200
        return await answer.text()


@pytest.mark.parametrize("path", ["metrics", "readyz", "healthz", "", "api/messages", "exports/x", "robots.txt"])
async def test_whoever_asks_without_a_token_reads_nothing_of_anybody(estate: Estate, path: str) -> None:
    private = estates.private(await dump(estate.web.database), Person("", "", ""))
    async with estate.web.town.http.get(f"{estate.web.url}/{path}") as answer:
        said = await answer.text() + str(dict(answer.headers))
    assert [word for word in (*private, HERE, THERE) if word in said] == []


class Attack:
    """All that one intruder tries; each answer is looked through at once."""

    def __init__(self, estate: Estate, intruder: Intruder) -> None:
        self._estate = estate
        self._web = estate.web
        self._intruder = intruder
        self._private: frozenset[str] = frozenset()
        self._payloads: list[Payload] = []
        self._wrong_types = cycle(WRONG_TYPES)
        self.tried = 0

    async def prepare(self) -> None:
        """Be known already; and, for who has one, an integration of their own."""
        await self._web.say(self._intruder.person, "help")
        self._private = estates.private(await self.theirs(), self._intruder.person)
        self._payloads = [(verb, self._without_names(data)) for verb, data in self._estate.everything()]
        if self._intruder.owns:
            sealed = self._web.encryption.encrypt("secret")
            own = dict.fromkeys(("cloudlink_secret_sealed", "client_secret_sealed", "webhook_token_sealed"), sealed)
            foreign = {"tenant_id": THERE, "client_id": str(uuid4()), "cloudlink_account_id": "900090009000"}
            row = integration(id=OWN, owner_tenant=THERE, name="Elsewhere", enabled=False, **own, **foreign)
            await stored(self._web.database, row)

    def _without_names(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Ids as they are; words of ours that were on a form would only come back as the intruder's own."""
        words = [word for word in self._private if not A_THING.fullmatch(word)]
        return {
            name: "theirs" if any(word in str(value) for word in words) else value for name, value in data.items()
        }

    async def theirs(self) -> list[tuple[str, dict[str, Any]]]:
        """All that is stored, but for what is the intruder's own."""
        person, rows = self._intruder.person, await dump(self._web.database)
        mine = {HERE: {"user_object_id": person.object_id}}.get(person.tenant)
        if mine:
            return [(table, row) for table, row in rows if row.get("user_object_id") != person.object_id]
        ids = {OWN}
        return [
            (table, row) for table, row in rows if not estates.belongs(row, replace(person, object_id="-"), ids)
        ]

    async def speak(self) -> None:
        for command in COMMANDS:
            for said in {*command.titles.values(), *command.aliases}:
                heard = await self._web.say(self._intruder.person, said)
                self._look(heard, {}, everybodys=command.least is Role.EVERYONE)

    async def replay(self) -> None:
        """As it was shown, in both forms; then again in comparison with what is not there."""
        for verb, data in self._payloads:
            for form in ("execute", "submit"):
                await self._press(verb, data, form)
            if self._intruder.admitted and any(A_THING.search(f"{name} {value}") for name, value in data.items()):
                await self._compare(verb, data)

    async def _compare(self, verb: str, data: Mapping[str, Any]) -> None:
        """The first try may change something of the intruder's own; the others find it as it is."""
        await self._press(verb, _fresh(_made_up(data)))
        nothing = await self._press(verb, _fresh(gone := _made_up(data)))
        found = await self._press(verb, _fresh(data))
        assert _said(found, data) == _said(nothing, gone), (verb, data)

    async def edit(self) -> None:
        for verb, found in estates.by_verb(self._payloads).items():
            for data in _edited(found[0], few=not self._intruder.admitted):
                await self._press(verb, data)
            if self._intruder.owns:
                for data in found:
                    await self._press(verb, _fresh({**data, "integration": OWN}))
            wrong = next(self._wrong_types)
            heard = await self._web.press(self._intruder.person, verb, {**found[0], "integration": wrong})
            assert (heard.status, heard.cards) == (400, ())
            self.tried += 1
        for verb in ("", "unheard.of", "command.unheard", "enable", "__class__", "x" * 1000):
            for form in ("execute", "submit"):
                await self._press(verb, self._estate.payloads[0][1], form, may_be_refused=True)

    async def _press(
        self, verb: str, data: Mapping[str, Any], form: str = "execute", may_be_refused: bool = False
    ) -> Heard:
        heard = await self._web.press(self._intruder.person, verb, data, form=form)
        if heard.status == 400 and (may_be_refused or any("\x00" in str(value) for value in data.values())):
            self.tried += 1
            return heard
        self._look(heard, data, everybodys=least(verb) is Role.EVERYONE)
        return heard

    def _look(self, heard: Heard, sent: Mapping[str, Any], everybodys: bool = False) -> None:
        """Nothing of anybody else's is in an answer, but for what the intruder put there."""
        self.tried += 1
        assert heard.status == 200
        assert heard.cards
        said = json.dumps(heard.cards, ensure_ascii=False)
        assert "Something went wrong" not in said, sent
        if not self._intruder.admitted and not everybodys:
            assert REFUSED in said
            assert len(heard.cards) <= 2
        for value in sorted((str(value) for value in sent.values()), key=len, reverse=True):
            for part in value.split(",") if value else []:
                said = said.replace(part, "") if len(part) > 5 else said
        assert [word for word in self._private if word in said] == [], sent


def _fresh(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same from a card of its own."""
    return {**data, "press": uuid4().hex[:16]} if "press" in data else dict(data)


def _made_up(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same of things that are not there."""
    return {_elsewhere(name): _elsewhere(value) for name, value in data.items()}


def _elsewhere(said: Any) -> str:
    return A_THING.sub(lambda _: uuid4().hex, str(said))


def _edited(data: Mapping[str, Any], few: bool) -> Iterator[dict[str, Any]]:
    yield {}
    if few:
        return
    for name in data:
        yield {key: value for key, value in data.items() if key != name}
        for hostile in HOSTILE:
            yield {**data, name: hostile}
    for name in IDS:
        yield {**data, name: data.get("integration", "x"), "page": "-7", "version": "2", "revision": "1"}


def _said(heard: Heard, sent: Mapping[str, Any]) -> str:
    """The answer, without what was echoed and what no two answers have alike."""
    said = json.dumps(heard.cards, ensure_ascii=False, sort_keys=True)
    for thing in A_THING.findall(json.dumps(dict(sent))):
        said = said.replace(thing, "-")
    return OURS.sub("-", said)
