"""The parts of a rotation that call no service: which secret is in use, when one is due, what is stored."""

import asyncio
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlmodel import select

from storage.encryption import Encryption
from storage.queries import clock, rotations
from storage.tables.integrations import Integration
from storage.tables.rotations import Rotation
from sync.credentials.expiry import matched
from sync.credentials.rotation_store import RotationStore, end, needs_automatic_rotation
from sync.credentials.rotator import secret_name
from sync.credentials.store import Credentials, CredentialStore
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import CredentialKind, ExpirySource, TeamsApp
from sync.domain.rotation import OldSecretLeft, RotationKind, RotationStep, rotation_view
from sync.domain.services import Password
from sync.teams import certificates
from sync.teams.host_credentials import HostCredentials
from tests.support.clocks import NOON, FakeClock
from tests.support.services.fake_services import context_of
from tests.support.storage.stores import empty_store, integration, person, read_integration, read_person, stored

TODAY = NOON.date()
ENCRYPTION = Encryption([Fernet.generate_key().decode()])
STORE = CredentialStore(ENCRYPTION)


def password(key_id: str, hint: str = "abc", days: int = 100) -> Password:
    return Password(key_id, "", hint, TODAY + timedelta(days=days))


# Which secret is in use


def test_the_hint_identifies_the_secret() -> None:
    found = matched([password("1", "xyz"), password("2")], "abc~secret", "", None, TODAY)
    assert found is not None
    assert found.key_id == "2"


def test_no_secret_has_the_hint() -> None:
    assert matched([password("1", "xyz"), password("2", "")], "abc~secret", "", TODAY, TODAY) is None
    assert matched([], "abc~secret", "1", TODAY, TODAY) is None


@pytest.mark.parametrize(
    ("key_id", "expected", "wanted"),
    [
        ("far", TODAY + timedelta(days=10), "far"),
        ("", TODAY + timedelta(days=95), "middle"),
        ("", TODAY + timedelta(days=9999), "far"),
        ("gone", None, "near"),
        ("", TODAY - timedelta(days=5), "near"),
    ],
)
def test_of_several_with_the_same_hint_id_and_expiry_decide(
    key_id: str, expected: date | None, wanted: str
) -> None:
    several = [password("past", days=-5), password("near", days=10), password("middle"), password("far", days=700)]
    found = matched(several, "abc~secret", key_id, expected, TODAY)
    assert found is not None
    assert found.key_id == wanted


def test_an_expired_secret_matches_if_no_other_has_the_hint() -> None:
    found = matched([password("past", days=-5)], "abc~secret", "", None, TODAY)
    assert found is not None
    assert found.key_id == "past"


# When an automatic rotation is due


@pytest.mark.parametrize(
    ("values", "due"),
    [
        ({"days": 30}, True),
        ({"days": 31}, False),
        ({"days": 0}, True),
        ({"days": -1}, False),
        ({"days": None}, False),
        ({"days": 5, "auto_rotate": False}, False),
        ({"days": 5, "credential": "certificate"}, False),
        ({"days": 5, "removing_since": NOON}, False),
    ],
)
def test_an_automatic_rotation_is_due(values: dict[str, Any], due: bool) -> None:
    days = values.pop("days")
    day = None if days is None else TODAY + timedelta(days=days)
    row = integration(**{"auto_rotate": True, "secret_expires_on": day, **values})
    assert needs_automatic_rotation(row, NOON) is due


@pytest.mark.usefixtures("each_database")
async def test_two_integrations_with_one_application_do_not_both_begin_one(tmp_path: Path) -> None:
    """Both are due at the same moment, and each would wait for the other before it removes the old secret."""
    async with empty_store(tmp_path) as database:
        expires, ids = TODAY + timedelta(days=5), [f"i{number}" for number in range(4)]
        for name in ids:
            await stored(database, integration(id=name, auto_rotate=True, secret_expires_on=expires))
        store = RotationStore(context_of(database, clock=FakeClock()))
        await asyncio.gather(*(store.begin_automatic(name) for name in ids))
        async with database.session() as session:
            assert len((await session.exec(select(Rotation))).all()) == 1


@pytest.mark.usefixtures("each_database")
async def test_a_rotation_that_failed_while_the_clock_was_ahead_is_tried_again_the_next_day(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        row = integration(auto_rotate=True, secret_expires_on=TODAY + timedelta(days=20))
        ahead = NOON + timedelta(days=15)
        await stored(database, row, rotation(step="failed", started_at=ahead, finished_at=ahead))
        async with database.writing() as session:
            await clock.set_back(session, NOON)
        await RotationStore(context_of(database, clock=FakeClock(NOON + timedelta(days=1)))).begin_automatic("i1")
        async with database.session() as session:
            assert await rotations.get_open(session, "i1")


# Name, view and end of a rotation


def rotation(**values: Any) -> Rotation:
    given = {"integration_id": "i1", "owner_tenant": "t1", "kind": "for_me", "step": "wait", "started_at": NOON}
    return Rotation(**{**given, **values})


def test_the_name_of_a_secret_holds_the_id_of_its_rotation_and_fits() -> None:
    row = rotation()
    name = secret_name(integration(name="Ş" * 400), row)
    assert row.id in name
    assert len(name) <= 120


def test_a_view_holds_no_secret() -> None:
    row = rotation(secret_sealed="sealed~thing", fault="entra.secret_wrong")
    view = rotation_view(row)
    assert "sealed~thing" not in repr(view) + repr(row)
    assert (view.kind, view.step, view.finished) == (RotationKind.ON_REQUEST, RotationStep.WAIT, False)
    assert view.error is not None
    end(row, RotationStep.DONE, NOON)
    assert (row.secret_sealed, row.due_at, rotation_view(row).finished) == (None, None, True)


@pytest.mark.parametrize(
    ("values", "left"),
    [
        ({"fault": "monitors"}, OldSecretLeft.MONITORS),
        ({"fault": "refused"}, OldSecretLeft.REFUSED),
        ({}, OldSecretLeft.UNKNOWN),
        ({"old_key_id": "k"}, None),
        ({"step": RotationStep.WAIT}, None),
        ({"kind": RotationKind.MANUAL}, None),
    ],
)
def test_why_an_old_secret_is_still_in_azure(values: dict[str, Any], left: OldSecretLeft | None) -> None:
    view = rotation_view(rotation(**{"step": RotationStep.DONE, **values}))
    assert (view.old_left, view.error) == (left, None)


def test_a_rotation_that_an_edit_ended_can_be_shown() -> None:
    assert rotation_view(rotation(step=RotationStep.WAIT, fault="edited", finished_at=NOON)).error is None


# The swap


FIRST = Credentials(CredentialKind.SECRET, "first~secret", "", TODAY, ExpirySource.GRAPH, "key-1")
SECOND = Credentials(CredentialKind.SECRET, "second~secret", "", None, ExpirySource.UNKNOWN, "key-2")
CERTIFIED = Credentials(CredentialKind.CERTIFICATE, "", "pem", TODAY, ExpirySource.CERTIFICATE)


@pytest.mark.parametrize("credentials", [FIRST, SECOND, CERTIFIED, Credentials(CredentialKind.FEDERATED)])
def test_credentials_are_stored_and_read_back(credentials: Credentials) -> None:
    row = integration()
    STORE.put(row, credentials)
    assert STORE.current(row) == credentials
    STORE.keep_previous(row, credentials)
    assert STORE.previous(row) == credentials
    for secret in filter(None, (credentials.secret, credentials.certificate)):
        assert secret not in str(row.model_dump()) + repr(credentials)
    expected = TeamsApp(
        "entra", "app", credentials.secret, credentials.kind, credentials.certificate, owner_tenant=row.owner_tenant
    )
    assert STORE.app(row) == STORE.app_with(row, credentials) == expected


@pytest.mark.parametrize("credentials", [FIRST, CERTIFIED])
@pytest.mark.parametrize("other", [{"id": "i2"}, {"owner_tenant": "t2"}])
def test_credentials_moved_to_another_integration_or_tenant_are_unreadable(
    credentials: Credentials, other: dict[str, str]
) -> None:
    row = integration()
    STORE.put(row, credentials)
    STORE.keep_previous(row, FIRST)
    moved = Integration(**{**row.model_dump(), **other})
    assert STORE.app(row).client_secret == credentials.secret
    assert STORE.previous(row) == FIRST
    with pytest.raises(CredentialsWrong) as caught:
        STORE.app(moved)
    assert caught.value.fault is Fault.SECRET_UNREADABLE
    assert STORE.previous(moved) is None


def test_previous_credentials_of_another_key_are_not_found() -> None:
    row = integration()
    assert STORE.previous(row) is None
    CredentialStore(Encryption([Fernet.generate_key().decode()])).keep_previous(row, FIRST)
    assert STORE.previous(row) is None


@pytest.mark.usefixtures("each_database")
async def test_a_swap_keeps_the_credentials_that_worked_and_loses_no_presence(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        row = integration(revision=4)
        STORE.put(row, FIRST)
        await stored(database, row, person(desired="Busy/InACall"))
        for new in (SECOND, CERTIFIED):
            async with database.writing() as session:
                found = await session.get(type(row), "i1")
                assert found is not None
                await STORE.replace(session, found, new, NOON)
        swapped = await read_integration(database)
        assert STORE.current(swapped) == CERTIFIED
        assert STORE.previous(swapped) == FIRST
        assert swapped.revision == 6
        waiting = await read_person(database)
        assert (waiting.desired, waiting.due_at) == ("Busy/InACall", NOON)
        async with database.writing() as session:
            found = await session.get(type(row), "i1")
            assert found is not None
            await STORE.restore(session, found, FIRST, NOON)
        back = await read_integration(database)
        assert STORE.current(back) == FIRST
        assert back.previous_secret_sealed is None


# Certificates


@pytest.fixture(scope="module")
def made() -> certificates.Certificate:
    return certificates.generate("Head office", NOON)


def test_a_certificate_is_valid_for_a_year(made: certificates.Certificate) -> None:
    assert made.expires_on == (NOON + timedelta(days=365)).date()
    assert len(made.thumbprint) == 40
    assert "PRIVATE KEY" not in made.public + repr(made)
    assert certificates.read(made.pem.encode(), "") == made


def test_the_key_of_a_stored_certificate_is_not_checked_again(made: certificates.Certificate) -> None:
    """A key of which every letter is wrong: checking it would hold the event loop whenever the card is shown."""
    assert certificates.stored(made.pem) == made
    key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    assert certificates.stored(key + made.public).public == made.public
    for content in ("", "x", made.private_key, made.private_key + "-----BEGIN CERTIFICATE-----\nAAAA"):
        with pytest.raises(certificates.NoCertificate):
            certificates.stored(content)


def test_the_order_of_a_pem_does_not_matter(made: certificates.Certificate) -> None:
    other = certificates.generate("Chain", NOON)
    assert certificates.read((other.public + made.public + made.private_key).encode(), "") == made


def test_content_without_a_certificate_and_its_key_is_refused(made: certificates.Certificate) -> None:
    other = certificates.generate("Other", NOON)
    for content in (
        b"",
        b"x",
        made.public.encode(),
        made.private_key.encode(),
        bytes(random.Random(1).randbytes(99)),
    ):
        with pytest.raises(certificates.NoCertificate):
            certificates.read(content, "")
    with pytest.raises(certificates.NoCertificate):
        certificates.read((other.private_key + made.public).encode(), "")


def test_the_files_of_the_host(made: certificates.Certificate, tmp_path: Path) -> None:
    pem, token = tmp_path / "certificate.pem", tmp_path / "token"
    host = HostCredentials(pem, "", token)
    for read, fault in (
        (host.certificate, Fault.ENTRA_CERTIFICATE_UNREADABLE),
        (host.federated_token, Fault.ENTRA_FEDERATION_UNREADABLE),
        (HostCredentials().certificate, Fault.ENTRA_CERTIFICATE_UNREADABLE),
        (HostCredentials().federated_token, Fault.ENTRA_FEDERATION_UNREADABLE),
    ):
        with pytest.raises(CredentialsWrong) as caught:
            read()
        assert caught.value.fault is fault
    pem.write_text(made.pem)
    token.write_text("a.token\n")
    assert host.certificate() == made
    assert host.federated_token() == "a.token"
    token.write_text("another.token")
    assert host.federated_token() == "another.token"


def test_a_password_is_in_no_repr() -> None:
    assert "sesame" not in repr(HostCredentials(Path("x"), "sesame"))
