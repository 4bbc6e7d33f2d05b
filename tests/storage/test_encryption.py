"""Secrets at rest: which key opens what, and what a wrong key is called."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.encryption import Encryption, Unreadable, check_keys, key_from_file

OLD, NEW, FOREIGN = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture(autouse=True)
def _on_each_database() -> None:
    """Nothing here is stored."""


def test_the_first_key_seals_and_every_key_opens() -> None:
    sealed = Encryption([OLD]).encrypt("hunter2")
    both = Encryption([NEW, OLD])
    assert both.decrypt(sealed) == "hunter2"
    assert both.can_decrypt(sealed)
    assert not both.is_newest(sealed)
    assert Encryption([NEW]).decrypt(both.encrypt("hunter2")) == "hunter2"


def test_sealed_anew_it_needs_the_old_key_no_more() -> None:
    renewed = Encryption([NEW, OLD]).renew(Encryption([OLD]).encrypt("hunter2"))
    assert Encryption([NEW]).is_newest(renewed)
    assert Encryption([NEW]).decrypt(renewed) == "hunter2"


@pytest.mark.parametrize(
    "sealed",
    [pytest.param(Encryption([FOREIGN]).encrypt("hunter2"), id="with a foreign key"), "", "no token", "é", "gAAAA"],
)
def test_what_no_key_opens(sealed: str) -> None:
    encryption = Encryption([NEW, OLD])
    assert (encryption.can_decrypt(sealed), encryption.is_newest(sealed)) == (False, False)
    for use in (encryption.decrypt, encryption.renew):
        with pytest.raises(Unreadable) as caught:
            use(sealed)
        assert str(caught.value) == ""


def test_a_wrong_key_is_told_by_its_number() -> None:
    check_keys([OLD, NEW])
    with pytest.raises(ValueError, match="key 2 is not a Fernet key") as caught:
        check_keys([OLD, "hunter2hunter2"])
    assert "hunter2" not in str(caught.value)


def test_a_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    key = key_from_file(path)
    assert key_from_file(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    check_keys([key])
