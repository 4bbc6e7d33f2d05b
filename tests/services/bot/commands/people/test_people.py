"""People in the chat: listed, found, explained and changed, over the real services and a real file."""

from datetime import timedelta
from typing import Any

import pytest

from bot.activity import Card
from core.text import searchable
from storage.encryption import Encryption
from storage.queries import history
from storage.tables.people import Person
from storage.tables.roles import Member
from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.people import PeopleFilter
from sync.domain.presence import Presence, Shown
from sync.domain.roles import Role
from sync.teams.directory import TeamsUser
from tests.support.bot.chat import KEY, Chat
from tests.support.bot.fake_operations import real_operations
from tests.support.bot.fakes import STRANGER, TENANT, buttons, words
from tests.support.bot.texts import EN, PT
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.storage.stores import integration, person, read_person, stored, with_secrets

CALL = Presence.IN_A_CALL
MANY = 25


class People:
    """A chat whose tenant has one integration with people."""

    def __init__(self, chat: Chat) -> None:
        self.chat, self.clients = chat, FakeServiceClients()
        encryption = Encryption([KEY])
        chat.operations = real_operations(context_of(chat.database, self.clients, clock=chat.clock), encryption)
        chat.restart()
        self.encryption = encryption

    async def store(self, *rows: Person) -> None:
        await stored(self.chat.database, *rows)

    def person(self, key: str, name: str, **values: Any) -> Person:
        row = person(key, **values).sqlmodel_update({"name": name})
        return row.sqlmodel_update({"search": searchable(name, row.address, row.extension)})

    def talking(self, key: str, name: str, **values: Any) -> Person:
        now = self.chat.now
        self.clients.cloudlink.connect(f"ext {key}")
        said = {"line": "on_call", "desired": CALL, "desired_at": now, "heard_at": now}
        applied = {
            "applied": CALL,
            "applied_user_id": f"teams {key}",
            "applied_at": now,
            "applied_until": now + timedelta(hours=4),
        }
        return self.person(key, name, **{**said, **applied, **values})


@pytest.fixture
async def people(chat: Chat) -> People:
    made = People(chat)
    row = integration(owner_tenant=TENANT, tenant_id=TENANT)
    secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
    await stored(chat.database, with_secrets(row, made.encryption, **secrets))
    return made


def names(card: Card) -> list[str]:
    """Who can be opened on the card, in order."""
    found = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            action = value.get("selectAction")
            if action:
                found.append(action["data"]["person"])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(card["body"])
    return found


def pick(card: Card, key: str) -> dict[str, str]:
    """What pressing a person on the card sends."""
    return {"integration": "i1", "person": key} if key in names(card) else {}


async def become(chat: Chat, role: Role) -> None:
    member = Member(owner_tenant=TENANT, user_object_id=STRANGER, role=role, invited_at=chat.now)
    await stored(chat.database, member)
    chat.person = STRANGER
    await chat.say("hello")


async def test_people_are_ten_a_page_in_the_order_of_their_names(people: People) -> None:
    await people.store(*(people.person(f"p{n:02}", f"Person {n:02}") for n in range(MANY)))
    first = await people.chat.say("people")
    assert names(first) == [f"p{n:02}" for n in range(10)]
    second = await people.chat.press(first, "people.page")
    assert names(second) == [f"p{n:02}" for n in range(10, 20)]
    pages = [button for button in buttons(second) if button == "people.page"]
    assert pages
    last = await people.chat.act("people.page", integration="i1", after="p19")
    assert names(last) == [f"p{n:02}" for n in range(20, 25)]
    assert names(await people.chat.act("people.page", integration="i1", before="p20")) == names(second)


async def test_of_two_integrations_each_person_says_whose_they_are(people: People) -> None:
    """Two people of one name and extension, and one who is in both integrations."""
    await people.store(people.person("p1", "Ana Martins", extension="2001"))
    assert "Vale Verde" not in words(await people.chat.say("why ana"))
    await stored(people.chat.database, integration(id="i2", owner_tenant=TENANT, tenant_id=TENANT, name="Porto"))
    other = people.person("p2", "Ana Martins", extension="2001", integration_id="i2")
    await people.store(other)
    which = words(await people.chat.say("exclude ana martins"))
    assert ("Vale Verde" in which, "Porto" in which) == (True, True)
    for key, name in (("i1", "Vale Verde"), ("i2", "Porto")):
        one = {"integration": key, "person": f"p{key[1]}"}
        for verb in ("people.open", "why.show", "person.match", "person.exclude", "mapping.person"):
            assert name in words(await people.chat.act(verb, **one)), verb


async def test_beside_a_name_an_integration_is_named_of_whose_people_it_is(people: People) -> None:
    """Someone who is called so comes first."""
    await stored(
        people.chat.database, integration(id="i2", owner_tenant=TENANT, tenant_id=TENANT, name="Porto Office")
    )
    other = people.person("p2", "Ana Martins", integration_id="i2")
    await people.store(people.person("p1", "Ana Martins"), other, people.person("p3", "Rui Vale"))
    for said in ("people porto", "pessoas da Porto Office", "porto people"):
        assert names(await people.chat.say(said)) == ["p2"], said
    for said in ("why ana martins porto office", "why ana of porto", "porto: exclude ana"):
        assert "Which person?" not in (card := words(await people.chat.say(said))), said
        assert "Porto Office" in card, said
    assert "Rui Vale" in words(await people.chat.say("people vale"))
    assert "Nobody found for “zacarias porto”" in words(await people.chat.say("people zacarias porto"))


async def test_of_a_cleared_person_the_card_says_that_the_phone_was_forgotten(people: People) -> None:
    await people.store(people.talking("p1", "Ana Martins"), people.person("p2", "Rui Vale"))
    await people.chat.act("person.clear", integration="i1", person="p1")
    said = words(await people.chat.say("people ana"))
    assert EN("person.device.cleared") in said
    assert EN("person.device.unknown") not in said
    assert EN("person.device.unknown") in words(await people.chat.say("people rui"))


async def test_who_is_in_two_integrations_reads_of_each_by_its_name(people: People) -> None:
    await stored(people.chat.database, integration(id="i2", owner_tenant=TENANT, tenant_id=TENANT, name="Porto"))
    mine = {"teams_user_id": people.chat.person}
    await people.store(people.person("p1", "Ana", **mine), people.person("p2", "Ana", integration_id="i2", **mine))
    said = words(await people.chat.say("my presence"))
    assert ("Vale Verde" in said, "Porto" in said) == (True, True)


@pytest.mark.parametrize(
    "typed",
    [
        "unmatched",
        "who is left out",
        "who is not synced",
        "quem fica de fora",
        "quem não está sincronizado",
        "Quem nao esta sincronizado?",
        "pessoas de fora",
        "show me the people that are left out",
    ],
)
async def test_who_is_left_out_is_asked_in_many_ways(people: People, typed: str) -> None:
    await people.store(
        people.person("ana", "Ana"), people.person("guest", "Gil", teams_user_id=None, unmatched="guest")
    )
    card = await people.chat.say(typed)
    assert names(card) == ["guest"]
    assert EN("unmatched.guest") in words(card)


@pytest.mark.parametrize("typed", ["who is on the phone?", "Quem está ao telefone", "who's on the phone"])
async def test_who_is_on_the_phone_is_asked_in_words(people: People, typed: str) -> None:
    await people.store(people.person("ana", "Ana"), people.talking("bea", "Bea"))
    assert names(await people.chat.say(typed)) == ["bea"]


async def test_the_word_people_means_the_people(people: People) -> None:
    await people.store(people.person("ana", "Ana Lima"))
    for word in ("people", "Pessoas", "PEOPLE "):
        assert names(await people.chat.say(word)) == ["ana"]


async def test_a_search_and_a_filter_are_kept_over_the_pages(people: People) -> None:
    await people.store(*(people.talking(f"a{n:02}", f"Ana {n:02}") for n in range(12)), people.person("b", "Bea"))
    card = await people.chat.press(
        await people.chat.say("people"), "people.search", {"words": "ANÁ", "filter": "on_the_phone"}
    )
    assert len(names(card)) == 10
    assert names(await people.chat.press(card, "people.page")) == ["a10", "a11"]


@pytest.mark.parametrize("typed", ["people on the phone", "Pessoas ao telefone", "people excluded"])
async def test_a_filter_is_asked_for_by_its_name(people: People, typed: str) -> None:
    await people.store(people.talking("sofia", "Sofia"), people.person("rui", "Rui", excluded=True))
    wanted = ["rui"] if "excluded" in typed else ["sofia"]
    assert names(await people.chat.say(typed)) == wanted
    await stored(people.chat.database, integration(id="i2", owner_tenant=TENANT, name="Branch"))
    card = await people.chat.press(await people.chat.say(typed), "people.show", {"integration": "i1"})
    assert names(card) == wanted


@pytest.mark.parametrize("value", [*PeopleFilter, "nonsense", ""])
async def test_every_filter_has_a_list_or_says_that_nobody_is_in_it(people: People, value: str) -> None:
    card = await people.chat.act("people.page", integration="i1", filter=value)
    assert names(card) == []
    assert EN("people.title") in words(card)


async def test_a_name_leads_to_the_person_and_two_of_a_name_to_the_question(people: People) -> None:
    await people.store(
        people.person("sofia", "Sofia Conceição"),
        people.person("s2", "Sofia Reis"),
        people.person("r", "Rui Costa"),
    )
    assert "Rui Costa" in words(await people.chat.say("people rui"))
    card = await people.chat.say("why sofia")
    assert names(card) == ["sofia", "s2"]
    assert EN("people.which") in words(card)
    near = await people.chat.say("porquê Sofya Conceicao")
    assert names(near)[0] == "sofia"
    assert EN("people.nearest") in words(near)
    for typed in ("why is Rui not shown", "porque é que o Rui não está no Teams?", "people called Rui"):
        assert "Rui Costa" in words(await people.chat.say(typed))
    for typed in ("why", "why x", "exclude"):
        assert EN("people.short") in words(await people.chat.say(typed))


@pytest.mark.parametrize(
    "said",
    [
        *("Ana", "ana martins", "2001", "extensão 2001", "p1@example.com", "a Ana não aparece no Teams"),
        *("Ana does not work", "Ana's call is missing", "estado de Ana", "status of Ana", "Como está a Ana?"),
        *("mostrar Ana", "show Ana", "show Ana again", "voltar a mostrar Ana", "hide Ana", "esconder a Ana"),
        *("Ana shows the wrong status", "o estado da Ana está errado", "atualizar Ana", "apagar Ana", "who is Ana"),
        *("a Ana Martins da Vale Verde não aparece", "stop showing Ana"),
        *("disable Ana", "what happened with Ana?", "Ana isn't shown", "é a Ana quem está ao telefone"),
    ],
)
async def test_words_that_name_one_person_open_their_card(people: People, said: str) -> None:
    await people.store(
        people.person("p1", "Ana Martins", extension="2001"), people.person("p2", "Rui Reis", extension="2002")
    )
    card = await people.chat.say(said)
    assert card["fallbackText"] == "Ana Martins"
    assert card["actions"][0]["verb"] == "why.show"
    assert EN("why.title") in words(await people.chat.press(card, "why.show"))


async def test_words_that_name_several_people_ask_which(people: People) -> None:
    called = ("Ana Martins", "Ana Reis", "Mariana Reis")
    await people.store(*(people.person(f"p{number}", name) for number, name in enumerate(called, 1)))
    card = await people.chat.say("a Ana não aparece")
    assert names(card) == ["p1", "p2"]
    assert EN("people.which") in words(card)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("turn", "unknown.title"),
        ("delete history", "unknown.title"),
        ("Zacarias", "unknown.title"),
        ("Ana Zacarias", "unknown.title"),
        ("add Ana as admin", "unknown.title"),
        ("a b c d e f g " * 20, "unknown.title"),
        ("Ana " * 60, "unknown.title"),
        ("status", "status.enabled"),
        ("ok", "remark.noted"),
        ("obrigada", "remark.thanks"),
        ("estado lisboa", "pick.unknown"),
    ],
)
async def test_a_command_a_remark_and_a_suggestion_are_not_taken_for_a_person(
    people: People, said: str, answer: str
) -> None:
    called = ("Ana Turner", "History Stone", "Status Okay", "Teste Obrigada")
    await people.store(*(people.person(f"p{number}", name) for number, name in enumerate(called)))
    card = await people.chat.say(said)
    assert card["fallbackText"] == EN.lenient(answer, {"name": "lisboa"})


async def test_names_alone_show_nobody_to_a_person_without_a_role(people: People) -> None:
    await people.store(people.person("p1", "Ana Martins"))
    people.chat.person = STRANGER
    for said in ("Ana", "status of Ana", "show Ana", "2001"):
        card = await people.chat.say(said)
        assert card["fallbackText"] == EN("refused.title"), said
        assert "Martins" not in str(card)


async def test_names_alone_are_of_the_own_tenant(people: People) -> None:
    await stored(people.chat.database, integration(id="i2", owner_tenant="t2", tenant_id="t2"))
    await people.store(people.person("p2", "Ana Martins", integration_id="i2"))
    assert (await people.chat.say("Ana"))["fallbackText"] == EN("unknown.title")


OF_ENTRA, OF_CLOUDLINK = "Xq18Q~dK3vLw9ZtR_uYbN7.cFhJmSaGe2PoTiVx0", "f3a9c07be1d25864" * 4
WHERE_NONE_BELONGS: dict[str, dict[str, str]] = {
    "people.search": {"words": "{}"},
    "person.save_match": {"person": "sofia", "principal_name": "{}@contoso.example"},
    "scope.preview": {"mode": "except", "addresses": "{}", "extensions": "{}", "groups": "{}"},
    "schedule.preview": {"time_zone": "{}", "holidays": "{}"},
    "import_people.paste": {"lines": "Address;Name;Excluded\n;{};yes"},
}


@pytest.mark.parametrize("secret", [OF_ENTRA, OF_CLOUDLINK])
async def test_a_secret_typed_where_none_belongs_is_not_shown_and_not_stored(people: People, secret: str) -> None:
    await people.store(people.talking("sofia", "Sofia"))
    await become(people.chat, Role.OWNER)
    cards = [await people.chat.say(f"{command} {secret}") for command in ("why", "people", "exclude")]
    cards.append(
        await people.chat.act("admins.add", address=f"{secret}@contoso.example", person="nobody", role="viewer")
    )
    for verb, data in WHERE_NONE_BELONGS.items():
        typed = {name: value.replace("{}", secret) for name, value in data.items()}
        cards.append(await people.chat.act(verb, integration="i1", revision="1", **typed))
    for card in cards:
        assert secret[:12].casefold() not in str(card).casefold()
    assert str(cards).count("•••") > len(cards)
    assert secret.encode() not in people.chat.stored_bytes()


async def test_why_names_the_reason_and_its_button_deals_with_it(people: People) -> None:
    await people.store(people.talking("sofia", "Sofia", excluded=True, changed_by_name="Rui"))
    card = await people.chat.say("why sofia")
    assert EN("why.reason.excluded") in words(card)
    done = await people.chat.press(card, "person.include")
    assert EN("person.done.include") in words(done)
    assert not (await read_person(people.chat.database, "sofia")).excluded
    people.clients.graph.shown = {"teams sofia": Shown("Busy", "InACall")}
    assert EN("why.reason.shown") in words(await people.chat.press(done, "why.show"))


async def test_why_reads_the_phone_and_is_not_green_when_it_cannot(people: People) -> None:
    await people.store(people.talking("sofia", "Sofia"))
    people.clients.graph.shown = {"teams sofia": Shown("Busy", "InACall")}
    people.clients.cloudlink.phones.clear()
    card = await people.chat.say("why sofia")
    assert EN("why.reason.pending") in words(card)
    people.clients.cloudlink.error = ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE)
    await people.store(people.talking("rui", "Rui"))
    people.clients.graph.shown["teams rui"] = Shown("Busy", "InACall")
    card = await people.chat.say("why rui")
    assert EN("why.reason.old_news") in words(card)


async def test_why_does_not_undo_that_an_administrator_cleared_the_status(people: People) -> None:
    await people.store(people.talking("sofia", "Sofia"))
    people.clients.graph.shown = {"teams sofia": Shown("Available", "Available")}
    await people.chat.act("person.clear", integration="i1", person="sofia")
    for _ in range(2):
        people.chat.now += timedelta(seconds=20)
        assert EN("why.reason.cleared") in words(await people.chat.say("why sofia"))
    row = await read_person(people.chat.database, "sofia")
    assert (row.line, row.desired) == ("unknown", None)


async def test_a_person_is_excluded_and_included_again(people: People) -> None:
    await people.store(people.talking("sofia", "Sofia"))
    card = await people.chat.press(await people.chat.say("people sofia"), "person.exclude")
    assert EN("person.done.exclude") in words(card)
    assert (await read_person(people.chat.database, "sofia")).excluded
    assert names(await people.chat.act("people.page", integration="i1", filter="my_changes")) == ["sofia"]
    card = await people.chat.press(card, "person.include")
    assert EN("person.done.include") in words(card)
    async with people.chat.database.session() as session:
        acts = {act.act for act in await history.page(session, TENANT, 0, 10)}
    assert acts == {"person_exclude", "person_include"}


async def test_the_slower_of_two_administrators_sees_who_was_first(people: People) -> None:
    await people.store(people.talking("sofia", "Sofia"))
    chat = people.chat
    card = await chat.say("people sofia")
    await chat.act("person.exclude", integration="i1", person="sofia", choices="0")
    late = await chat.press(card, "person.exclude")
    assert EN("person.meanwhile", who="Somebody") in words(late)
    assert (await read_person(chat.database, "sofia")).choices == 1


async def test_a_match_by_hand_is_refused_with_the_name_of_the_other(people: People) -> None:
    await people.store(
        people.person("lost", "Sofia", teams_user_id=None, unmatched="not_found"), people.person("rui", "Rui Costa")
    )
    people.clients.graph.accounts = [
        TeamsUser("teams rui", "Rui", "rui@example.com", "", True),
        TeamsUser("free", "Sofia", "sofia@example.com", "", True),
        TeamsUser("guest", "Chris", "chris_partner.example#EXT#@example.com", "", True, guest=True),
    ]
    form = await people.chat.press(await people.chat.say("why sofia"), "person.match")
    card = await people.chat.press(form, "person.save_match", {"principal_name": "rui@example.com"})
    assert EN("match.taken", other="Rui Costa") in words(card)
    guest = {"principal_name": "chris_partner.example#EXT#@example.com"}
    card = await people.chat.press(card, "person.save_match", guest)
    assert EN("match.guest") in words(card)
    for typed in ("nobody@example.com", "not a name", "me", "x@y/../../groups.z"):
        card = await people.chat.press(card, "person.save_match", {"principal_name": typed})
        assert EN("match.not_found") in words(card)
    done = await people.chat.press(card, "person.save_match", {"principal_name": " sofia@example.com "})
    assert EN("person.done.match") in words(done)
    assert (await read_person(people.chat.database, "lost")).teams_user_id == "free"


async def test_copy_for_support_has_ids_and_no_name(people: People) -> None:
    await people.store(people.talking("sofia", "Sofia Conceição", desired_because="cause-1"))
    card = await people.chat.press(await people.chat.say("why sofia"), "why.copy")
    said = words(card)
    for expected in ("teams sofia", "cloudlink sofia", "cause-1", "integration: i1"):
        assert expected in said
    assert "Sofia Conceição" not in said


async def test_a_viewer_sees_and_changes_nothing(people: People) -> None:
    await people.store(people.talking("sofia", "Sofia"))
    await become(people.chat, Role.VIEWER)
    card = await people.chat.say("people sofia")
    assert {verb for verb in buttons(card) if verb.startswith("person.")} == set()
    assert "why.show" in buttons(card)
    refused = await people.chat.act("person.exclude", integration="i1", person="sofia", choices="0")
    assert EN("not_for_role.title") in words(refused)


async def test_a_person_without_a_role_sees_themselves_and_nobody_else(people: People) -> None:
    await people.store(
        people.talking("me", "Mia Own", teams_user_id=STRANGER, applied_user_id=STRANGER),
        people.talking("sofia", "Sofia Other"),
    )
    people.clients.graph.shown = {STRANGER: Shown("Busy", "InACall")}
    people.chat.person = STRANGER
    for card in (
        await people.chat.say("my presence"),
        await people.chat.say("a minha presença"),
        await people.chat.act("me.show", integration="i1", person="sofia"),
    ):
        assert EN("why.reason.shown") in words(card)
        assert "Sofia" not in str(card)
        assert set(buttons(card)) == {"me.show", "opt_out.stop"}
    for verb in ("people.open", "why.show", "why.copy", "person.exclude"):
        card = await people.chat.act(verb, integration="i1", person="me")
        assert EN("refused.title") in words(card)


async def test_a_refused_person_learns_what_to_do_in_words_to_them(people: People) -> None:
    refused = people.talking("me", "Mia Own", teams_user_id=STRANGER, applied=None, refusal="403 Forbidden")
    await people.store(refused)
    people.chat.person = STRANGER
    said = words(await people.chat.say("my presence"))
    assert EN("why.me.reason.refused.remedy") in said
    assert "his person" not in said


async def test_a_shared_extension_is_said_in_the_same_words_everywhere(people: People) -> None:
    shared = people.talking("sofia", "Sofia", unmatched="shared_extension")
    await people.store(shared)
    reason = EN("unmatched.shared_extension")
    for typed in ("people sofia", "exclude sofia"):
        said = words(await people.chat.say(typed))
        assert reason in said
        assert "left out:" not in said
    await people.store(
        people.person("rui", "Rui", line="idle", heard_at=people.chat.now, unmatched="shared_extension")
    )
    people.clients.graph.shown["teams rui"] = Shown("Available", "Available")
    assert EN("why.reason.shared_extension") in words(await people.chat.say("why rui"))


async def test_a_person_without_a_phone_learns_so(people: People) -> None:
    people.chat.person = STRANGER
    assert EN("why.me.none") in words(await people.chat.say("my presence"))


async def test_show_again_now_while_presence_is_disabled_says_that_nothing_is_sent(people: People) -> None:
    await people.store(people.person("ana", "Ana"))
    card = await people.chat.say("people ana")
    assert EN("disabled.already") not in words(card)
    await people.chat.press(await people.chat.say("disable presence"), "disable.now")
    said = words(await people.chat.press(card, "person.resend"))
    assert (EN("person.nothing_sent") in said, EN("disabled.already") in said) == (True, True)


async def test_who_left_cloudlink_has_no_card(people: People) -> None:
    await people.store(people.person("gone", "Gil", gone=True))
    for verb in ("people.open", "why.show", "person.exclude", "person.match"):
        card = await people.chat.act(verb, integration="i1", person="gone", choices="0")
        assert EN("people.gone") in words(card), verb


async def test_status_leads_to_the_people(people: People) -> None:
    await people.store(people.person("guest", "Gil", teams_user_id=None, unmatched="guest"))
    card = await people.chat.say("status")
    assert names(await people.chat.press(card, "people.left_out")) == ["guest"]


async def test_it_speaks_portuguese(people: People) -> None:
    await people.store(people.talking("sofia", "Sofia"))
    people.chat.locale = "pt-PT"
    people.clients.graph.shown = {"teams sofia": Shown("Busy", "InACall")}
    card = await people.chat.say("porquê sofia")
    assert PT("why.reason.shown") in words(card)
