"""Rotating a secret in the chat; no secret is ever shown or kept."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from bot.activity import Card
from bot.languages import Language, load_texts
from storage.tables.history import HistoryEntry
from storage.tables.integrations import Integration
from storage.tables.rotations import Monitor, Rotation
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import Actor, CloudLinkAccount, CredentialKind, IntegrationView, TeamsApp
from sync.domain.rotation import CredentialChoices, OldSecretLeft, RotationKind, RotationStep, RotationUnderWay
from tests.support.bot.chat import NOW, Chat
from tests.support.bot.fake_credentials import PEM, rotation
from tests.support.bot.fakes import ADMIN, TENANT, buttons, error_below, inputs, link_urls, words
from tests.support.bot.texts import EN
from tests.support.storage.stores import integration, stored

TENANT_ID = "aaaaaaaa-0000-4000-8000-000000000001"
CLIENT_ID = "bbbbbbbb-0000-4000-8000-000000000002"
SECRET = "new~S3cret~value"
TYPED = {"description": "Second secret", "client_secret": SECRET, "expires_on": "2027-05-31"}
BY = Actor(ADMIN, "Somebody")
PT = load_texts()[Language.PORTUGUESE]


async def add_integration(chat: Chat, name: str = "Head office", owner: str = TENANT) -> IntegrationView:
    account = CloudLinkAccount("", "1000", "reader", "cloudlink-secret")
    view = await chat.integrations.add(owner, name, account, TeamsApp(TENANT_ID, CLIENT_ID, "old~secret"), None, BY)
    chat.integrations.calls.clear()
    return view


def said(chat: Chat) -> list[str]:
    """The calls that change something."""
    return [str(call[0]) for call in chat.credentials.calls if call[0] not in ("may_rotate", "rotation")]


# By hand


@pytest.mark.parametrize("typed", ["rotate secret", "renew secret", "Substituir segredo", "renovar segredo"])
async def test_the_card_asks_for_three_things_and_says_for_which_application(chat: Chat, typed: str) -> None:
    await add_integration(chat)
    card = await chat.say(typed)
    assert list(inputs(card)) == ["client_secret", "expires_on", "description"]
    assert "value" not in inputs(card)["description"]
    assert inputs(card)["client_secret"]["style"] == "Password"
    assert TENANT_ID in words(card)
    assert CLIENT_ID in words(card)
    assert any(f"Credentials/appId/{CLIENT_ID}" in url for url in link_urls(card))
    assert "rotate.for_me" not in buttons(card)


async def test_a_proven_secret_is_stored_and_the_card_shows_when_it_works(chat: Chat) -> None:
    view = await add_integration(chat)
    chat.credentials.steps = (
        rotation(view.id, RotationKind.MANUAL, RotationStep.PROVE),
        rotation(view.id, RotationKind.MANUAL, RotationStep.DONE),
    )
    turn = await chat.turn_of_press(await chat.say("rotate secret"), "rotate.save", TYPED)
    assert chat.credentials.secrets == [SECRET]
    assert ("replace_secret", "Second secret", date(2027, 5, 31), BY) in chat.credentials.calls
    shown = [words(card) for card in turn.replaced]
    assert "Testing" in shown[0]
    assert "is kept until" in shown[1]
    assert EN("rotate.proven") in shown[2]
    assert "Head office" in shown[2]
    assert "monitors.show" in buttons(turn.answer)


class Killed(BaseException):
    """The process ends."""


async def cut_off(chat: Chat, card: Card, verb: str, call: str) -> None:
    """Press the button; the process ends within the call."""
    chat.credentials.errors[call] = Killed()
    with pytest.raises(Killed):
        await chat.press(card, verb, TYPED)
    chat.credentials.errors.clear()


@pytest.mark.parametrize(("verb", "call"), [("rotate.save", "replace_secret"), ("rotate.start", "start_rotation")])
async def test_a_press_that_was_cut_off_is_not_answered_with_an_earlier_rotation(
    chat: Chat, verb: str, call: str
) -> None:
    view = await add_integration(chat)
    chat.credentials.may = True
    chat.credentials.going = rotation(view.id, RotationKind.MANUAL, RotationStep.DONE)
    card = await chat.say("rotate secret")
    card = await chat.press(card, "rotate.for_me") if verb == "rotate.start" else card
    await cut_off(chat, card, verb, call)
    turn = await chat.turn_of_press(card, verb, TYPED)
    assert EN("rotate.nothing_yet") in words(turn.answer)
    assert EN("rotate.replaced") not in words(turn.answer)
    assert turn.sent == []
    assert EN("rotate.replaced") in words(await chat.press(turn.answer, "rotate.save", TYPED))
    assert EN("rotate.replaced") in words(await chat.press(turn.answer, "rotate.save", TYPED))


async def test_a_press_that_was_cut_off_after_it_began_a_rotation_follows_it(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the act runs again: it finds what it began, though the form is outdated by it."""

    async def ended(*_: object) -> None:
        raise Killed

    view = await add_integration(chat)
    card = await chat.say("rotate secret")
    with monkeypatch.context() as patched:
        patched.setattr("bot.commands.credentials.rotate._follow", ended)
        with pytest.raises(Killed):
            await chat.press(card, "rotate.save", TYPED)
    await chat.integrations.rename(TENANT, view.id, view.revision, "Main office", BY)
    chat.restart()
    chat.now += timedelta(minutes=3)
    answer = words(await chat.press(card, "rotate.save", TYPED))
    assert EN("rotate.replaced") in answer
    assert EN("pressed.once") not in answer
    assert said(chat) == ["replace_secret"]


async def test_a_form_that_became_outdated_leads_to_itself_again(chat: Chat) -> None:
    view = await add_integration(chat)
    card = await chat.say("rotate secret")
    await chat.integrations.rename(TENANT, view.id, view.revision, "Main office", BY)
    again = await chat.press(card, "rotate.save", TYPED)
    assert EN("edit.outdated") in words(again)
    assert again["actions"][0]["verb"] == "rotate.ask"


@pytest.mark.parametrize(
    ("acts", "is_outdated"),
    [
        (["schedule"], False),
        (["rename", "schedule"], False),
        (["edit_teams"], True),
        (["edit_teams", "schedule"], True),
        (["schedule", "rotate"], True),
    ],
)
async def test_only_what_concerns_the_credentials_outdates_the_form(
    chat: Chat, acts: list[str], is_outdated: bool
) -> None:
    view = await add_integration(chat)
    await stored(chat.database, act(view, "edit_teams", NOW - timedelta(hours=1)))
    card = await chat.say("rotate secret")
    for number, name in enumerate(acts):
        view = await chat.integrations.rename(TENANT, view.id, view.revision, f"Office {number}", BY)
        await stored(chat.database, act(view, name, NOW + timedelta(seconds=number)))
    again = await chat.press(card, "rotate.save", TYPED)
    assert (EN("edit.outdated") in words(again)) is is_outdated
    assert bool(chat.credentials.secrets) is not is_outdated


def act(view: IntegrationView, name: str, at: datetime) -> HistoryEntry:
    subject = {"owner_tenant": TENANT, "integration_id": view.id, "actor_id": "ben"}
    return HistoryEntry.model_validate({**subject, "act": name, "result": "done", "at": at})


async def test_a_button_whose_rotation_was_followed_by_another_does_not_call_it_current(chat: Chat) -> None:
    view = await add_integration(chat)
    card = await chat.say("rotate secret")
    await chat.press(card, "rotate.save", TYPED)
    chat.credentials.going = replace(rotation(view.id, RotationKind.SHARED, RotationStep.DONE), id="another")
    answer = words(await chat.press(card, "rotate.save", TYPED))
    assert EN("rotate.replaced") not in answer
    assert EN("rotate.nothing_yet") not in answer


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"description": "x" * 61}, "description"),
        ({"description": SECRET}, "description"),
        ({"description": "Xq18Q~dK3vLw9ZtR_uYbN7.cFhJmSaGe2PoTiVx0"}, "description"),
        ({"client_secret": ""}, "client_secret"),
        ({"client_secret": "x" * 513}, "client_secret"),
        ({"expires_on": "2026-11-21"}, "expires_on"),
        ({"expires_on": "soon"}, "expires_on"),
        ({"expires_on": "9999-12-31"}, "expires_on"),
    ],
)
async def test_a_missing_or_wrong_value_is_shown_at_its_field(
    chat: Chat, typed: dict[str, str], field: str
) -> None:
    await add_integration(chat)
    card = await chat.press(await chat.say("rotate secret"), "rotate.save", {**TYPED, **typed})
    assert error_below(card, field)
    assert not any(secret in str(card) for secret in (SECRET, "8Q~"))
    assert said(chat) == []


@pytest.mark.parametrize(
    ("error", "field", "sentence"),
    [
        (CredentialsWrong(Fault.ENTRA_SECRET_WRONG), "client_secret", "not a secret of this application"),
        (CredentialsWrong(Fault.ENTRA_SECRET_IS_ID), "client_secret", "secret's ID was entered, not its Value"),
        (CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED), "client_secret", "Client secret expired"),
        (CredentialsWrong(Fault.ENTRA_CLIENT_UNKNOWN), "", "no application with this client ID"),
        (CredentialsWrong(Fault.GRAPH_CONSENT_MISSING, permissions="User.Read.All"), "", "User.Read.All"),
        (ServiceUnavailable(Fault.ENTRA_UNREACHABLE), "", "can't be reached"),
    ],
)
async def test_a_refusal_by_microsoft_is_shown_and_the_rest_is_kept(
    chat: Chat, error: SyncError, field: str, sentence: str
) -> None:
    await add_integration(chat)
    chat.credentials.errors["replace_secret"] = error
    card = await chat.press(await chat.say("rotate secret"), "rotate.save", TYPED)
    assert sentence in (error_below(card, field) if field else words(card))
    assert inputs(card)["description"]["value"] == "Second secret"
    assert inputs(card)["expires_on"]["value"] == "2027-05-31"
    assert "value" not in inputs(card)["client_secret"]


async def test_the_secret_is_on_no_card_and_not_on_disk(
    chat: Chat, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    await add_integration(chat)
    for error in (None, CredentialsWrong(Fault.ENTRA_SECRET_WRONG), RuntimeError(SECRET)):
        chat.credentials.errors = {"replace_secret": error} if error else {}
        await chat.press(await chat.say("rotate secret"), "rotate.save", TYPED)
    written = capsys.readouterr()
    assert SECRET not in str(chat.shown) + caplog.text + written.out + written.err
    assert SECRET.encode() not in chat.stored_bytes()


async def test_another_tenants_integration_cannot_be_touched(chat: Chat) -> None:
    await add_integration(chat)
    foreign = await add_integration(chat, "Theirs", "another-tenant")
    verbs = ("rotate.ask", "rotate.save", "rotate.start", "rotate.progress", "command.rotate", "auto_rotate.on")
    for verb in verbs:
        card = await chat.act(verb, integration=foreign.id, **TYPED)
        assert "out of date" in words(card)
    for verb in ("certificate.make", "certificate.use", "certificate.host", "certificate.federated"):
        assert "out of date" in words(await chat.act(verb, integration=foreign.id))
    assert chat.credentials.calls == []


async def test_of_several_it_asks_which_and_a_notices_button_names_one(chat: Chat) -> None:
    await add_integration(chat)
    second = await add_integration(chat, "Branch")
    card = await chat.say("rotate secret")
    assert "Branch" in words(await chat.press(card, "rotate.ask", {"integration": second.id}))
    assert "Branch" in words(await chat.act("command.rotate", integration=second.id))


async def test_cancelling_changes_nothing(chat: Chat) -> None:
    await add_integration(chat)
    card = await chat.press(await chat.say("rotate secret"), "rotate.cancel")
    assert "Nothing was changed" in words(card)
    assert said(chat) == []


# For me


async def test_where_the_application_may_the_bot_offers_to_do_it(chat: Chat) -> None:
    view = await add_integration(chat)
    chat.credentials.may = True
    asked = await chat.press(await chat.say("rotate secret"), "rotate.for_me")
    assert said(chat) == []
    assert "Add a new secret in Azure" in words(asked)
    chat.credentials.steps = tuple(
        rotation(view.id, RotationKind.ON_REQUEST, step)
        for step in (
            RotationStep.ADD,
            RotationStep.WAIT,
            RotationStep.SWAP,
            RotationStep.PROVE,
            RotationStep.REMOVE,
            RotationStep.DONE,
        )
    )
    turn = await chat.turn_of_press(asked, "rotate.start")
    assert said(chat) == ["start_rotation"]
    done = [words(card).count("✅") for card in turn.replaced]
    assert done == [0, 1, 2, 3, 4, 5]
    assert EN("rotate.for_me.done") in words(turn.answer)


async def test_while_it_is_under_way_the_command_shows_it(chat: Chat) -> None:
    view = await add_integration(chat)
    waiting = rotation(
        view.id, RotationKind.ON_REQUEST, RotationStep.WAIT, error=CredentialsWrong(Fault.ENTRA_SECRET_WRONG)
    )
    chat.credentials.going = waiting
    card = await chat.say("rotate secret")
    assert EN("rotate.held_up") in words(card)
    chat.credentials.going = replace(
        waiting, step=RotationStep.DONE, finished_at=NOW, error=None, old_left=OldSecretLeft.MONITORS
    )
    card = await chat.press(card, "rotate.progress")
    assert EN("rotate.old_left.monitors") in words(card)
    assert words(card).count("✅") == 4, "the old secret was not removed"
    assert "Description" in words(await chat.say("rotate secret"))


async def test_the_integration_that_uses_the_old_secret_too_is_named(chat: Chat) -> None:
    view = await add_integration(chat)
    await add_integration(chat, "Porto office")
    await add_integration(chat, "Of another customer", owner="other-tenant")
    left = rotation(view.id, RotationKind.ON_REQUEST, RotationStep.DONE)
    chat.credentials.steps = (replace(left, old_left=OldSecretLeft.SHARED),)
    card = await chat.act("rotate.start", integration=view.id)
    assert EN.plural("rotate.old_left.shared.named", 1, names="Porto office") in words(card)


@pytest.mark.parametrize("kind", [RotationKind.ON_REQUEST, RotationKind.MANUAL])
@pytest.mark.parametrize("credential", [CredentialKind.SECRET, CredentialKind.CERTIFICATE])
async def test_a_rotation_that_an_edit_ended_is_not_called_done(
    chat: Chat, kind: RotationKind, credential: CredentialKind
) -> None:
    view = await add_integration(chat)
    chat.credentials.going = rotation(view.id, kind, RotationStep.PROVE, credential=credential)
    chat.credentials.going = replace(chat.credentials.going, finished_at=NOW)
    assert EN("edit.outdated") in words(await chat.act("rotate.progress", integration=view.id))


async def test_typing_a_secret_during_a_rotation_is_refused(chat: Chat) -> None:
    await add_integration(chat)
    card = await chat.say("rotate secret")
    chat.credentials.errors["replace_secret"] = RotationUnderWay()
    assert EN("rotate.under_way") in words(await chat.press(card, "rotate.save", TYPED))


async def test_a_failure_says_why_and_what_to_do(chat: Chat) -> None:
    view = await add_integration(chat)
    error = CredentialsWrong(Fault.GRAPH_ROTATION_FORBIDDEN)
    chat.credentials.steps = (rotation(view.id, RotationKind.ON_REQUEST, RotationStep.FAILED, error=error),)
    card = await chat.act("rotate.start", integration=view.id)
    assert "Application.ReadWrite.OwnedBy" in words(card)
    assert "still in use" in words(card)
    assert "rotate.ask" in buttons(card)


async def test_after_it_the_monitors_are_asked_about(chat: Chat) -> None:
    view = await add_integration(chat)
    await finished_beside_a_monitor(chat, view)
    chat.credentials.steps = (rotation(view.id, RotationKind.MANUAL, RotationStep.DONE),)
    turn = await chat.turn_of_press(await chat.say("rotate secret"), "rotate.save", TYPED)
    (question,) = turn.sent
    assert "Lobby" in words(question)


async def finished_beside_a_monitor(chat: Chat, view: IntegrationView) -> None:
    """A monitor is listed, and the rotation that the credentials' fake tells of is stored."""
    await add(chat, integration(id=view.id, owner_tenant=TENANT))
    await add(chat, Monitor(owner_tenant=TENANT, integration_id=view.id, name="Lobby", created_at=NOW))
    row = Rotation(integration_id=view.id, owner_tenant=TENANT, kind="by_hand", step="done", started_at=NOW)
    row.id, row.finished_at = rotation(view.id, RotationKind.MANUAL, RotationStep.DONE).id, NOW
    await add(chat, row)


async def add(chat: Chat, row: Integration | Monitor | Rotation) -> None:
    async with chat.database.writing() as session:
        session.add(row)


# By itself


async def test_auto_rotate_is_switched_on_and_off_by_words_and_by_buttons(chat: Chat) -> None:
    await add_integration(chat)
    chat.credentials.may = True
    card = await chat.say("auto-rotate")
    assert EN("auto_rotate.is_off") in words(card)
    card = await chat.press(card, "auto_rotate.on")
    assert EN("auto_rotate.is_on") in words(card)
    assert "auto_rotate.on" not in buttons(card)
    await chat.press(card, "auto_rotate.off")
    for typed in ("auto-rotate on", "Auto-rotate off", "ligar renovação automática", "desligar rotação automática"):
        await chat.say(typed)
    changes = [call[1] for call in chat.credentials.calls if call[0] == "set_auto_rotate"]
    assert changes == [True, False, True, False, True, False]


async def test_before_the_bot_rotates_it_says_what_listed_monitors_need(chat: Chat) -> None:
    view = await add_integration(chat)
    chat.credentials.may = True
    assert EN("rotate.for_me.own") not in words(await chat.say("auto-rotate"))
    await add(chat, integration(id=view.id, owner_tenant=TENANT))
    await add(chat, Monitor(owner_tenant=TENANT, integration_id=view.id, name="Lobby", created_at=NOW))
    for card in (await chat.act("rotate.for_me", integration=view.id), await chat.say("auto-rotate")):
        assert EN("rotate.for_me.listed", names="Lobby") in words(card)
        assert EN("rotate.for_me.own") in words(card)


async def test_auto_rotate_needs_the_permission(chat: Chat) -> None:
    await add_integration(chat)
    card = await chat.say("auto-rotate on")
    assert "Application.ReadWrite.OwnedBy" in words(card)
    assert f"az ad app owner add --id {CLIENT_ID}" in str(card)
    assert said(chat) == []


# A certificate


async def test_a_certificate_is_shown_and_used_once_it_is_accepted(chat: Chat) -> None:
    await add_integration(chat)
    card = await chat.say("certificado")
    assert set(buttons(card)) == {"certificate.make", "certificate.cancel"}
    card = await chat.press(card, "certificate.make")
    assert PEM.strip() in str(card).replace("\\n", "\n")
    assert "ABABABAB ABABABAB" in words(card)
    chat.credentials.errors["use_certificate"] = CredentialsWrong(Fault.ENTRA_CERTIFICATE_UNKNOWN)
    card = await chat.press(card, "certificate.use")
    assert EN("fault.entra.certificate_unknown") in words(card)
    assert "ABABABAB ABABABAB" in words(card)
    chat.credentials.errors.clear()
    assert "The certificate was tested and is in use" in words(await chat.press(card, "certificate.use"))
    card = await chat.say("certificate")
    assert "rotate.ask" in buttons(card)


async def test_a_certificate_that_fails_afterwards_is_not_called_in_use(chat: Chat) -> None:
    view = await add_integration(chat)
    error = CredentialsWrong(Fault.ENTRA_CERTIFICATE_UNKNOWN)
    chat.credentials.steps = (rotation(view.id, RotationKind.MANUAL, RotationStep.FAILED, error=error),)
    card = await chat.press(await chat.press(await chat.say("certificate"), "certificate.make"), "certificate.use")
    assert EN("certificate.now.certificate") not in words(card)
    assert EN("certificate.failed") in words(card)
    assert EN("fault.entra.certificate_unknown") in words(card)
    assert set(buttons(card)) == {"certificate.show", "status.show"}


async def test_a_certificate_that_is_being_proven_is_followed_as_what_it_is(chat: Chat) -> None:
    """*Refresh* shows no secret's card, and asks nothing about monitors: the secret still works."""
    view = await add_integration(chat)
    await finished_beside_a_monitor(chat, view)
    proving, done = (
        rotation(view.id, RotationKind.MANUAL, step, credential=CredentialKind.CERTIFICATE)
        for step in (RotationStep.PROVE, RotationStep.DONE)
    )
    chat.credentials.steps = (proving,)
    card = await chat.press(await chat.press(await chat.say("certificate"), "certificate.make"), "certificate.use")
    chat.credentials.steps = (done,)
    turn = await chat.turn_of_press(card, "rotate.progress")
    assert EN("certificate.now.certificate") in words(turn.answer)
    assert EN("certificate.secret_left") in words(turn.answer)
    assert turn.sent == []


async def test_a_certificate_whose_press_was_cut_off_after_it_was_used_is_followed(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object) -> None:
        raise Killed

    view = await add_integration(chat)
    card = await chat.press(await chat.say("certificate"), "certificate.make")
    with monkeypatch.context() as patched:
        patched.setattr("bot.cards.credentials.certificate.progress", ended)
        with pytest.raises(Killed):
            await chat.press(card, "certificate.use")
    await chat.integrations.rename(TENANT, view.id, view.revision, "Main office", BY)
    chat.restart()
    chat.now += timedelta(minutes=3)
    assert EN("certificate.now.certificate") in words(await chat.press(card, "certificate.use"))


async def test_a_proven_secret_without_a_date_asks_for_it(chat: Chat) -> None:
    view = await add_integration(chat)
    done = replace(rotation(view.id, RotationKind.MANUAL, RotationStep.DONE), expires_on=None)
    chat.credentials.steps = (done,)
    card = await chat.press(await chat.say("rotate secret"), "rotate.save", TYPED)
    assert "expires_on" in inputs(card)
    assert "edit.save_expiry" in buttons(card)


async def test_what_the_host_offers_is_offered(chat: Chat) -> None:
    await add_integration(chat)
    chat.credentials.offered = CredentialChoices(host_certificate=True, federated=True)
    card = await chat.say("certificate")
    chat.credentials.errors["use_host_certificate"] = CredentialsWrong(Fault.ENTRA_CERTIFICATE_UNREADABLE)
    assert "CERTIFICATE_PATH" in words(await chat.press(card, "certificate.host"))
    assert EN("certificate.now.federated") in words(await chat.press(card, "certificate.federated"))


async def test_in_portuguese(chat: Chat) -> None:
    await add_integration(chat)
    chat.locale = "pt-PT"
    card = await chat.say("substituir segredo")
    assert PT("rotate.title") in words(card)
    assert "Segredo do cliente (Valor)" in words(card).replace("Cliente", "cliente")
