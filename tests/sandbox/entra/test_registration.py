from datetime import timedelta
from random import Random
from uuid import UUID

from sandbox.entra.registration import Registration, SecretVerdict
from tests.sandbox.callers import MORNING
from tests.support.clocks import FakeClock


def test_a_secret_looks_like_entras_and_its_id_is_a_guid() -> None:
    secret = Registration().add_secret("Laptop", 90, FakeClock(MORNING).now, Random(1))
    assert len(secret.value) == 40
    assert secret.value[3:6] == "8Q~"
    assert secret.hint == secret.value[:3]
    assert str(UUID(secret.key_id)) == secret.key_id
    assert secret.end - secret.start == timedelta(days=90)


def test_a_secret_is_good_until_it_ends_and_its_id_never() -> None:
    clock, registration = FakeClock(MORNING), Registration()
    secret = registration.add_secret("Laptop", 1, clock.now, Random(1))
    assert registration.check_secret(secret.value, clock.now) is SecretVerdict.GOOD
    assert registration.check_secret(secret.key_id, clock.now) is SecretVerdict.WRONG
    clock.advance(days=1)
    assert registration.check_secret(secret.value, clock.now) is SecretVerdict.EXPIRED


def test_two_secrets_work_side_by_side() -> None:
    clock, random, registration = FakeClock(MORNING), Random(1), Registration()
    both = [registration.add_secret(name, 1, clock.now, random) for name in ("old", "new")]
    assert {registration.check_secret(each.value, clock.now) for each in both} == {SecretVerdict.GOOD}
    registration.secrets.remove(both[0])
    assert registration.check_secret(both[0].value, clock.now) is SecretVerdict.WRONG


def test_roles_are_what_was_consented_to() -> None:
    registration = Registration()
    assert registration.roles == ["User.Read.All", "Presence.ReadWrite.All"]
    registration.permissions["User.Read.All"] = False
    assert registration.roles == ["Presence.ReadWrite.All"]


def test_a_tenant_is_known_by_id_and_by_domain() -> None:
    registration = Registration()
    assert registration.knows_tenant(registration.tenant_id.upper())
    assert registration.knows_tenant("valeverde.example")
    assert not registration.knows_tenant("other.example")
