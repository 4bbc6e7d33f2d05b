"""The scope and the own choice in the chat: tried, saved, refused and explained; over the real services."""

from typing import Any

import pytest

from storage.encryption import Encryption
from storage.queries import history
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import Rule, RuleKind
from sync.domain.presence import Presence
from sync.domain.services import Group
from sync.people.scope.rules import MAX_RULES, Scope, ScopeMode, scope_of
from tests.support.bot.chat import KEY, Chat
from tests.support.bot.fake_operations import real_operations
from tests.support.bot.fakes import STRANGER, TENANT, buttons, error_below, inputs, link_urls, words
from tests.support.bot.texts import EN
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.storage.stores import integration, person, read_person, stored, with_secrets

ME = "0b100000-0000-4000-8000-00000000000e"
SALES = Group("0a000000-0000-4000-8000-000000000001", "Sales, North")


class Company:
    """A chat whose tenant has one integration with three people, one of whom may be the one who writes."""

    def __init__(self, chat: Chat) -> None:
        self.chat, self.clients = chat, FakeServiceClients()
        self.encryption = Encryption([KEY])
        context = context_of(chat.database, self.clients, clock=chat.clock)
        chat.operations = real_operations(context, self.encryption)
        chat.restart()

    async def scope(self) -> Scope:
        async with self.chat.database.session() as session:
            row = await session.get(Integration, "i1")
        assert row
        return scope_of(row.scope)

    async def acts(self) -> list[tuple[str, str]]:
        async with self.chat.database.session() as session:
            return [(each.act, each.result) for each in await history.page(session, TENANT, 0, 50)]


async def test_a_mapping_for_those_whom_rules_select(company: Company) -> None:
    company.clients.graph.groups_of = {SALES: ["teams Bob"]}
    some = await company.chat.press(await company.chat.say("mapping"), "mapping.some")
    some = await company.chat.press(some, "mapping.add", {"name": "Reception"})
    async with company.chat.database.session() as session:
        row = await session.get(Integration, "i1")
    assert row
    of = {"integration": "i1", "mapping": row.further[0]["id"]}
    await company.chat.press(await company.chat.act("mapping.quiet", **of), "mapping.save")
    form = await company.chat.act("mapping.rules_show", **of)
    wrong = await company.chat.press(form, "mapping.rules_preview", {"extensions": "9-1"})
    assert EN("scope.refused.extensions_backwards", typed="9-1") in error_below(wrong, "extensions")
    tried = await company.chat.press(
        form, "mapping.rules_preview", {"extensions": "200-299", "groups": "Sales, North"}
    )
    for said in (EN("rules.come.who"), "Ana", "Bob", EN.plural("rules.now", 2), EN("scope.nothing_saved")):
        assert said in words(tried)
    back = await company.chat.press(tried, "mapping.rules_change")
    assert inputs(back)["extensions"]["value"] == "200-299"
    saved = await company.chat.press(tried, "mapping.rules_save")
    assert EN.plural("rules.saved", 2) in words(saved)
    assert EN("scope.rule.group", value="Sales, North") in words(saved)
    later = await company.chat.act("mapping.rules_save", **of, revision="3", place="1")
    assert EN("edit.outdated") in words(later)
    named = {"mapping": "Reception", "line": EN("line.on_call"), "presence": EN("shown.presenting")}
    by_group, by_range = EN("scope.rule.group", value="Sales, North"), EN("scope.rule.extensions", value="200-299")
    assert EN("why.rule.show.selected", **named, rule=by_group) in words(await company.chat.say("why Bob"))
    assert EN("why.rule.show.selected", **named, rule=by_range) in words(await company.chat.say("why Ana"))
    form = await company.chat.act("mapping.person", integration="i1", person="Bob")
    await company.chat.press(form, "mapping.choose", {"mapping": "own"})
    row_of_bob = await read_person(company.chat.database, "Bob")
    assert (row_of_bob.mapping, row_of_bob.desired) == ("", Presence.IN_A_CALL)


@pytest.mark.parametrize("command", ["scope", "mapping.rules"])
async def test_what_another_administrator_changed_meanwhile_is_not_overwritten(
    company: Company, command: str
) -> None:
    """By no way back to the form, which would be one of the newest revision."""
    chat, of = company.chat, {"integration": "i1", "mapping": "m1"}
    async with chat.database.writing() as session:
        row = await session.get(Integration, "i1")
        assert row
        row.further = [{"id": "m1", "name": "Reception", "overrides": {}, "rules": []}]
    form = await chat.act("mapping.rules_show" if command == "mapping.rules" else "scope.show", **of)
    separator = "_" if command == "mapping.rules" else "."
    preview, page, change, save = (f"{command}{separator}{verb}" for verb in ("preview", "page", "change", "save"))
    tried = await chat.press(form, preview, {"mode": "only", "extensions": "200"})
    assert save in buttons(tried)
    async with chat.database.writing() as session:
        row = await session.get(Integration, "i1")
        assert row
        row.name, row.revision = "Porto", row.revision + 1
    data = buttons(tried)[save]["data"]
    for verb, typed in ((page, {}), (change, {}), (save, {"extensions": "9-1"}), (preview, {})):
        card = await chat.act(verb, **{**data, **typed})
        assert EN("edit.outdated") in words(card), verb
        assert save not in buttons(card)


@pytest.fixture
async def company(chat: Chat) -> Company:
    made = Company(chat)
    secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
    row = with_secrets(integration(owner_tenant=TENANT, tenant_id=TENANT), made.encryption, **secrets)
    said = {"line": "on_call", "desired": Presence.IN_A_CALL, "desired_at": chat.now, "heard_at": chat.now}
    people = (
        person("Ana", extension="200", search="ana", **said),
        person("Bob", extension="300", search="bob", **said),
        person("Eva", extension="301", search="eva", **said, teams_user_id=STRANGER),
    )
    await stored(chat.database, row, *people)
    made.clients.cloudlink.connect("200", "300", "301")
    return made


def typed(**values: str) -> dict[str, str]:
    nothing = dict.fromkeys(("extensions", "addresses", "groups"), "")
    return {"mode": "only", "may_opt_out": "true", **nothing, **values}


@pytest.mark.parametrize("said", ["scope", "âmbito"])
async def test_at_first_everyone_is_shown(company: Company, said: str) -> None:
    card = await company.chat.say(said)
    shown = {name: field.get("value") for name, field in inputs(card).items()}
    assert shown == {**dict.fromkeys(shown), "mode": "everyone", "may_opt_out": "true"}
    assert EN.plural("scope.shown", 3) in words(card)


async def test_a_dry_run_stores_nothing_and_saving_stores_what_it_showed(company: Company) -> None:
    chat = company.chat
    tried = await chat.press(await chat.say("scope"), "scope.preview", typed(extensions="200-299"))
    for said in ("Bob", "Eva", "extensions 200-299", EN("scope.nothing_saved")):
        assert said in words(tried)
    assert "Ana" not in words(tried)
    assert await company.scope() == Scope()
    back = await chat.press(tried, "scope.change")
    assert inputs(back)["extensions"]["value"] == "200-299"
    saved = await chat.press(tried, "scope.save")
    assert EN("scope.saved") in words(saved)
    assert await company.scope() == Scope(ScopeMode.ONLY, (Rule(RuleKind.EXTENSIONS, "200-299"),))
    assert ("scope", "done") in await company.acts()
    late = await chat.act("scope.save", **typed(extensions="300"), integration="i1", revision="1")
    assert "scope.show" in buttons(late)
    assert await company.scope() == Scope(ScopeMode.ONLY, (Rule(RuleKind.EXTENSIONS, "200-299"),))


async def test_everyone_concerned_is_listed_in_pages(company: Company) -> None:
    more = (person(f"p{n:02}", extension="9", search=f"x{n:02}") for n in range(12))
    await stored(company.chat.database, *more)
    tried = await company.chat.press(await company.chat.say("scope"), "scope.preview", typed(extensions="200"))
    first = await company.chat.press(tried, "scope.page")
    second = await company.chat.press(first, "scope.page")
    assert [name in words(first) for name in ("Bob", "p07", "p08")] == [True, True, False]
    assert [name in words(second) for name in ("p07", "p08", "p11")] == [False, True, True]
    assert "scope.page" not in buttons(second)
    assert EN("scope.saved") in words(await company.chat.press(second, "scope.save"))


@pytest.mark.parametrize(
    ("values", "field", "key"),
    [
        ({"extensions": "299-200"}, "extensions", "extensions_backwards"),
        ({"extensions": "2xx"}, "extensions", "extensions_malformed"),
        ({"addresses": "*"}, "addresses", "address_empty"),
        ({"sites": "nowhere"}, "", "site_unknown"),
        ({"groups": "Nobody"}, "groups", "group_unknown"),
        ({"groups": "\n".join(f"Nobody {number}" for number in range(MAX_RULES + 1))}, "", "too_many"),
        ({}, "", "no_rules"),
    ],
)
async def test_a_wrong_rule_is_refused_beside_its_field(
    company: Company, values: dict[str, str], field: str, key: str
) -> None:
    card = await company.chat.press(await company.chat.say("scope"), "scope.preview", typed(**values))
    said = EN(f"scope.refused.{key}", typed=next(iter(values.values()), ""))
    assert said in (error_below(card, field) if field else words(card))
    saved = await company.chat.act("scope.save", **typed(**values), integration="i1", revision="1")
    assert said in words(saved)
    assert await company.scope() == Scope()


async def test_a_group_is_found_by_its_name_and_kept_by_its_id(company: Company) -> None:
    chat, graph = company.chat, company.clients.graph
    graph.groups_of = {SALES: [STRANGER], Group("hidden", "Board", hidden=True): []}
    form = await chat.say("scope")
    hidden = await chat.press(form, "scope.preview", typed(groups="Board"))
    assert EN("scope.refused.group_hidden", typed="Board") in error_below(hidden, "groups")
    graph.group_error = CredentialsWrong(Fault.GRAPH_FORBIDDEN, status=403)
    forbidden = await chat.press(form, "scope.preview", typed(groups="Sales, North"))
    assert "GroupMember.Read.All" in error_below(forbidden, "groups")
    assert any("CallAnAPI" in url for url in link_urls(forbidden))
    graph.group_error = None
    tried = await chat.press(form, "scope.preview", typed(groups="sales, north\n"))
    assert "members of Sales, North" in words(tried)
    graph.group_error = CredentialsWrong(Fault.GRAPH_FORBIDDEN, status=403)
    await chat.press(tried, "scope.save")
    assert await company.scope() == Scope(ScopeMode.ONLY, (Rule(RuleKind.GROUP, SALES.id, "Sales, North"),))
    assert inputs(await chat.say("scope"))["groups"]["value"] == f"Sales, North ({SALES.id})"


async def test_people_decide_about_themselves_and_administrators_see_it(company: Company) -> None:
    chat, owner = company.chat, company.chat.person
    chat.person = STRANGER
    eva = await read_person(chat.database, "Eva")
    await stored(chat.database, eva.sqlmodel_update({"status_message": "On the phone"}))
    asked = await chat.say("stop showing my calls")
    assert not (await read_person(chat.database, "Eva")).opted_out
    done = await chat.press(asked, "opt_out.stop")
    assert EN("opt_out.stopped") in words(done)
    row: Person = await read_person(chat.database, "Eva")
    assert (row.opted_out, row.due_at, row.status_due_at) == (True, chat.now, chat.now)
    assert "opt_out.show" in buttons(await chat.say("my presence"))
    chat.person = owner
    assert "Eva" in words(await chat.act("people.page", integration="i1", filter="opted_out"))
    assert EN("people.opted_out")[1:] in words(await chat.say("people Eva"))
    assert EN("why.reason.opted_out") in words(await chat.say("why Eva"))
    assert ("opt_out", "done") in await company.acts()
    chat.person = STRANGER
    shown = await chat.press(done, "opt_out.show")
    assert EN("opt_out.shown") in words(shown)
    assert not (await read_person(chat.database, "Eva")).opted_out


async def test_an_administrator_may_forbid_it_which_ends_what_people_chose(company: Company) -> None:
    chat, owner = company.chat, company.chat.person
    chat.person = STRANGER
    await chat.act("opt_out.stop")
    chat.person = owner
    wanted: dict[str, Any] = {"mode": "everyone", "may_opt_out": "false"}
    tried = await chat.press(await chat.say("scope"), "scope.preview", wanted)
    assert "Eva" in words(tried)
    await chat.press(tried, "scope.save")
    await chat.operations.scopes.apply("i1")
    assert not (await read_person(chat.database, "Eva")).opted_out
    chat.person = STRANGER
    refused = await chat.act("opt_out.stop")
    assert EN("opt_out.forbidden") in words(refused)
    assert not (await read_person(chat.database, "Eva")).opted_out
    assert ("opt_out", "opt_out_forbidden") in await company.acts()


async def test_who_is_in_no_integration_decides_nothing(company: Company) -> None:
    company.chat.person = ME
    assert EN("why.me.none") in words(await company.chat.act("opt_out.stop"))
    assert not [act for act in await company.acts() if act[0].startswith("opt")]


async def test_in_public_nothing_is_said_about_anyone(company: Company) -> None:
    company.chat.person, company.chat.personal = STRANGER, False
    for answer in (await company.chat.say("stop showing my calls"), await company.chat.act("opt_out.stop")):
        assert EN("personal.please") in words(answer)
    assert not (await read_person(company.chat.database, "Eva")).opted_out


async def test_why_names_the_rule_and_leads_to_the_scope(company: Company) -> None:
    rules = Scope(ScopeMode.EXCEPT, (Rule(RuleKind.GROUP, SALES.id, SALES.name),))
    async with company.chat.database.writing() as session:
        row = await session.get(Integration, "i1")
        assert row
        row.scope = rules.as_json()
    ana = await read_person(company.chat.database, "Ana")
    await stored(company.chat.database, ana.sqlmodel_update({"outside": f"group:{SALES.id}"}))
    card = await company.chat.say("why Ana")
    exception = EN("why.exception", rule="members of Sales, North")
    assert EN("why.reason.outside", rule=exception) in words(card)
    assert "scope.show" in buttons(card)
    assert EN("people.outside")[1:] in words(await company.chat.say("people Ana"))
    assert "Ana" in words(await company.chat.act("people.page", integration="i1", filter="outside"))
