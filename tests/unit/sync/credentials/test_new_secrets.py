"""What looks like a client secret, and how long a new one is waited for."""

from dataclasses import dataclass, field

import pytest

from sync.credentials.new_secrets import PAUSES, holds_secret, once_known, public_name
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError

SECRET = "Ab~8Q~" + "x" * 34


@dataclass
class Check:
    """A check that fails with each of ``errors`` in turn and then succeeds."""

    errors: list[SyncError] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    said: int = 0

    async def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "good"

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def say(self) -> None:
        self.said += 1


def refused(fault: Fault = Fault.ENTRA_SECRET_WRONG) -> SyncError:
    return CredentialsWrong(fault)


@pytest.mark.parametrize(
    ("text", "shaped"),
    [
        (SECRET, True),
        ("Xq18Q~dK3vLw9ZtR_uYbN7.cFhJmSaGe2PoTiV", True),
        ("8f3c1b52-0a4e-4b6e-9d67-2f1f3c5d7e90", False),
        ("Head office", False),
        (f"My {SECRET}", True),
        ("5c" * 32, True),
        ("dGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVy1234==", True),
        ("8f3c1b520a4e4b6e9d672f1f3c5d7e90", False),
        ("cloudlink-presence-of-the-office-in-porto", False),
        ("", False),
    ],
)
def test_the_shape_of_a_secret(text: str, shaped: bool) -> None:
    assert holds_secret(text) is shaped


def test_a_secret_typed_as_a_name_is_published_nowhere() -> None:
    assert public_name("Head office") == "Head office"
    assert SECRET not in public_name(f"Office {SECRET}")


@pytest.mark.parametrize("fault", [Fault.ENTRA_SECRET_WRONG, Fault.ENTRA_CLIENT_UNKNOWN])
async def test_a_secret_that_is_not_known_yet_is_tried_until_it_is(fault: Fault) -> None:
    check = Check([refused(fault), refused(fault)])
    assert await once_known(SECRET, check, check.say, check.sleep) == "good"
    assert (check.pauses, check.said) == ([1.0, 2.0], 2)


async def test_a_secret_that_stays_unknown_is_refused_after_twenty_seconds() -> None:
    check = Check([refused() for _ in range(20)])
    with pytest.raises(CredentialsWrong):
        await once_known(SECRET, check, None, check.sleep)
    assert sum(check.pauses) == sum(PAUSES) == 20


@pytest.mark.parametrize(
    ("secret", "error"),
    [
        ("pasted wrongly", refused()),
        (SECRET, refused(Fault.ENTRA_SECRET_EXPIRED)),
        (SECRET, refused(Fault.GRAPH_CONSENT_MISSING)),
        (SECRET, ServiceUnavailable(Fault.ENTRA_UNREACHABLE)),
    ],
)
async def test_what_waiting_cannot_change_is_refused_immediately(secret: str, error: SyncError) -> None:
    check = Check([error])
    with pytest.raises(type(error)):
        await once_known(secret, check, None, check.sleep)
    assert check.pauses == []
