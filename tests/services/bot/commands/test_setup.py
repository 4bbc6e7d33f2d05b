"""The setup wizard: complete in both languages, every fault at its field, and no secret kept."""

import asyncio
import json
from datetime import date, timedelta

import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from bot.activity import Card
from bot.cards.field_errors import FIELD_OF
from bot.languages import Language, load_texts
from storage.queries import drafts
from storage.tables.conversations import Draft
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.model import AlreadySetUp, Preview, TooManyIntegrations, Unmatched, UnmatchedPerson, WouldSend
from sync.domain.presence import LineState, Presence
from tests.cards.gallery.gallery import example
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import ADMIN, TENANT, buttons, error_below, inputs, link_urls, press, words
from tests.support.bot.setup_wizard import (
    ACCOUNT,
    APP,
    CLIENT,
    CLIENT_SECRET,
    CLOUDLINK_SECRET,
    at_preview,
    at_register,
    at_teams,
)
from tests.support.bot.texts import EN


async def draft_of(chat: Chat) -> Draft | None:
    async with chat.database.session() as session:
        return await drafts.load(session, chat.tenant, chat.person)


WHOLE = {
    "en-US": ("setup integration", ["Step 1 of 4", "Found 27 people", "Step 3 of 4", "Step 4 of 4", "is enabled"]),
    "pt-PT": (
        "configurar integração",
        ["Passo 1 de 4", "Foram encontradas 27 pessoas", "Passo 3 de 4", "Passo 4 de 4", "está ativa"],
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
        ("setup.register", {}),
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


async def test_progress_is_shown_before_a_service_is_called(chat: Chat) -> None:
    card = await chat.say("setup integration")
    turn = await chat.turn(press(card, "setup.cloudlink", ACCOUNT))
    first, last = turn.replaced
    assert "Checking with CloudLink" in words(first)
    assert not buttons(first)
    assert "Step 2 of 4" in words(last)


async def test_no_secret_is_shown_logged_or_stored_in_clear(chat: Chat) -> None:
    with capture_logs() as logs:
        chat.integrations.errors["check_teams"] = CredentialsWrong(Fault.ENTRA_SECRET_WRONG, code=7000215)
        card = await chat.press(await at_teams(chat), "setup.save", APP)
        chat.integrations.errors["check_teams"] = RuntimeError(CLIENT_SECRET)
        await chat.press(card, "setup.save", APP)
        del chat.integrations.errors["check_teams"]
        await chat.press(card, "setup.save", APP)
    assert chat.integrations.calls[-1] == "preview"
    said = json.dumps(chat.shown, ensure_ascii=False) + json.dumps(logs, ensure_ascii=False, default=str)
    for secret in (CLOUDLINK_SECRET, CLIENT_SECRET):
        assert secret not in said
        assert secret.encode() not in chat.stored_bytes()


async def test_the_proven_cloudlink_secret_is_kept_encrypted_until_it_was_used(chat: Chat) -> None:
    card = await at_teams(chat)
    draft = await draft_of(chat)
    assert draft is not None
    assert draft.cloudlink_secret_sealed
    assert CLOUDLINK_SECRET not in draft.cloudlink_secret_sealed
    assert "cloudlink_secret" not in draft.values
    await chat.press(card, "setup.save", APP)
    draft = await draft_of(chat)
    assert draft is not None
    assert draft.cloudlink_secret_sealed is None


async def test_an_unproven_secret_is_not_kept_at_all(chat: Chat) -> None:
    chat.integrations.errors["check_cloudlink"] = CredentialsWrong(Fault.CLOUDLINK_REFUSED)
    await at_register_failing(chat)
    draft = await draft_of(chat)
    assert draft is not None
    assert draft.cloudlink_secret_sealed is None


async def at_register_failing(chat: Chat) -> Card:
    return await chat.press(await chat.say("setup integration"), "setup.cloudlink", ACCOUNT)


async def test_cancel_keeps_nothing(chat: Chat) -> None:
    card = await chat.press(await at_teams(chat), "setup.cancel")
    assert EN("setup.cancelled.title") in words(card)
    assert await draft_of(chat) is None
    assert not chat.integrations.stored


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault.startswith("cloudlink.")])
async def test_a_cloudlink_fault_is_shown_at_its_field(chat: Chat, fault: Fault) -> None:
    texts = load_texts()[Language.ENGLISH]
    chat.integrations.errors["check_cloudlink"] = example(fault)
    card = await at_register_failing(chat)
    said = error_below(card, FIELD_OF.get(fault, ""))
    assert texts(f"fault.{fault}") in said
    assert texts(f"fault.{fault}.remedy") in said
    assert link_urls(card)
    assert inputs(card)["account_id"]["value"] == "1000200030"
    assert "value" not in inputs(card)["cloudlink_secret"]


@pytest.mark.parametrize("locale", ["en-US", "pt-PT"])
@pytest.mark.parametrize("fault", [fault for fault in Fault if not fault.startswith("cloudlink.")])
async def test_a_microsoft_fault_is_shown_at_its_field(chat: Chat, fault: Fault, locale: str) -> None:
    card = await at_teams(chat)
    error = example(fault)
    chat.integrations.errors["check_teams"] = error
    chat.locale = locale
    card = await chat.press(card, "setup.save", APP)
    texts = load_texts()[Language.PORTUGUESE if locale == "pt-PT" else Language.ENGLISH]
    said = error_below(card, FIELD_OF.get(fault, ""))
    assert texts.lenient(f"fault.{fault}", error.context) in said
    assert texts(f"fault.{fault}.remedy") in said
    assert link_urls(card)
    assert {name: inputs(card)[name].get("value") for name in APP} == {**APP, "client_secret": None}
    assert not chat.integrations.stored


async def test_which_permission_lacks_consent_is_named_and_the_link_asks_for_it(chat: Chat) -> None:
    card = await at_teams(chat)
    missing = CredentialsWrong(Fault.GRAPH_CONSENT_MISSING, permissions="Presence.ReadWrite.All")
    chat.integrations.errors["check_teams"] = missing
    card = await chat.press(card, "setup.save", APP)
    said = error_below(card, "client_id")
    assert "Presence.ReadWrite.All" in said
    assert "User.Read.All" not in said
    assert link_urls(card) == [f"https://login.microsoftonline.com/{TENANT}/adminconsent?client_id={CLIENT}"]


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
async def test_a_malformed_value_is_refused_without_a_call(
    chat: Chat, field: str, typed: str, expected: str
) -> None:
    card = await chat.press(await at_teams(chat), "setup.save", {**APP, field: typed})
    assert expected in error_below(card, field)
    assert "check_teams" not in chat.integrations.calls


async def test_several_errors_are_shown_together(chat: Chat) -> None:
    card = await chat.press(await at_teams(chat), "setup.save", {**APP, "name": "", "tenant_id": "x"})
    assert error_below(card, "name")
    assert error_below(card, "tenant_id")
    assert not error_below(card, "client_id")


async def test_step_one_needs_all_but_the_region(chat: Chat) -> None:
    empty = dict.fromkeys(ACCOUNT, "")
    card = await chat.press(await chat.say("setup integration"), "setup.cloudlink", empty)
    assert all(error_below(card, field) for field in ACCOUNT)
    assert chat.integrations.calls == []


async def test_the_expiry_may_stay_unknown(chat: Chat) -> None:
    await chat.press(await at_teams(chat), "setup.save", {**APP, "expires_on": ""})
    ((_, view),) = chat.integrations.stored.values()
    assert view.secret_expires_on is None


async def test_the_chats_own_tenant_is_offered(chat: Chat) -> None:
    assert inputs(await at_teams(chat))["tenant_id"]["value"] == TENANT


async def test_a_tenant_that_is_no_id_is_not_offered(chat: Chat) -> None:
    chat.tenant = "not-a-guid"
    assert "value" not in inputs(await at_teams(chat))["tenant_id"]


async def test_blanks_around_pasted_values_do_not_count(chat: Chat) -> None:
    padded = {field: f" {value}\n" for field, value in APP.items()}
    await chat.press(await at_teams(chat), "setup.save", padded)
    assert chat.integrations.apps[-1].client_secret == CLIENT_SECRET
    assert chat.integrations.apps[-1].client_id == CLIENT


async def test_two_integrations_do_not_share_a_name(chat: Chat) -> None:
    await chat.press(await at_preview(chat), "setup.later")
    card = await chat.press(await at_teams(chat), "setup.save", {**APP, "name": "HEAD office"})
    assert "already" in error_below(card, "name")
    assert len(chat.integrations.stored) == 1


async def test_back_keeps_what_was_typed_and_the_secret_need_not_be_pasted_again(chat: Chat) -> None:
    card = await chat.press(await at_teams(chat), "setup.back")
    card = await chat.press(card, "setup.back")
    assert inputs(card)["account_id"]["value"] == "1000200030"
    assert not inputs(card)["cloudlink_secret"].get("isRequired")
    card = await chat.press(card, "setup.cloudlink", {"cloudlink_secret": ""})
    assert "Step 2 of 4" in words(card)
    assert chat.integrations.accounts[-1].client_secret == CLOUDLINK_SECRET


async def test_another_account_after_back_is_not_mistaken_for_a_proven_one(chat: Chat) -> None:
    card = await chat.press(await at_register(chat), "setup.back")
    chat.integrations.errors["check_cloudlink"] = ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE)
    card = await chat.press(card, "setup.cloudlink", {"account_id": "other", "cloudlink_secret": ""})
    assert inputs(card)["cloudlink_secret"].get("isRequired")
    draft = await draft_of(chat)
    assert draft is not None
    assert draft.cloudlink_secret_sealed is None


async def test_back_and_cancel_send_nothing_that_was_typed(chat: Chat) -> None:
    for card in (await at_teams(chat), await chat.say("setup integration")):
        for verb, button in buttons(card).items():
            if verb in ("setup.back", "setup.cancel"):
                assert button["associatedInputs"] == "none"
                assert button["fallback"]["associatedInputs"] == "none"


# Resuming


async def test_a_card_from_before_a_restart_still_works(chat: Chat) -> None:
    card = await at_teams(chat)
    chat.restart()
    card = await chat.press(card, "setup.save", APP)
    assert "Step 4 of 4" in words(card)
    assert chat.integrations.accounts[-1].client_secret == CLOUDLINK_SECRET


@pytest.mark.parametrize(
    ("reach", "step"), [(at_register, "Step 2 of 4"), (at_teams, "Step 3 of 4"), (at_preview, "Step 4 of 4")]
)
async def test_after_a_restart_the_command_offers_to_go_on(chat: Chat, reach: object, step: str) -> None:
    assert callable(reach)
    await reach(chat)
    chat.restart()
    card = await chat.say("setup integration")
    assert set(buttons(card)) == {"setup.resume", "setup.restart", "setup.cancel"}
    assert step in words(await chat.press(card, "setup.resume"))


async def test_starting_over_forgets_and_makes_older_cards_stale(chat: Chat) -> None:
    old = await at_teams(chat)
    fresh = await chat.press(await chat.say("setup integration"), "setup.restart")
    assert "value" not in inputs(fresh)["account_id"]
    assert EN("setup.ended.title") in words(await chat.press(old, "setup.save", APP))
    assert not chat.integrations.stored


async def test_an_untouched_setup_is_simply_shown_again(chat: Chat) -> None:
    await chat.say("setup integration")
    assert "Step 1 of 4" in words(await chat.say("setup integration"))


async def test_a_lost_key_asks_for_the_cloudlink_secret_again(chat: Chat) -> None:
    card = await at_teams(chat)
    chat.key = Fernet.generate_key().decode()
    chat.restart()
    card = await chat.press(card, "setup.save", APP)
    assert EN("check.cloudlink_again") in error_below(card, "cloudlink_secret")
    assert not chat.integrations.stored


# Pressing twice, pressing late


async def test_saving_twice_concurrently_stores_one(chat: Chat) -> None:
    action = press(await at_teams(chat), "setup.save", APP)
    turns = [chat.new_turn(action), chat.new_turn(action)]
    await asyncio.gather(*(chat.pipeline(turn) for turn in turns))
    assert chat.integrations.calls.count("add") == 1
    assert all("Step 4 of 4" in words(turn.answer) for turn in turns)


async def test_enabling_twice_is_harmless(chat: Chat) -> None:
    card = await at_preview(chat)
    for title in ("enabled.title", "enabled.already"):
        assert EN(title) in words(await chat.press(card, "setup.now"))


async def test_an_old_card_of_a_saved_setup_leads_to_its_last_step(chat: Chat) -> None:
    old = await at_teams(chat)
    await chat.press(old, "setup.save", APP)
    for verb in ("setup.save", "setup.cancel", "setup.back"):
        assert "Step 4 of 4" in words(await chat.press(old, verb, APP))
    assert len(chat.integrations.stored) == 1


async def test_a_finished_setups_cards_say_so(chat: Chat) -> None:
    old = await at_teams(chat)
    await chat.press(await chat.press(old, "setup.save", APP), "setup.now")
    assert EN("setup.ended.title") in words(await chat.press(old, "setup.save", APP))


async def test_a_saved_setup_whose_integration_was_removed_starts_over(chat: Chat) -> None:
    await at_preview(chat)
    chat.integrations.stored.clear()
    card = await chat.press(await chat.say("setup integration"), "setup.resume")
    assert "out of date" in words(card)
    assert "Step 1 of 4" in words(await chat.say("setup integration"))


async def test_another_administrators_draft_is_out_of_reach(chat: Chat) -> None:
    card = await at_teams(chat)
    chat.admins = (ADMIN, "other-admin")
    chat.restart()
    chat.person = "other-admin"
    await chat.say("hello")
    assert EN("setup.ended.title") in words(await chat.press(card, "setup.save", APP))
    assert not chat.integrations.stored


# The last step


def left_out(count: int) -> tuple[UnmatchedPerson, ...]:
    return tuple(UnmatchedPerson(f"Person {n}", f"p{n}@contoso.example", Unmatched.NOT_FOUND) for n in range(count))


async def test_the_preview_counts_explains_and_warns(chat: Chat) -> None:
    sent = (WouldSend("Ada", LineState.ON_CALL, Presence.IN_A_CALL),)
    chat.integrations.found = Preview(25, left_out(2), sent)
    said = words(await at_preview(chat))
    for expected in (
        "27",
        "25",
        "Person 1",
        EN("unmatched.not_found"),
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


async def test_later_says_how_to_come_back(chat: Chat) -> None:
    card = await chat.press(await at_preview(chat), "setup.later")
    assert "enable presence" in words(card)
    assert "enable" not in chat.integrations.calls
    assert await draft_of(chat) is None


async def test_names_from_outside_are_shown_literally(chat: Chat) -> None:
    """An account's name is not Markdown: it is shown in text runs only."""
    card = await at_register(chat)
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
    form = await at_teams(chat)
    chat.integrations.errors["add"] = chat.integrations.errors["check_room"] = TooManyIntegrations(20)
    for card in (await chat.press(form, "setup.save", APP), await chat.say(typed)):
        assert expected in words(card)
        assert "MAX_INTEGRATIONS" in words(card)
        assert list(buttons(card)) == ["command.integrations"]


async def test_an_equal_set_up_leads_to_the_existing_integration(chat: Chat) -> None:
    form = await at_teams(chat)
    chat.integrations.errors["add"] = AlreadySetUp("the-existing-one")
    card = await chat.press(form, "setup.save", APP)
    assert "already set up" in words(card)
    assert list(buttons(card)) == ["status.show", "command.integrations"]
