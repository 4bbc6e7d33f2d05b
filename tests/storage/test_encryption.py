"""Secrets at rest: which key opens what, and what a wrong key is called."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.encryption import Encryption, SecretUnreadable
from storage.keys import check_keys, key_from_file

OLD, NEW, FOREIGN = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture(autouse=True)
def _on_each_database() -> None:
    """Nothing here is stored."""


def test_the_first_key_encrypts_and_every_key_decrypts() -> None:
    sealed = Encryption([OLD]).encrypt("hunter2")
    both = Encryption([NEW, OLD])
    assert both.decrypt(sealed) == "hunter2"
    assert both.can_decrypt(sealed)
    assert not both.uses_newest_key(sealed)
    assert Encryption([NEW]).decrypt(both.encrypt("hunter2")) == "hunter2"


def test_re_encrypted_it_does_not_need_the_old_key() -> None:
    renewed = Encryption([NEW, OLD]).re_encrypt(Encryption([OLD]).encrypt("hunter2"))
    assert Encryption([NEW]).uses_newest_key(renewed)
    assert Encryption([NEW]).decrypt(renewed) == "hunter2"


@pytest.mark.parametrize(
    "sealed",
    [pytest.param(Encryption([FOREIGN]).encrypt("hunter2"), id="with a foreign key"), "", "no token", "é", "gAAAA"],
)
def test_what_no_key_decrypts(sealed: str) -> None:
    encryption = Encryption([NEW, OLD])
    assert (encryption.can_decrypt(sealed), encryption.uses_newest_key(sealed)) == (False, False)
    for use in (encryption.decrypt, encryption.re_encrypt):
        with pytest.raises(SecretUnreadable) as caught:
            use(sealed)
        assert str(caught.value) == ""


def test_a_wrong_key_is_named_by_its_number() -> None:
    check_keys([OLD, NEW])
    with pytest.raises(ValueError, match="key 2 is not a Fernet key") as caught:
        check_keys([OLD, "hunter2hunter2"])
    assert "hunter2" not in str(caught.value)


def test_a_key_file_is_created_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    key = key_from_file(path)
    assert key_from_file(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    check_keys([key])
