"""The setup wizard: complete in both languages, every fault at its field, and no secret kept."""

import asyncio
import json
import re
from datetime import date, timedelta

import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from bot.activity import Card, Installed
from bot.cards.field_errors import FIELD_OF, Links, fault_link
from bot.commands.setup.steps import REGION_MAY_HELP
from storage.queries.chat import drafts
from storage.tables.conversations import Draft
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.model import (
    AlreadySetUp,
    Preview,
    TeamsCheck,
    TooManyIntegrations,
    Unmatched,
    UnmatchedPerson,
    WouldSend,
)
from sync.domain.presence import LineState, Presence
from tests.cards.gallery.gallery import example
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import ADMIN, TENANT, buttons, error_below, inputs, link_urls, parts, press, words
from tests.support.bot.setup_wizard import (
    ACCOUNT,
    APP,
    CLIENT,
    CLIENT_SECRET,
    CLOUDLINK_SECRET,
    at_microsoft,
    at_preview,
)
from tests.support.bot.texts import EN, PT

SHAPED = "Ab18Q~" + "x" * 34
"""The shape of a client secret of Entra's, but another one than is typed."""


async def draft_of(chat: Chat) -> Draft | None:
    async with chat.database.session() as session:
        return await drafts.load(session, chat.tenant, chat.person)


WHOLE = {
    "en-US": ("setup integration", ["Step 1 of 3", "Found 27 people", "Step 3 of 3", "is enabled"]),
    "pt-PT": (
        "configurar integração",
        ["Passo 1 de 3", "Foram encontradas 27 pessoas", "Passo 3 de 3", "está ativa"],
    ),
}


@pytest.mark.parametrize("locale", WHOLE)
async def test_the_complete_setup(chat: Chat, locale: str) -> None:
    chat.locale = locale
    typed, expected = WHOLE[locale]
    card = await chat.say(typed)
    cards = [card]
    for verb, values in (
        ("setup.cloudlink", ACCOUNT),
        ("setup.save", APP),
        ("setup.now", {}),
    ):
        cards.append(await chat.press(cards[-1], verb, values))
    for shown, wanted in zip(cards, expected, strict=True):
        assert wanted in words(shown)
    assert chat.integrations.calls == ["check_cloudlink", "check_teams", "add", "preview", "enable"]
    ((owner, view),) = chat.integrations.stored.values()
    assert (owner, view.name, view.enabled) == (TENANT, "Head office", True)
    assert view.secret_expires_on == date(2027, 5, 31)
    assert chat.integrations.accounts[-1].client_secret == CLOUDLINK_SECRET
    assert chat.integrations.apps[-1].client_secret == CLIENT_SECRET
    assert await draft_of(chat) is None


async def test_an_expiry_that_entra_says_is_used_and_said(chat: Chat) -> None:
    chat.integrations.check = TeamsCheck("Contoso", "key-1", date(2027, 9, 1))
    card = await chat.press(await at_microsoft(chat), "setup.save", APP)
    ((_, view),) = chat.integrations.stored.values()
    assert view.secret_expires_on == date(2027, 9, 1)
    assert EN("preview.expires", day=EN.date(date(2027, 9, 1))) in words(card)


async def test_progress_is_shown_before_a_service_is_called(chat: Chat) -> None:
    card = await chat.say("setup integration")
    turn = await chat.turn(press(card, "setup.cloudlink", ACCOUNT))
    first, last = turn.replaced
    assert "Checking with CloudLink" in words(first)
    assert not buttons(first)
    assert "Step 2 of 3" in words(last)


async def test_no_secret_is_shown_logged_or_stored_in_clear(chat: Chat) -> None:
    with capture_logs() as logs:
        chat.integrations.errors["check_teams"] = CredentialsWrong(Fault.ENTRA_SECRET_WRONG, code=7000215)
        card = await chat.press(await at_microsoft(chat), "setup.save", APP)
        chat.integrations.errors["check_teams"] = RuntimeError(CLIENT_SECRET)
        await chat.press(card, "setup.save", APP)
        del chat.integrations.errors["check_teams"]
        await chat.press(card, "setup.save", APP)
    assert chat.integrations.calls[-1] == "preview"
    said = json.dumps(chat.shown, ensure_ascii=False) + json.dumps(logs, ensure_ascii=False, default=str)
    for secret in (CLOUDLINK_SECRET, CLIENT_SECRET):
        assert secret not in said
        assert secret.encode() not in chat.stored_bytes()


async def test_both_secrets_are_kept_encrypted_until_they_are_used(chat: Chat) -> None:
    card = await chat.press(await at_microsoft(chat), "setup.register", APP)
    draft = await draft_of(chat)
    assert draft is not None
    for sealed, secret in (
        (draft.cloudlink_secret_sealed, CLOUDLINK_SECRET),
        (draft.client_secret_sealed, CLIENT_SECRET),
    ):
        assert sealed
        assert secret not in sealed
    assert not {"cloudlink_secret", "client_secret"} & draft.values.keys()
    await chat.press(card, "setup.save")
    assert chat.integrations.apps[-1].client_secret == CLIENT_SECRET
    draft = await draft_of(chat)
    assert draft is not None
    assert (draft.cloudlink_secret_sealed, draft.client_secret_sealed) == (None, None)


async def test_a_wrong_field_costs_no_secret(chat: Chat) -> None:
    card = await chat.press(await at_microsoft(chat), "setup.save", {**APP, "client_id": "contoso", "name": ""})
    assert error_below(card, "client_id")
    assert error_below(card, "name")
    await chat.press(card, "setup.save", {"client_id": CLIENT, "name": "Head office"})
    assert chat.integrations.apps[-1].client_secret == CLIENT_SECRET


async def at_register_failing(chat: Chat) -> Card:
    return await chat.press(await chat.say("setup integration"), "setup.cloudlink", ACCOUNT)


async def test_cancel_keeps_nothing(chat: Chat) -> None:
    card = await chat.press(await at_microsoft(chat), "setup.cancel")
    assert EN("setup.cancelled.title") in words(card)
    assert await draft_of(chat) is None
    assert not chat.integrations.stored


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault.startswith("cloudlink.")])
async def test_a_cloudlink_fault_is_shown_at_its_field_and_costs_no_other_value(chat: Chat, fault: Fault) -> None:
    """The region is asked for where it may be what is missing."""
    error = chat.integrations.errors["check_cloudlink"] = example(fault)
    card = await at_register_failing(chat)
    said = error_below(card, FIELD_OF.get(fault, ""))
    assert EN.lenient(f"fault.{fault}", error.context) in said
    assert EN.lenient(f"fault.{fault}.remedy", error.context) in said
    assert bool(link_urls(card)) is (fault_link(error, EN, Links()) is not None)
    assert inputs(card)["account_id"]["value"] == "1000200030"
    assert "value" not in inputs(card)["cloudlink_secret"]
    assert not inputs(card)["cloudlink_secret"].get("isRequired", False)
    del chat.integrations.errors["check_cloudlink"]
    typed = {"region": " EU ", "cloudlink_secret": ""}
    card = await chat.press(card, "setup.cloudlink", {name: typed[name] for name in typed if name in inputs(card)})
    assert "Step 2 of 3" in words(card)
    assert chat.integrations.accounts[-1].client_secret == CLOUDLINK_SECRET
    assert chat.integrations.accounts[-1].region == ("eu" if fault in REGION_MAY_HELP else "")


SECRET_FAULTS = {Fault.ENTRA_SECRET_WRONG, Fault.ENTRA_SECRET_IS_ID, Fault.ENTRA_SECRET_EXPIRED}


@pytest.mark.parametrize("fault", [fault for fault in Fault if not fault.startswith("cloudlink.")])
async def test_a_microsoft_fault_is_shown_at_its_field_and_costs_no_other_value(chat: Chat, fault: Fault) -> None:
    """Of the secret only what was refused itself has to be entered again."""
    card = await at_microsoft(chat)
    error = example(fault)
    chat.integrations.errors["check_teams"] = error
    card = await chat.press(card, "setup.save", APP)
    said = error_below(card, FIELD_OF.get(fault, ""))
    assert EN.lenient(f"fault.{fault}", error.context) in said
    assert EN(f"fault.{fault}.remedy") in said
    assert bool(link_urls(card)) is (fault_link(error, EN, Links()) is not None)
    assert {name: inputs(card)[name].get("value") for name in APP} == {**APP, "client_secret": None}
    assert not chat.integrations.stored
    is_kept = inputs(card)["client_secret"]["placeholder"] == EN("field.secret.kept")
    assert is_kept is (fault not in SECRET_FAULTS)
    del chat.integrations.errors["check_teams"]
    await chat.press(card, "setup.save", {"client_secret": "" if is_kept else CLIENT_SECRET})
    assert chat.integrations.apps[-1].client_secret == CLIENT_SECRET


async def test_a_fault_is_shown_in_the_language_of_the_chat(chat: Chat) -> None:
    card = await at_microsoft(chat)
    chat.integrations.errors["check_teams"] = CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED)
    chat.locale = "pt-PT"
    card = await chat.press(card, "setup.save", APP)
    assert PT("fault.entra.secret_expired") in error_below(card, "client_secret")


async def test_which_permission_lacks_consent_is_named_and_the_link_asks_for_it(chat: Chat) -> None:
    card = await at_microsoft(chat)
    missing = CredentialsWrong(Fault.GRAPH_CONSENT_MISSING, permissions="Presence.ReadWrite.All")
    chat.integrations.errors["check_teams"] = missing
    card = await chat.press(card, "setup.save", APP)
    said = error_below(card, "client_id")
    assert "Presence.ReadWrite.All" in said
    assert "User.Read.All" not in said
    assert any("CallAnAPI" in url for url in link_urls(card) if CLIENT in url)


@pytest.mark.parametrize(
    ("field", "typed", "expected"),
    [
        ("name", "  ", "Name is required"),
        ("client_secret", "", "is required"),
        ("tenant_id", "contoso", EN("check.guid")),
        ("client_id", CLIENT[:-1], EN("check.guid")),
        ("expires_on", "2026-11-21", EN("check.past")),
        ("expires_on", "soon", EN("check.date")),
        ("name", "x" * 61, EN("check.too_long")),
        ("client_secret", "x" * 513, EN("check.too_long")),
    ],
)
async def test_a_malformed_value_is_refused(chat: Chat, field: str, typed: str, expected: str) -> None:
    """Microsoft is asked nevertheless if only the name or the date is wrong, to show all errors together."""
    card = await chat.press(await at_microsoft(chat), "setup.save", {**APP, field: typed})
    assert expected in error_below(card, field)
    assert ("check_teams" in chat.integrations.calls) is (field in ("name", "expires_on"))
    assert "add" not in chat.integrations.calls


@pytest.mark.parametrize(
    ("verb", "secret"), [("setup.cloudlink", "cloudlink_secret"), ("setup.save", "client_secret")]
)
async def test_an_id_in_the_field_of_the_secret_costs_not_the_id(chat: Chat, verb: str, secret: str) -> None:
    form, field, typed = (
        (await chat.say("setup integration"), "cloudlink_client_id", ACCOUNT)
        if verb == "setup.cloudlink"
        else (await at_microsoft(chat), "client_id", APP)
    )
    client_id = "8F3C1B52-0A4E-4B6E-9D67-2F1F3C5D7E90"
    card = await chat.press(form, verb, {**typed, field: client_id, secret: client_id})
    assert EN("check.secret_is_id") in error_below(card, secret)
    assert inputs(card)[field]["value"].upper() == client_id
    assert inputs(card)[secret]["placeholder"] != EN("field.secret.kept")


async def test_what_microsoft_refuses_is_shown_beside_what_is_wrong_here(chat: Chat) -> None:
    chat.integrations.errors["check_teams"] = CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED)
    typed = {**APP, "name": " ", "expires_on": "9999-12-31"}
    card = await chat.press(await at_microsoft(chat), "setup.save", typed)
    assert EN("fault.entra.secret_expired") in error_below(card, "client_secret")
    assert EN("check.far") in error_below(card, "expires_on")
    assert "Name is required" in error_below(card, "name")


@pytest.mark.parametrize("field", ["account_id", "cloudlink_client_id", "region"])
@pytest.mark.parametrize("secret", [CLOUDLINK_SECRET, SHAPED])
async def test_a_secret_in_another_field_of_step_one_is_neither_shown_nor_stored(
    chat: Chat, field: str, secret: str
) -> None:
    """Also where the text differs from the secret that is typed, but has the shape of one."""
    chat.integrations.errors["check_cloudlink"] = ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE)
    card = await chat.press(await at_register_failing(chat), "setup.cloudlink", {**ACCOUNT, field: secret})
    assert EN("check.secret_here") in error_below(card, field)
    assert secret not in json.dumps(chat.shown, ensure_ascii=False)
    assert secret.encode() not in chat.stored_bytes()


@pytest.mark.parametrize("field", ["client_id", "tenant_id", "name", "expires_on"])
@pytest.mark.parametrize("secret", [CLIENT_SECRET, CLOUDLINK_SECRET, SHAPED])
@pytest.mark.parametrize("verb", ["setup.save", "setup.register"])
async def test_a_secret_in_another_field_of_step_two_is_neither_shown_nor_stored(
    chat: Chat, verb: str, field: str, secret: str
) -> None:
    card = await chat.press(await at_microsoft(chat), verb, {**APP, field: secret})
    assert EN("check.secret_here") in error_below(card, field)
    assert secret not in json.dumps(chat.shown, ensure_ascii=False)
    assert secret.encode() not in chat.stored_bytes()
    assert "add" not in chat.integrations.calls


async def test_several_errors_are_shown_together(chat: Chat) -> None:
    card = await chat.press(await at_microsoft(chat), "setup.save", {**APP, "name": "", "tenant_id": "x"})
    assert error_below(card, "name")
    assert error_below(card, "tenant_id")
    assert not error_below(card, "client_id")


async def test_step_one_needs_every_field(chat: Chat) -> None:
    empty = dict.fromkeys(ACCOUNT, "")
    card = await chat.press(await chat.say("setup integration"), "setup.cloudlink", empty)
    assert all(error_below(card, field) for field in ACCOUNT)
    assert chat.integrations.calls == []


async def test_the_region_comes_from_the_account(chat: Chat) -> None:
    chat.integrations.region = "eu"
    card = await chat.say("setup integration")
    assert "region" not in inputs(card)
    card = await chat.press(card, "setup.cloudlink", ACCOUNT)
    await chat.press(card, "setup.save", APP)
    assert chat.integrations.accounts[-1].region == "eu"


# The secret's expiry


@pytest.mark.parametrize(
    ("chosen", "typed", "expected"),
    [
        ("90", "", date(2027, 2, 20)),
        ("180", "", date(2027, 5, 21)),
        ("730", "", date(2028, 11, 21)),
        ("other", "2027-05-31", date(2027, 5, 31)),
        ("180", "2027-05-31", date(2027, 5, 31)),
        ("", "", None),
        ("forever", "", None),
    ],
)
async def test_the_expiry_is_chosen_as_in_azure_or_typed(
    chat: Chat, chosen: str, typed: str, expected: date | None
) -> None:
    await chat.press(await at_microsoft(chat), "setup.save", {**APP, "expires_in": chosen, "expires_on": typed})
    ((_, view),) = chat.integrations.stored.values()
    assert view.secret_expires_on == expected


async def test_another_date_is_asked_for(chat: Chat) -> None:
    typed = {**APP, "expires_in": "other", "expires_on": ""}
    card = await chat.press(await at_microsoft(chat), "setup.save", typed)
    assert EN("check.which_day") in error_below(card, "expires_on")


# The links of step two


def step_links(card: Card) -> list[str]:
    """The addresses in the steps of the checklist, in order."""
    found = (re.search(r"\]\((\S+)\)$", str(part["text"])) for part in parts(card) if part["type"] == "TextBlock")
    return [link[1] for link in found if link]


async def test_once_the_ids_are_typed_every_link_leads_to_that_application(chat: Chat) -> None:
    card = await at_microsoft(chat)
    assert not [url for url in step_links(card) if CLIENT in url]
    card = await chat.press(card, "setup.register", {"client_id": f"{{{CLIENT.upper()}}}"})
    _, *further = step_links(card)
    assert len(further) == 3
    assert all(CLIENT in url for url in further)
    assert inputs(card)["client_id"]["value"] == CLIENT


async def test_the_ids_can_be_sent_before_there_is_a_secret(chat: Chat) -> None:
    """A client checks that required inputs are filled whichever button is pressed."""
    card = await at_microsoft(chat)
    required = {field for field, part in inputs(card).items() if part.get("isRequired") and not part.get("value")}
    assert required == {"client_id"}
    assert buttons(card)["setup.register"].get("associatedInputs") == "auto"


async def test_ids_that_are_none_aim_no_link(chat: Chat) -> None:
    card = await chat.press(await at_microsoft(chat), "setup.register", {"client_id": "contoso"})
    assert EN("check.guid") in error_below(card, "client_id")
    assert not [url for url in step_links(card) if "contoso" in url]


async def test_the_accounts_name_is_offered_and_numbered_when_it_is_taken(chat: Chat) -> None:
    card = await at_microsoft(chat)
    offered = inputs(card)["name"]["value"]
    assert offered == "Contoso [Telephony](https://evil.example)"
    await chat.press(await chat.press(card, "setup.save", {**APP, "name": offered}), "setup.later")
    assert inputs(await at_microsoft(chat))["name"]["value"] == f"{offered} 2"


async def test_a_new_secret_is_waited_for_with_a_line_that_moves(chat: Chat) -> None:
    chat.integrations.waits = 3
    turn = await chat.turn_of_press(await at_microsoft(chat), "setup.save", APP)
    said = [words(card) for card in turn.replaced]
    assert [f"Attempt {number}" in said[number - 1] for number in (2, 3, 4)] == [True] * 3
    assert "Step 3 of 3" in said[-1]


async def test_the_chats_own_tenant_is_offered(chat: Chat) -> None:
    assert inputs(await at_microsoft(chat))["tenant_id"]["value"] == TENANT


async def test_a_tenant_that_is_no_id_is_not_offered(chat: Chat) -> None:
    chat.tenant = "not-a-guid"
    assert "value" not in inputs(await at_microsoft(chat))["tenant_id"]


PASTED = [
    " {}\n",
    '"{}"',
    "'{}',",
    '"{}";',
    "\u201c{}\u201d",
    "\ufeff{}\u200b",
    "\u00a0{}\u00a0",
    "`{}`",
    "\t\u2060{} ,",
]


@pytest.mark.parametrize("around", PASTED)
async def test_what_comes_with_pasted_values_does_not_count(chat: Chat, around: str) -> None:
    account = {field: around.format(value) for field, value in ACCOUNT.items()}
    card = await chat.press(await chat.say("setup integration"), "setup.cloudlink", account)
    await chat.press(card, "setup.save", {field: around.format(value) for field, value in APP.items()})
    stored, app = chat.integrations.accounts[-1], chat.integrations.apps[-1]
    assert (stored.account_id, stored.client_id, stored.client_secret) == tuple(ACCOUNT.values())
    assert (app.tenant_id, app.client_id, app.client_secret) == (TENANT, CLIENT, CLIENT_SECRET)


async def test_two_integrations_do_not_share_a_name(chat: Chat) -> None:
    await chat.press(await at_preview(chat), "setup.later")
    typed = {**APP, "name": "HEAD office", "client_id": CLIENT.replace("4", "5")}
    card = await chat.press(await at_microsoft(chat), "setup.save", typed)
    assert "already" in error_below(card, "name")
    assert len(chat.integrations.stored) == 1


async def test_back_keeps_what_was_typed_and_the_secret_need_not_be_pasted_again(chat: Chat) -> None:
    card = await chat.press(await at_microsoft(chat), "setup.back")
    assert inputs(card)["account_id"]["value"] == "1000200030"
    assert not inputs(card)["cloudlink_secret"].get("isRequired")
    card = await chat.press(card, "setup.cloudlink", {"cloudlink_secret": ""})
    assert "Step 2 of 3" in words(card)
    assert chat.integrations.accounts[-1].client_secret == CLOUDLINK_SECRET


async def test_another_account_is_checked_with_the_kept_secret(chat: Chat) -> None:
    card = await chat.press(await at_microsoft(chat), "setup.back")
    await chat.press(card, "setup.cloudlink", {"account_id": "other", "cloudlink_secret": ""})
    assert chat.integrations.calls == ["check_cloudlink", "check_cloudlink"]
    assert chat.integrations.accounts[-1].account_id == "other"
    assert chat.integrations.accounts[-1].client_secret == CLOUDLINK_SECRET


async def test_back_and_cancel_send_nothing_that_was_typed(chat: Chat) -> None:
    for card in (await at_microsoft(chat), await chat.say("setup integration")):
        for verb, button in buttons(card).items():
            if verb in ("setup.back", "setup.cancel"):
                assert button["associatedInputs"] == "none"
                assert button["fallback"]["associatedInputs"] == "none"


# Resuming


async def test_a_card_from_before_a_restart_still_works(chat: Chat) -> None:
    card = await at_microsoft(chat)
    chat.restart()
    card = await chat.press(card, "setup.save", APP)
    assert "Step 3 of 3" in words(card)
    assert chat.integrations.accounts[-1].client_secret == CLOUDLINK_SECRET


@pytest.mark.parametrize(
    ("step", "shown"),
    [("cloudlink", "Step 1 of 3"), ("register", "Step 2 of 3"), ("teams", "Step 2 of 3"), ("other", "Step 1 of 3")],
)
async def test_a_draft_of_an_earlier_release_continues(chat: Chat, step: str, shown: str) -> None:
    old = await at_microsoft(chat)
    draft = await draft_of(chat)
    assert draft is not None
    draft.step, draft.values = step, {"account_id": "1000200030", "region": ""}
    async with chat.database.writing() as session:
        await drafts.save(session, draft)
    card = await chat.say("setup integration")
    assert EN("setup.resume.title") in words(card)
    assert shown in words(card)
    assert shown in words(await chat.press(card, "setup.resume"))
    assert "Step 2 of 3" in words(
        await chat.act("setup.register", draft=buttons(old)["setup.save"]["data"]["draft"])
    )


async def test_a_draft_of_an_earlier_release_without_a_secret_asks_for_it(chat: Chat) -> None:
    await at_microsoft(chat)
    draft = await draft_of(chat)
    assert draft is not None
    draft.step, draft.cloudlink_secret_sealed = "teams", None
    async with chat.database.writing() as session:
        await drafts.save(session, draft)
    card = await chat.press(await chat.say("setup integration"), "setup.resume")
    assert EN("check.cloudlink_again") in error_below(card, "cloudlink_secret")
    assert inputs(card)["account_id"]["value"] == "1000200030"


@pytest.mark.parametrize(("reach", "step"), [(at_microsoft, "Step 2 of 3"), (at_preview, "Step 3 of 3")])
async def test_after_a_restart_the_command_offers_to_go_on(chat: Chat, reach: object, step: str) -> None:
    assert callable(reach)
    await reach(chat)
    chat.restart()
    card = await chat.say("setup integration")
    assert set(buttons(card)) == {"setup.resume", "setup.restart", "setup.cancel"}
    assert step in words(await chat.press(card, "setup.resume"))


async def test_starting_over_forgets_and_makes_older_cards_stale(chat: Chat) -> None:
    old = await at_microsoft(chat)
    fresh = await chat.press(await chat.say("setup integration"), "setup.restart")
    assert "value" not in inputs(fresh)["account_id"]
    assert EN("setup.ended.title") in words(await chat.press(old, "setup.save", APP))
    assert not chat.integrations.stored


async def test_an_untouched_setup_is_simply_shown_again(chat: Chat) -> None:
    await chat.say("setup integration")
    assert "Step 1 of 3" in words(await chat.say("setup integration"))


async def test_a_lost_key_asks_for_the_cloudlink_secret_again(chat: Chat) -> None:
    card = await at_microsoft(chat)
    chat.key = Fernet.generate_key().decode()
    chat.restart()
    card = await chat.press(card, "setup.save", APP)
    assert EN("check.cloudlink_again") in error_below(card, "cloudlink_secret")
    assert not chat.integrations.stored


# Pressing twice, pressing late


async def test_saving_twice_concurrently_stores_one(chat: Chat) -> None:
    action = press(await at_microsoft(chat), "setup.save", APP)
    turns = [chat.new_turn(action), chat.new_turn(action)]
    await asyncio.gather(*(chat.pipeline(turn) for turn in turns))
    assert chat.integrations.calls.count("add") == 1
    assert all("Step 3 of 3" in words(turn.answer) for turn in turns)


async def test_enabling_twice_is_harmless(chat: Chat) -> None:
    card = await at_preview(chat)
    for title in ("enabled.title", "enabled.already"):
        assert EN(title) in words(await chat.press(card, "setup.now"))


async def test_an_old_card_of_a_saved_setup_leads_to_its_last_step(chat: Chat) -> None:
    old = await at_microsoft(chat)
    await chat.press(old, "setup.save", APP)
    for verb in ("setup.save", "setup.cancel", "setup.back"):
        assert "Step 3 of 3" in words(await chat.press(old, verb, APP))
    assert len(chat.integrations.stored) == 1


async def test_a_finished_setups_cards_say_so(chat: Chat) -> None:
    old = await at_microsoft(chat)
    await chat.press(await chat.press(old, "setup.save", APP), "setup.now")
    assert EN("setup.ended.title") in words(await chat.press(old, "setup.save", APP))


async def test_a_saved_setup_whose_integration_was_removed_starts_over(chat: Chat) -> None:
    await at_preview(chat)
    chat.integrations.stored.clear()
    card = await chat.press(await chat.say("setup integration"), "setup.resume")
    assert "out of date" in words(card)
    assert "Step 1 of 3" in words(await chat.say("setup integration"))


async def test_another_administrators_draft_is_out_of_reach(chat: Chat) -> None:
    card = await at_microsoft(chat)
    chat.admins = (ADMIN, "other-admin")
    chat.restart()
    chat.person = "other-admin"
    await chat.say("hello")
    assert EN("setup.ended.title") in words(await chat.press(card, "setup.save", APP))
    assert not chat.integrations.stored


async def test_with_values_at_hand_it_takes_at_most_twelve_clicks_and_five_pastes(chat: Chat) -> None:
    """A click on each button, and one into each field that is not filled in already, where the value is pasted."""
    card = (await chat.turn(Installed())).answer
    clicks = pastes = 0
    for verb, values in (
        ("command.setup", {}),
        ("setup.cloudlink", ACCOUNT),
        ("setup.save", {**APP, "expires_on": ""}),
        ("setup.now", {}),
    ):
        needed = {field: part for field, part in inputs(card).items() if not field.startswith("expires_")}
        blank = {field for field, part in needed.items() if not part.get("value")}
        clicks, pastes = clicks + 1 + len(blank), pastes + len(blank)
        card = await chat.press(card, verb, {field: values[field] for field in blank})
    assert EN("enabled.title") in words(card)
    assert (clicks, pastes) == (9, 5)


# The last step


def left_out(count: int) -> tuple[UnmatchedPerson, ...]:
    return tuple(UnmatchedPerson(f"Person {n}", f"p{n}@contoso.example", Unmatched.NOT_FOUND) for n in range(count))


async def test_the_preview_counts_explains_and_warns(chat: Chat) -> None:
    sent = (WouldSend("Ada", LineState.ON_CALL, Presence.IN_A_CALL),)
    chat.integrations.found = Preview(25, left_out(2), sent, ("Ada", "Ben"))
    said = words(await at_preview(chat))
    for expected in (
        "27",
        "25",
        "Person 1",
        "Ada, Ben",
        EN("unmatched.not_found")[1:],
        EN("preview.remedy.not_found"),
        "on a call → In a call",
        EN("preview.by_hand"),
    ):
        assert expected in said


async def test_unmatched_people_are_paged_by_ten_from_one_read(chat: Chat) -> None:
    chat.integrations.found = Preview(0, left_out(25), ())
    card = await at_preview(chat)
    seen = [words(card).count("Person ")]
    verbs = [set(buttons(card))]
    for page in ("1", "2"):
        card = await chat.act("setup.page", **{**buttons(card)["setup.page"]["data"], "page": page})
        seen.append(words(card).count("Person "))
        verbs.append(set(buttons(card)))
    assert seen == [10, 10, 5]
    assert all("setup.page" in offered for offered in verbs)
    assert chat.integrations.calls.count("preview") == 1


async def test_a_page_shown_much_later_is_read_again(chat: Chat) -> None:
    chat.integrations.found = Preview(0, left_out(25), ())
    card = await at_preview(chat)
    chat.now += timedelta(minutes=6)
    await chat.press(card, "setup.page")
    assert chat.integrations.calls.count("preview") == 2


@pytest.mark.parametrize("page", ["-1", "99999999999999", "x", "", "²"])
async def test_an_unknown_page_shows_an_existing_one(chat: Chat, page: str) -> None:
    chat.integrations.found = Preview(0, left_out(25), ())
    card = await at_preview(chat)
    (view,) = await chat.integrations.list(TENANT)
    card = await chat.act("setup.page", integration=view.id, page=page)
    assert "Person " in words(card)


async def test_a_preview_that_fails_keeps_what_was_saved(chat: Chat) -> None:
    chat.integrations.errors["preview"] = ServiceUnavailable(Fault.GRAPH_UNREACHABLE)
    card = await at_preview(chat)
    assert EN("fault.graph.unreachable") in words(card)
    assert "The integration is saved" in words(card)
    del chat.integrations.errors["preview"]
    assert "setup.now" in buttons(await chat.press(card, "setup.preview"))


@pytest.mark.parametrize("said", ["cancel", "voltar", "cancel setup", "cancelar configuração"])
async def test_words_that_would_cancel_offer_to_cancel_an_unfinished_setup(chat: Chat, said: str) -> None:
    await at_microsoft(chat)
    card = await chat.say(said)
    assert {"setup.resume", "setup.cancel"} <= buttons(card).keys()


@pytest.mark.parametrize("said", ["cancel the setup", "cancelar configuração"])
async def test_to_cancel_a_setup_that_is_not_under_way_begins_none(chat: Chat, said: str) -> None:
    assert (await chat.say(said))["fallbackText"] in (EN("remark.leave"), PT("remark.leave"))
    assert await draft_of(chat) is None


async def test_later_on_an_old_card_does_not_say_that_nothing_is_sent(chat: Chat) -> None:
    card = await at_preview(chat)
    await chat.press(card, "setup.now")
    assert (await chat.press(card, "setup.later"))["fallbackText"] == EN("enabled.already")


async def test_later_says_how_to_come_back(chat: Chat) -> None:
    card = await chat.press(await at_preview(chat), "setup.later")
    assert "enable presence" in words(card)
    assert "enable" not in chat.integrations.calls
    assert await draft_of(chat) is None


async def test_names_from_outside_are_shown_literally(chat: Chat) -> None:
    """An account's name is not Markdown: it is shown in text runs only."""
    card = await at_microsoft(chat)
    assert "[Telephony](https://evil.example)" in words(card)
    blocks = json.dumps([part for part in card["body"] if part["type"] == "TextBlock"])
    assert "evil.example" not in blocks


FULL = {
    "en-US": ("setup integration", "Your organisation already has 20 integrations"),
    "pt-PT": ("configurar integração", "A sua organização já tem 20 integrações"),
}


@pytest.mark.parametrize("locale", FULL)
async def test_a_tenant_with_too_many_integrations_learns_so_first_and_at_the_end(chat: Chat, locale: str) -> None:
    chat.locale = locale
    typed, expected = FULL[locale]
    form = await at_microsoft(chat)
    chat.integrations.errors["add"] = chat.integrations.errors["check_room"] = TooManyIntegrations(20)
    for card in (await chat.press(form, "setup.save", APP), await chat.say(typed)):
        assert expected in words(card)
        assert "MAX_INTEGRATIONS" in words(card)
        assert list(buttons(card)) == ["command.integrations"]


async def test_an_equal_set_up_leads_to_the_existing_integration(chat: Chat) -> None:
    """It is found before Microsoft is called; one that is stored meanwhile, when it is added."""
    await chat.press(await at_preview(chat), "setup.later")
    ((_, existing),) = chat.integrations.stored.values()
    calls = len(chat.integrations.calls)
    card = await chat.press(
        await at_microsoft(chat), "setup.save", {**APP, "client_id": CLIENT.upper(), "name": "Two"}
    )
    assert "already set up" in words(card)
    assert "Head office" in words(card)
    assert buttons(card)["status.show"]["data"]["integration"] == existing.id
    assert chat.integrations.calls[calls:] == ["check_cloudlink"]
    assert "Step 2 of 3" in words(await chat.press(card, "setup.resume"))


async def test_an_equal_set_up_that_was_faster_is_reported(chat: Chat) -> None:
    form = await at_microsoft(chat)
    chat.integrations.errors["add"] = AlreadySetUp("gone-by-now", "Porto office")
    card = await chat.press(form, "setup.save", APP)
    assert "“Porto office” used" in words(card)
    assert "already set up" not in words(card)
    assert list(buttons(card)) == ["setup.resume", "command.integrations"]
