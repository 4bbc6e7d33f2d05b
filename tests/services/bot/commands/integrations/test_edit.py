"""Editing in the chat: every side, errors at their fields, and concurrent edits."""

from datetime import date, timedelta

import pytest

from bot.activity import Action, Card
from bot.languages import Texts
from storage.queries import history
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import Actor, AlreadySetUp, IntegrationView, NameTaken
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import TENANT, buttons, error_below, inputs, press, words
from tests.support.bot.setup_wizard import APP, CLIENT, CLIENT_SECRET, CLOUDLINK_SECRET, at_preview
from tests.support.bot.texts import EN, PT

OTHER = "55555555-0000-4000-8000-000000000005"
BEN = Actor("66666666-0000-4000-8000-000000000006", "Ben Example")


@pytest.fixture
async def one(chat: Chat) -> IntegrationView:
    """The only integration."""
    await chat.press(await at_preview(chat), "setup.later")
    chat.integrations.calls.clear()
    (view,) = await chat.integrations.list(TENANT)
    return view


async def form(chat: Chat, side: str) -> Card:
    return await chat.press(await chat.say("edit integration"), f"edit.{side}")


async def stored_view(chat: Chat) -> IntegrationView:
    (view,) = await chat.integrations.list(TENANT)
    return view


async def test_a_secret_is_no_name(chat: Chat, one: IntegrationView) -> None:
    secret = "Xq18Q~dK3vLw9ZtR_uYbN7.cFhJmSaGe2PoTiVx0"
    card = await chat.press(await form(chat, "rename"), "edit.save_name", {"name": secret})
    assert error_below(card, "name")
    assert secret not in str(card)
    typed = {"account_id": "c~s3cret", "cloudlink_client_id": "reader", "cloudlink_secret": "c~s3cret"}
    card = await chat.press(await form(chat, "cloudlink"), "edit.save_cloudlink", typed)
    assert error_below(card, "account_id")
    assert "c~s3cret" not in str(card)


@pytest.mark.parametrize(
    ("side", "field", "wrong"),
    [
        ("cloudlink", "cloudlink_secret", {"account_id": ""}),
        ("teams", "client_secret", {"expires_on": "2020-01-01"}),
    ],
)
async def test_a_secret_that_another_value_lost_is_needed_again(
    chat: Chat, one: IntegrationView, side: str, field: str, wrong: dict[str, str]
) -> None:
    card = await chat.press(await form(chat, side), f"edit.save_{side}", {field: "s3cret-new", **wrong})
    assert inputs(card)[field]["placeholder"] == EN("field.secret.again")
    right = {"account_id": one.cloudlink_account_id, "expires_on": "2028-01-31"}
    right = {name: value for name, value in right.items() if name in wrong}
    card = await chat.press(card, f"edit.save_{side}", right)
    assert error_below(card, field)
    assert chat.integrations.calls == []
    await chat.press(card, f"edit.save_{side}", {**right, field: "s3cret-new"})
    assert chat.integrations.calls == [f"edit_{side}"]


@pytest.mark.parametrize("said", ["edit integration", "editar integração", "rename integration"])
async def test_it_offers_every_side(chat: Chat, one: IntegrationView, said: str) -> None:
    card = await chat.say(said)
    assert {"edit.rename", "edit.cloudlink", "edit.teams", "messages.show", "integrations.open"} == set(
        buttons(card)
    )
    assert one.tenant_id in words(card)


async def test_rename(chat: Chat, one: IntegrationView) -> None:
    card = await form(chat, "rename")
    assert inputs(card)["name"]["value"] == "Head office"
    card = await chat.press(card, "edit.save_name", {"name": "  Lisbon \u200b office "})
    assert EN("edit.renamed") in words(card)
    assert (await stored_view(chat)).name == "Lisbon office"


async def test_a_name_that_is_taken_or_missing(chat: Chat, one: IntegrationView) -> None:
    card = await chat.press(await form(chat, "rename"), "edit.save_name", {"name": "  "})
    assert "is required" in error_below(card, "name")
    chat.integrations.errors["rename"] = NameTaken("Branch")
    card = await chat.press(card, "edit.save_name", {"name": "Branch"})
    assert EN("check.name_taken") in error_below(card, "name")
    assert inputs(card)["name"]["value"] == "Branch"


async def test_the_cloudlink_side(chat: Chat, one: IntegrationView) -> None:
    card = await form(chat, "cloudlink")
    assert inputs(card)["account_id"]["value"] == one.cloudlink_account_id
    assert "value" not in inputs(card)["cloudlink_secret"]
    typed = {"account_id": "42", "cloudlink_client_id": "other", "region": "eu", "cloudlink_secret": "s3cret-new"}
    card = await chat.press(card, "edit.save_cloudlink", typed)
    assert EN("edit.saved.cloudlink") in words(card)
    given = chat.integrations.accounts[-1]
    assert (given.region, given.account_id, given.client_id, given.client_secret) == (
        "eu",
        "42",
        "other",
        "s3cret-new",
    )


async def test_an_empty_secret_is_passed_on_as_empty(chat: Chat, one: IntegrationView) -> None:
    await chat.press(await form(chat, "cloudlink"), "edit.save_cloudlink")
    await chat.press(await form(chat, "teams"), "edit.save_teams")
    assert (chat.integrations.accounts[-1].client_secret, chat.integrations.apps[-1].client_secret) == ("", "")


@pytest.mark.parametrize(
    ("side", "fault", "field"),
    [
        ("cloudlink", Fault.CLOUDLINK_REFUSED, "cloudlink_secret"),
        ("cloudlink", Fault.CLOUDLINK_ACCOUNT_UNKNOWN, "account_id"),
        ("teams", Fault.ENTRA_SECRET_IS_ID, "client_secret"),
        ("teams", Fault.ENTRA_TENANT_UNKNOWN, "tenant_id"),
    ],
)
async def test_a_refused_value_is_shown_at_its_field(
    chat: Chat, one: IntegrationView, side: str, fault: Fault, field: str
) -> None:
    chat.integrations.errors[f"edit_{side}"] = CredentialsWrong(fault)
    secret = "cloudlink_secret" if side == "cloudlink" else "client_secret"
    card = await chat.press(await form(chat, side), f"edit.save_{side}", {secret: "s3cret-wrong"})
    assert error_below(card, field)
    assert await stored_view(chat) == one
    assert "s3cret-wrong" not in str(chat.shown)


async def test_the_teams_side(chat: Chat, one: IntegrationView) -> None:
    card = await form(chat, "teams")
    typed = {"client_id": OTHER, "client_secret": "s3cret-new", "expires_on": "2028-01-31"}
    card = await chat.press(card, "edit.save_teams", typed)
    assert EN("edit.saved.teams") in words(card)
    view = await stored_view(chat)
    assert (view.client_id, view.secret_expires_on) == (OTHER, date(2028, 1, 31))


async def test_another_tenant_needs_a_secret_of_its_own(chat: Chat, one: IntegrationView) -> None:
    for typed in ({"tenant_id": OTHER}, {"client_id": OTHER}):
        card = await chat.press(await form(chat, "teams"), "edit.save_teams", typed)
        assert "needs its own secret" in error_below(card, "client_secret")
    same = {"tenant_id": TENANT.upper(), "client_id": CLIENT.upper()}
    await chat.press(await form(chat, "teams"), "edit.save_teams", same)
    assert chat.integrations.calls == ["edit_teams"]


async def test_a_day_that_is_past_matters_only_when_it_is_new(chat: Chat, one: IntegrationView) -> None:
    chat.now += timedelta(days=400)
    card = await chat.press(await form(chat, "teams"), "edit.save_teams")
    assert EN("edit.saved.teams") in words(card)
    card = await chat.press(await form(chat, "teams"), "edit.save_teams", {"expires_on": "2027-06-01"})
    assert error_below(card, "expires_on")


@pytest.mark.parametrize("wrong", [{"tenant_id": "contoso"}, {"client_id": ""}, {"client_secret": "x" * 600}])
async def test_a_malformed_value_calls_no_service(chat: Chat, one: IntegrationView, wrong: dict[str, str]) -> None:
    card = await chat.press(await form(chat, "teams"), "edit.save_teams", wrong)
    assert error_below(card, next(iter(wrong)))
    assert chat.integrations.calls == []


@pytest.mark.parametrize("side", ["cloudlink", "teams"])
async def test_an_edit_to_what_exists_leads_to_the_existing_integration(
    chat: Chat, one: IntegrationView, side: str
) -> None:
    chat.integrations.errors[f"edit_{side}"] = AlreadySetUp(one.id, one.name)
    card = await chat.press(await form(chat, side), f"edit.save_{side}")
    assert EN("setup.equal.remedy") in words(card)
    assert buttons(card)["status.show"]["data"]["integration"] == one.id


@pytest.mark.parametrize(("locale", "said"), [("en-US", EN("edit.outdated")), ("pt-PT", PT("edit.outdated"))])
async def test_the_second_of_two_edits_is_shown_the_first(
    chat: Chat, one: IntegrationView, locale: str, said: str
) -> None:
    chat.locale = locale
    slow = await form(chat, "rename")
    await chat.integrations.rename(TENANT, one.id, one.revision, "Ben's name", BEN)
    await _recorded(chat, one, "rename", {"from": "Head office", "to": "Ben's name"})
    chat.now += timedelta(minutes=3)
    card = await chat.press(slow, "edit.save_name", {"name": "My name"})
    shown = words(card)
    assert said in shown
    for expected in ("Ben Example", "Ben's name", "3 min"):
        assert expected in shown
    assert (await stored_view(chat)).name == "Ben's name"
    assert set(buttons(card)) == {"edit.open", "history.show"}


@pytest.mark.parametrize(("locale", "texts"), [("en-US", EN), ("pt-PT", PT)])
async def test_a_change_of_ones_own_in_another_card_is_said_to_be_that(
    chat: Chat, one: IntegrationView, locale: str, texts: Texts
) -> None:
    chat.locale = locale
    slow = await form(chat, "rename")
    me = Actor(chat.person, "Ada Example")
    await chat.integrations.rename(TENANT, one.id, one.revision, "Other", me)
    await _recorded(chat, one, "rename", {"to": "Other"}, me)
    chat.now += timedelta(minutes=3)
    shown = words(await chat.press(slow, "edit.save_name", {"name": "My name"}))
    ago = texts.relative(chat.now - timedelta(minutes=3), chat.now)
    assert texts("edit.outdated.by.you", ago=ago) in shown
    assert "Ada Example" not in shown


async def _recorded(chat: Chat, view: IntegrationView, act: str, facts: dict[str, str], by: Actor = BEN) -> None:
    async with chat.database.writing() as session:
        await history.record(
            session,
            owner_tenant=TENANT,
            integration_id=view.id,
            integration_name=view.name,
            actor_id=by.id,
            actor_name=by.name,
            act=act,
            result=history.DONE,
            facts=facts,
            now=chat.now,
        )


@pytest.mark.parametrize("revision", ["", "x", "-1", "9" * 40, "٣"])
async def test_a_forged_revision_equals_none(chat: Chat, one: IntegrationView, revision: str) -> None:
    card = await chat.act("edit.save_name", integration=one.id, revision=revision, name="Mine")
    assert EN("edit.outdated") in words(card)
    assert await stored_view(chat) == one


@pytest.mark.parametrize(
    "verb", ["open", "rename", "cloudlink", "teams", "save_name", "save_cloudlink", "save_teams"]
)
async def test_another_tenants_integration_is_not_there(chat: Chat, one: IntegrationView, verb: str) -> None:
    chat.tenant = "99999999-0000-4000-8000-000000000009"
    await chat.say("hello")
    card = await chat.act(f"edit.{verb}", integration=one.id, revision="1", **APP)
    assert "out of date" in words(card)
    assert chat.integrations.calls == []


async def test_no_secret_is_kept_shown_or_recorded(chat: Chat, one: IntegrationView) -> None:
    typed = {"client_secret": "s3cret-teams-new", "cloudlink_secret": "s3cret-cl-new"}
    await chat.press(await form(chat, "cloudlink"), "edit.save_cloudlink", typed)
    await chat.press(await form(chat, "teams"), "edit.save_teams", typed)
    said = str(chat.shown)
    for secret in (*typed.values(), CLIENT_SECRET, CLOUDLINK_SECRET):
        assert secret not in said
        assert secret.encode() not in chat.stored_bytes()


async def test_a_double_press_saves_once(chat: Chat, one: IntegrationView) -> None:
    action: Action = press(await form(chat, "rename"), "edit.save_name", {"name": "Once"})
    await chat.turn(action)
    assert "already pressed this button" in words((await chat.turn(action)).answer)
    assert (await stored_view(chat)).revision == one.revision + 1
