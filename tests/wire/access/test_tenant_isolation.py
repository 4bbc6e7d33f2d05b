"""Tenants are isolated: whatever is pressed, replayed or edited, no one reaches another tenant's data.

The attempts come from the product itself: every command, every verb, and every button its administrators were
really shown. The answer about another tenant's item equals the answer about an item that does not exist.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain, cycle, product
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
import pytest_asyncio

from bot.chat.exports.links import (
    FILE,
    ExportLinks,
    ExportRequest,
)
from bot.commands import COMMANDS
from bot.languages import Language
from core.clock import utc_now
from storage.database import Database
from storage.tables.integrations import Integration
from sync.credentials import service as credential_service
from sync.domain.roles import Role
from sync.phones.subscriptions import hashed
from sync.teams.host_credentials import HostCredentials
from tests.support.bot.fakes import link_urls, words
from tests.support.bot.texts import EN, PT
from tests.support.storage.stores import (
    EACH,
    POSTGRESQL,
    SQLITE,
    integration,
    module_database,
    stored,
    with_secrets,
)
from tests.wire.access import tenant_data
from tests.wire.access.tenant_data import IDS, Payload
from tests.wire.access.verb_effects import CHANGES, READS
from tests.wire.bot_process import (
    BotProcess,
    Person,
    Reply,
    all_rows,
    open_bot_process,
    open_surroundings,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600), pytest.mark.long]

TENANT, OTHER_TENANT = "aaaaaaaa-0000-4000-8000-00000000000a", "bbbbbbbb-0000-4000-8000-00000000000b"
ADA = Person(TENANT, "ada00000-0000-4000-8000-000000000001", "Ada of Vale Verde")
RUI = Person(TENANT, "0a100000-0000-4000-8000-000000000002", "Rui of Vale Verde")
BIA = Person(OTHER_TENANT, "b1a00000-0000-4000-8000-000000000003", "Bia from elsewhere")
STRANGER = Person(TENANT, "57a00000-0000-4000-8000-000000000005", "Sol the stranger")
OWN = "an-integration-of-their-own"
FORMS = ("execute", "submit")
REFUSED = ("For administrators only", PT("refused.title"))
"""In the language of what was typed."""


@dataclass(frozen=True, slots=True)
class Intruder:
    """A person who tries everything.

    ``admitted``: may use the bot in their tenant; ``owns`` an integration there: their edited buttons get furthest.
    Those who try on ``each_database`` reach every query that the others reach.
    """

    name: str
    person: Person
    admitted: bool = False
    owns: bool = False
    each_database: bool = False


INTRUDERS = (
    Intruder(
        "administrator of ours who speaks from another tenant",
        replace(ADA, tenant=OTHER_TENANT, name="Ada abroad"),
        admitted=True,
    ),
    Intruder("stranger", STRANGER, each_database=True),
    Intruder(
        "stranger of another tenant",
        Person(OTHER_TENANT, "57b00000-0000-4000-8000-000000000006", "Tom the stranger"),
    ),
)
OWNER = Intruder("administrator of another tenant with an integration", BIA, admitted=True, owns=True)
ATTACKS = [
    pytest.param(database, intruder, id=f"{database}-{intruder.name}")
    for database, intruder in product((SQLITE, POSTGRESQL), INTRUDERS)
    if database == SQLITE or intruder.each_database
]

INSIDERS: Mapping[Role, Person] = {
    Role.VIEWER: Person(TENANT, "71e00000-0000-4000-8000-000000000007", "Vera the viewer"),
    Role.ADMINISTRATOR: Person(TENANT, "ad100000-0000-4000-8000-000000000008", "Adam the administrator"),
}
"""The roles that may do some things but not all; a new role belongs here too."""

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
    "remove.progress": ("integration", "name"),
    "auto_rotate.off": ("integration",),
    "certificate.use": ("integration", "revision"),
    "history.page": ("integration", "page"),
    "drill.step": ("integration", "rehearsal", "step"),
    "messages.save": ("integration", "revision", "text_on_call", "text_ringing"),
    "integrations.page": ("page",),
    "admins.demote": ("member", "was", "role"),
    "claim.now": ("code",),
    "export_people.link": ("integration",),
    "import_people.show": ("integration",),
    "import_people.paste": ("integration", "lines"),
    "import_people.page": ("import", "after"),
    "import_people.apply": ("import",),
    "import_people.cancel": (),
    "mapping.remove": ("integration", "mapping", "revision"),
    "mapping.person": ("integration", "person"),
    "mapping.choose": ("integration", "person", "choices", "mapping"),
    **{
        f"mapping.rules_{verb}": ("integration", "mapping", "revision", "extensions", "place")
        for verb in ("show", "change", "preview", "page", "save")
    },
    "people.page": ("integration", "filter", "words", "after"),
    "person.include": ("integration", "person", "choices"),
    "scope.change": ("integration", "revision"),
    "scope.page": ("integration", "revision"),
    "scope.save": ("integration", "revision"),
    "opt_out.stop": (),
    "opt_out.show": (),
    "person.unmatch": ("integration", "person", "choices"),
    "update.undo": ("integration", "version"),
    "update.done": ("integration", "version"),
}
"""The fields of verbs that no card of the target offers."""

ID_PATTERN = re.compile(r"(?:(?:rotation|monitor)-of-)?[0-9a-f]{32}|monitor-of-[a-z-]+")
"""The shape of the tenant's ids."""

SEES_REMOVED = ("history.show", "history.page", "history.filter", "export.link", "export.text", "remove.progress")
"""The verbs that know removed integrations, in their own tenant."""

HOSTILE = ("", "-1", "9" * 40, "' OR 1=1 --", "🎈" * 999, "a\x00b")
HOSTILE_TO_SQLITE = ("9" * 40, "' OR 1=1 --")
"""A number beyond its own; PostgreSQL refuses more, so the others are sent to that."""
WRONG_TYPES: tuple[Any, ...] = ([], ["x"], {}, {"$ne": ""}, "x" * 5000)
OURS = re.compile(r"[0-9a-f]{32}|(?<=\"press\": \")[^\"]*|(?<=/exports/)[^\"]*")


COUNTED_LATER = {"delaycount", "hourfigure"}
"""Tables that are written some seconds after what they count."""


async def rows_of(database: Database) -> list[tuple[str, dict[str, Any]]]:
    return await all_rows(database, but=COUNTED_LATER)


@dataclass
class Target:
    """The attacked tenant; ``removed`` is the id of a removed integration, ``tried`` counts the requests sent."""

    bot: BotProcess
    payloads: list[Payload]
    removed: str
    tried: dict[str, int] = field(default_factory=dict)

    @property
    def database(self) -> str:
        return self.bot.database.engine.dialect.name

    def everything(self) -> list[Payload]:
        """The buttons shown, and by recipe the rest."""
        known = tenant_data.by_verb(self.payloads)
        sample = {name: value for _, data in self.payloads for name, value in data.items()}
        made = [(verb, {name: sample.get(name, "1") for name in names}) for verb, names in RECIPES.items()]
        return [*self.payloads, *(payload for payload in made if payload[0] not in known)]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=EACH)
async def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Target]:
    folder = tmp_path_factory.mktemp("tenants")
    with pytest.MonkeyPatch.context() as monkeypatch, ExitStack() as databases:
        url = databases.enter_context(module_database(request.param, folder))
        async with AsyncExitStack() as stack:
            monkeypatch.setattr(credential_service, "FOLLOW_TIMEOUT", 0)
            surroundings = await stack.enter_async_context(open_surroundings(monkeypatch))
            host = HostCredentials(folder / "host.pem", federated_token_file=folder / "token")
            admins = (ADA.object_id, RUI.object_id, BIA.object_id)
            bot = await stack.enter_async_context(
                open_bot_process(surroundings, url, admins, (TENANT, OTHER_TENANT), host=host)
            )
            removed = await tenant_data.store(bot, ADA, RUI, INSIDERS)
            yield Target(bot, await tenant_data.shown_buttons(bot, ADA, RUI), removed)


async def test_every_verb_is_known_and_has_a_payload(target: Target) -> None:
    verbs = {verb for command in COMMANDS for verb in command.actions}
    assert verbs == READS | CHANGES
    tried = set(tenant_data.by_verb(target.everything()))
    assert verbs - tried == set(), "not shown on any card: add a recipe"
    assert len(target.payloads) > len(verbs)


@pytest.mark.parametrize(("target", "intruder"), ATTACKS, indirect=["target"], scope="module")
async def test_an_intruder_reaches_nothing(
    target: Target, intruder: Intruder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await went_out(target, intruder, capsys) == []


async def went_out(target: Target, intruder: Intruder, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The requests that services met during an attack, which must change no row of others."""
    attack = Attack(target, intruder)
    await attack.prepare()
    before = await attack.others_rows()
    await target.bot.surroundings.sandbox.clear_log()
    await attack.try_commands()
    await attack.replay_buttons()
    await attack.send_edited()
    assert await attack.others_rows() == before
    with capsys.disabled():
        tried = f"{len(attack.payloads)} payloads, {attack.tried} requests"
        print(f"\n{intruder.name}, {target.database}: {tried}, nothing reachable")
    log: list[dict[str, Any]] = await target.bot.surroundings.sandbox.log()
    return log


@pytest.mark.parametrize("target", [SQLITE], indirect=True, scope="module")
@pytest.mark.parametrize("role", INSIDERS)
async def test_a_role_cannot_do_more_than_it_allows(
    target: Target, role: Role, capsys: pytest.CaptureFixture[str]
) -> None:
    """What needs a greater role is neither done nor shown, by any command or button of the owner.

    It is refused before any query of its own, so one database is enough.
    """
    bot, who, tried = target.bot, INSIDERS[role], 0
    await bot.say(who, "help")
    before = [
        (table, row) for table, row in await rows_of(bot.database) if row.get("user_object_id") != who.object_id
    ]
    await bot.surroundings.sandbox.clear_log()
    for command in COMMANDS:
        if not role.covers(command.least):
            refused(await bot.say(who, command.titles["pt"]))
    for verb, found in tenant_data.by_verb(target.everything()).items():
        needed = least_role(verb)
        assert needed is not None
        if not role.covers(needed):
            for data, form in (*product((found[0], {}), FORMS), *product(found[1:], FORMS[:1])):
                refused(await bot.press(who, verb, data, form=form))
                tried += 1
    after = [
        (table, row) for table, row in await rows_of(bot.database) if row.get("user_object_id") != who.object_id
    ]
    assert after == before
    assert await bot.surroundings.sandbox.log() == []
    assert tried
    with capsys.disabled():
        print(f"\n{role}, {target.database}: {tried} requests beyond the role, nothing done")


def refused(reply: Reply) -> None:
    assert reply.status == 200
    titles = (EN("not_for_role.title"), PT("not_for_role.title"))
    assert {any(title in words(card) for title in titles) for card in reply.cards} == {True}


def least_role(verb: str) -> Role | None:
    """The least role a verb needs, according to its command."""
    return next((command.least for command in COMMANDS if command.has(verb)), None)


async def test_a_webhook_endpoint_accepts_its_own_account_only(target: Target) -> None:
    """An event for another account or subscription is refused in the same way as a wrong token."""
    bot = target.bot
    account = target.bot.surroundings.sandbox.world.saved.account.id
    before = await rows_of(bot.database)
    tries = [
        (tenant_data.WEBHOOK_TOKEN, "900090009000", tenant_data.SUBSCRIPTION),
        (tenant_data.WEBHOOK_TOKEN, account, "another-subscription"),
        ("unknown-token", account, tenant_data.SUBSCRIPTION),
        (hashed(tenant_data.WEBHOOK_TOKEN), account, tenant_data.SUBSCRIPTION),
    ]
    answers = [await _post_event(bot, *each) for each in tries]
    assert set(answers) == {(404, "")}
    assert await rows_of(bot.database) == before
    assert (await _post_event(bot, tenant_data.WEBHOOK_TOKEN, account, tenant_data.SUBSCRIPTION))[0] == 202


async def _post_event(bot: BotProcess, token: str, account: str, subscription: str) -> tuple[int, str]:
    subject = {"accountId": account, "endpointId": "2001", "callId": "c1"}
    event = {"state": "connected", "eventId": uuid4().hex, "timestamp": 1_795_000_000_000, **subject}
    body = {"content": event, "subscription": {"subscriptionId": subscription}}
    async with bot.surroundings.http.post(f"{bot.url}/webhooks/cloudlink/{token}", json=body) as answer:
        return answer.status, await answer.text()


async def test_an_export_link_returns_its_own_tenants_history_only(target: Target) -> None:
    bot, private = target.bot, await _private_for_bia(target)
    ours, others_rows = await _file(bot, await _link(bot, ADA)), await _file(bot, await _link(bot, BIA))
    assert "Ada of Vale Verde" in ours
    assert [word for word in private if word in others_rows] == []
    token = (await _link(bot, ADA)).rpartition("/")[2]
    other = "B" if token[20] == "A" else "A"
    edited = [token[:-2], token[:20] + other + token[21:], token[::-1]]
    for wrong in (*edited, bot.encryption.encrypt("{}", FILE), bot.encryption.encrypt(TENANT, FILE)):
        async with bot.surroundings.http.get(f"{bot.url}/exports/{wrong}") as answer:
            assert answer.status == 404
            assert TENANT not in await answer.text()


async def test_an_export_of_another_tenants_integration_holds_nothing_of_it(target: Target) -> None:
    """No file and no page, for another tenant's administrator or for a person of the tenant who has no role."""
    bot, private, answered = target.bot, await _private_for_bia(target), set[str]()
    await bot.say(BIA, "help")
    links = ExportLinks(bot.encryption, utc_now, public_url=bot.url)
    named = {data["integration"] for _, data in target.payloads if "integration" in data}
    ids = (*filter(ID_PATTERN.fullmatch, sorted(named)), target.removed, uuid4().hex, "")
    before = await _rows_not_of_bia(bot)
    for who, name in product((BIA, STRANGER), ids):
        about = (who.tenant, who.object_id, Language.ENGLISH, name)
        files = [("GET", links.create(ExportRequest(*about, file), "")) for file in bot.files]
        pages = [(method, links.create(ExportRequest(*about), "", path)) for method, path in bot.pages]
        for method, url in (*files, *pages):
            async with bot.surroundings.http.request(method, url) as answer:
                said = await answer.text(errors="replace")
                assert who is BIA or answer.status == 404, url
                answered |= {method} if answer.status == 200 else set()
            assert [word for word in private if word in said] == [], (who.name, name)
    assert answered, "she reads her own, so that another's could be in it"
    assert await _rows_not_of_bia(bot) == before


async def test_a_removed_integration_is_nobodys(target: Target) -> None:
    """Its id answers as an id that never existed: for another tenant, and for its former owner."""
    bot = target.bot
    private = await _private_for_bia(target)
    verbs = {verb: found[0] for verb, found in tenant_data.by_verb(target.everything()).items()}
    for who in (BIA, ADA):
        await bot.say(who, "help")
    for who, (verb, data) in product((BIA, ADA), verbs.items()):
        if "integration" in data and verb not in SEES_REMOVED:
            same = _with_unknown_ids(data)
            tries = [_with_new_press_id(same) | {"integration": name} for name in (target.removed, "0" * 32)]
            one, other = [_comparable(await bot.press(who, verb, each), each) for each in tries]
            assert one == other, verb
            assert who is ADA or not [word for word in private - {target.removed} if word in one]


async def test_the_hosts_credentials_are_refused_for_another_tenants_application(target: Target) -> None:
    """Whose own secret for it is not accepted: nothing is sent, nothing is switched."""
    bot = target.bot
    registration = bot.surroundings.sandbox.world.saved.registration
    row = integration(
        id="with-their-application",
        owner_tenant=OTHER_TENANT,
        name="Elsewhere too",
        enabled=False,
        tenant_id=registration.tenant_id,
        client_id=registration.client_id,
    )
    columns = ("cloudlink_secret_sealed", "client_secret_sealed", "webhook_token_sealed")
    await stored(bot.database, with_secrets(row, bot.encryption, **dict.fromkeys(columns, "guessed")))
    await bot.surroundings.sandbox.clear_log()
    for verb in ("certificate.host", "certificate.federated"):
        reply = await bot.press(BIA, verb, {"integration": row.id, "revision": "1"})
        assert reply.status == 200
    tokens = [entry for entry in await bot.surroundings.sandbox.log() if entry["method"] == "POST"]
    assert {entry["status"] for entry in tokens} <= {400, 401}
    async with bot.database.writing() as session:
        current = await session.get(Integration, row.id)
        assert current
        assert (current.credential, current.host_proven_for) == ("secret", "")
        await session.delete(current)


async def test_a_press_of_another_tenants_card_uses_nothing_up_and_changes_no_card_there(target: Target) -> None:
    bot = target.bot
    verb, data = next(each for each in target.payloads if each[0] == "alerts.save" and "press" in each[1])
    rows = [row for table, row in await rows_of(bot.database) if table == "conversation"]
    theirs = [quote(row["conversation_id"]) for row in rows if row["tenant_id"] == TENANT]
    before = len(bot.surroundings.connector.calls)
    await bot.press(BIA, verb, data, card_id="card-of-ada")
    assert theirs
    paths = [call.path for call in bot.surroundings.connector.calls[before:]]
    assert [path for path in paths if any(f"/{name}/" in path for name in theirs)] == []
    first, second = [words(card) for card in [(await bot.press(ADA, verb, data)).answer for _ in range(2)]]
    assert EN("pressed.once") not in first
    assert EN("pressed.once") in second


async def _private_for_bia(target: Target) -> frozenset[str]:
    return tenant_data.private_words(await _rows_not_of_bia(target.bot), BIA)


async def _rows_not_of_bia(bot: BotProcess) -> list[tuple[str, dict[str, Any]]]:
    return [row for row in await rows_of(bot.database) if not tenant_data.belongs(row[1], BIA, {OWN})]


async def _link(bot: BotProcess, who: Person, **data: str) -> str:
    reply = await bot.press(who, "export.link", data)
    (url,) = [url for url in link_urls(reply.answer) if "/exports/" in url]
    return bot.url + "/exports/" + url.rpartition("/exports/")[2]


async def _file(bot: BotProcess, url: str) -> str:
    async with bot.surroundings.http.get(url) as answer:
        assert answer.status == 200
        return await answer.text()


@pytest.mark.parametrize("path", ["metrics", "readyz", "healthz", "", "api/messages", "exports/x", "robots.txt"])
async def test_a_request_without_a_token_reads_no_private_data(target: Target, path: str) -> None:
    private = tenant_data.private_words(await rows_of(target.bot.database), Person("", "", ""))
    said = ""
    for url in (target.bot.url, target.bot.operations_url):
        async with target.bot.surroundings.http.get(f"{url}/{path}") as answer:
            said += await answer.text() + str(dict(answer.headers))
    assert [word for word in (*private, TENANT, OTHER_TENANT) if word in said] == []


async def test_an_intruder_with_an_integration_reaches_nothing(
    target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last one: what they set up keeps asking the services, which refuse it."""
    assert [entry for entry in await went_out(target, OWNER, capsys) if entry["status"] < 400] == []


class Attack:
    """All attempts of one intruder; each response is checked immediately."""

    def __init__(self, target: Target, intruder: Intruder) -> None:
        self._target = target
        self._bot = target.bot
        self._intruder = intruder
        self._private: frozenset[str] = frozenset()
        self.payloads: list[Payload] = []
        self._wrong_types = cycle(WRONG_TYPES)
        self._hostile = cycle(HOSTILE)
        self._edited_names = {*IDS, "press"}
        self.tried = 0

    async def prepare(self) -> None:
        """Make the intruder known, with an integration of their own if they have one."""
        await self._bot.say(self._intruder.person, "help")
        self._private = tenant_data.private_words(await self.others_rows(), self._intruder.person)
        self.payloads = [(verb, self._without_names(data)) for verb, data in self._reaching_queries()]
        if self._intruder.owns:
            columns = ("cloudlink_secret_sealed", "client_secret_sealed", "webhook_token_sealed")
            secrets = dict.fromkeys(columns, "secret")
            foreign = {"tenant_id": OTHER_TENANT, "client_id": str(uuid4()), "cloudlink_account_id": "900090009000"}
            row = integration(id=OWN, owner_tenant=OTHER_TENANT, name="Elsewhere", enabled=False, **foreign)
            await stored(self._bot.database, with_secrets(row, self._bot.encryption, **secrets))

    @property
    def _reaches_each_path(self) -> bool:
        """Whether nothing before the queries is to be tried here: it is the same on each database."""
        return self._target.database == SQLITE

    def _reaching_queries(self) -> list[Payload]:
        """Every button for one who owns an integration, on SQLite. Others get one of a verb and its fields.

        What else differs is the id. On PostgreSQL a stranger is refused before.
        """
        payloads = self._target.everything()
        if self._reaches_each_path and self._intruder.owns:
            return payloads
        by_query = {(verb, frozenset(data)): (verb, data) for verb, data in payloads}.values()
        reaching = self._intruder.admitted or self._reaches_each_path
        return [each for each in by_query if reaching or least_role(each[0]) is Role.EVERYONE]

    def _without_names(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Ids stay; private words on a form are replaced, since the response would echo them."""
        words = [word for word in self._private if not ID_PATTERN.fullmatch(word)]
        return {
            name: "theirs" if any(word in str(value) for word in words) else value for name, value in data.items()
        }

    async def others_rows(self) -> list[tuple[str, dict[str, Any]]]:
        """All stored rows except the intruder's own."""
        person, rows = self._intruder.person, await rows_of(self._bot.database)
        mine = {TENANT: {"user_object_id": person.object_id}}.get(person.tenant)
        if mine:
            return [(table, row) for table, row in rows if row.get("user_object_id") != person.object_id]
        ids = {OWN}
        return [
            (table, row) for table, row in rows if not tenant_data.belongs(row, replace(person, object_id="-"), ids)
        ]

    async def try_commands(self) -> None:
        for command in COMMANDS:
            for said in set(command.titles.values()):
                reply = await self._bot.say(self._intruder.person, said)
                self._check(reply, {}, for_everyone=command.least is Role.EVERYONE)

    async def replay_buttons(self) -> None:
        """Each button as shown, each verb in both forms; then compared with the same button for unknown ids."""
        for verb, found in tenant_data.by_verb(self.payloads).items():
            if self._reaches_each_path:
                await self._press(verb, found[0], "submit")
            for data in found:
                await self._press(verb, data)
                if self._is_compared and any(map(ID_PATTERN.search, map(" ".join, data.items()))):
                    await self._compare(verb, data)

    @property
    def _is_compared(self) -> bool:
        return self._intruder.admitted and self._reaches_each_path

    async def _compare(self, verb: str, data: Mapping[str, Any]) -> None:
        """An earlier attempt may have changed something of the intruder's own; these find it unchanged."""
        missing = await self._press(verb, _with_new_press_id(unknown := _with_unknown_ids(data)))
        found = await self._press(verb, _with_new_press_id(data))
        assert _comparable(found, data) == _comparable(missing, unknown), (verb, data)

    async def send_edited(self) -> None:
        """One who is not admitted is refused for the verb, whatever the button sends."""
        for verb, found in tenant_data.by_verb(self.payloads).items() if self._intruder.admitted else ():
            await self._press(verb, {})
            if self._intruder.owns:
                of_their_own = (_with_new_press_id(each) | {"integration": OWN} for each in found)
                for data in chain(_edited(found[0], self._hostile_values), of_their_own):
                    await self._press(verb, data)
                await self._send_wrong_type(verb, found[0])
        for verb in ("", "unheard.of", "command.unheard", "enable", "__class__", "x" * 1000):
            for form in FORMS:
                await self._press(verb, self._target.payloads[0][1], form, may_be_refused=True)

    def _hostile_values(self, name: str) -> Sequence[str]:
        """All where a field first occurs, then one in turn: it is read in one place for all verbs, as ids are."""
        if name in self._edited_names:
            return [next(self._hostile)]
        self._edited_names.add(name)
        return HOSTILE if self._target.database != SQLITE else HOSTILE_TO_SQLITE

    async def _send_wrong_type(self, verb: str, data: Mapping[str, Any]) -> None:
        """It is refused where it is read, before it is known who sent it."""
        wrong = next(self._wrong_types)
        reply = await self._bot.press(self._intruder.person, verb, {**data, "integration": wrong})
        assert (reply.status, reply.cards) == (400, ())
        self.tried += 1

    async def _press(
        self, verb: str, data: Mapping[str, Any], form: str = "execute", may_be_refused: bool = False
    ) -> Reply:
        reply = await self._bot.press(self._intruder.person, verb, data, form=form)
        if reply.status == 400 and (may_be_refused or any("\x00" in str(value) for value in data.values())):
            self.tried += 1
            return reply
        self._check(reply, data, for_everyone=least_role(verb) is Role.EVERYONE)
        return reply

    def _check(self, reply: Reply, sent: Mapping[str, Any], for_everyone: bool = False) -> None:
        """No private word is in a response, except what the intruder sent."""
        self.tried += 1
        assert reply.status == 200
        assert reply.cards
        said = json.dumps(reply.cards, ensure_ascii=False)
        assert "Something went wrong" not in said, sent
        if not self._intruder.admitted and not for_everyone:
            assert any(title in said for title in REFUSED)
            assert len(reply.cards) <= 2
        for value in sorted((str(value) for value in sent.values()), key=len, reverse=True):
            for part in value.split(",") if value else []:
                said = said.replace(part, "") if len(part) > 5 else said
        assert [word for word in self._private if word in said] == [], sent


def _with_new_press_id(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same data from a card of its own."""
    return {**data, "press": uuid4().hex[:16]} if "press" in data else dict(data)


def _with_unknown_ids(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same data with ids that do not exist."""
    return {_unknown_id(name): _unknown_id(value) for name, value in data.items()}


def _unknown_id(said: Any) -> str:
    return ID_PATTERN.sub(lambda _: uuid4().hex, str(said))


def _edited(data: Mapping[str, Any], hostile_values: Callable[[str], Sequence[str]]) -> Iterator[dict[str, Any]]:
    """Each field left out and with its hostile values, then each id replaced by one of another kind."""
    for name in data:
        yield {key: value for key, value in data.items() if key != name}
        for hostile in hostile_values(name):
            yield _with_new_press_id(data) | {name: hostile}
    for names in (*((name,) for name in IDS if name in data), IDS):
        wrong = dict.fromkeys(names, data.get("integration", "x"))
        yield _with_new_press_id(data) | wrong | {"page": "-7", "version": "2", "revision": "1"}


def _comparable(reply: Reply, sent: Mapping[str, Any]) -> str:
    """The response without echoed values and values that always differ."""
    said = json.dumps(reply.cards, ensure_ascii=False, sort_keys=True)
    for thing in ID_PATTERN.findall(json.dumps(dict(sent))):
        said = said.replace(thing, "-")
    return OURS.sub("-", said)
