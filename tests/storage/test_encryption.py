"""Secrets at rest: which key opens what, and what a wrong key is called."""

import os
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.encryption import PLACES, Encryption, SecretUnreadable, place_of
from storage.key_rotation import encrypted_columns
from storage.keys import check_keys, key_from_file
from storage.tables.rotations import Rotation
from tests.support.clocks import NOON
from tests.support.storage.stores import integration

OLD, NEW, FOREIGN = (Fernet.generate_key().decode() for _ in range(3))
ROTATION = Rotation(integration_id="i1", owner_tenant="t1", kind="by_hand", step="wait", started_at=NOON)


@pytest.fixture(autouse=True)
def _on_each_database() -> None:
    """Nothing here is stored."""


def place(column: str = "client_secret_sealed", **values: str) -> bytes:
    return place_of(integration(**values), column)


def test_the_first_key_encrypts_and_every_key_decrypts() -> None:
    here = place()
    encrypted = Encryption([OLD]).encrypt("hunter2", here)
    both = Encryption([NEW, OLD])
    assert both.decrypt(encrypted, here) == "hunter2"
    assert both.can_decrypt(encrypted, here)
    assert not both.uses_newest_key(encrypted, here)
    assert Encryption([NEW]).decrypt(both.encrypt("hunter2", here), here) == "hunter2"


def test_the_same_secret_is_never_the_same_text() -> None:
    encryption, here = Encryption([NEW]), place()
    assert len({encryption.encrypt("hunter2", here) for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param(place(id="i2"), id="another row"),
        pytest.param(place("cloudlink_secret_sealed"), id="another column"),
        pytest.param(place(owner_tenant="t2"), id="another tenant"),
        pytest.param(place(id="t1", owner_tenant="i1"), id="exchanged values"),
        pytest.param(place_of(ROTATION, "secret_sealed"), id="another table"),
        pytest.param(b"", id="no place"),
    ],
)
def test_a_moved_secret_does_not_decrypt(elsewhere: bytes) -> None:
    encryption = Encryption([NEW, OLD])
    for key in (NEW, OLD):
        encrypted = Encryption([key]).encrypt("hunter2", place())
        assert encryption.can_decrypt(encrypted, place())
        assert not encryption.can_decrypt(encrypted, elsewhere)
        assert not encryption.uses_newest_key(encrypted, elsewhere)
        with pytest.raises(SecretUnreadable):
            encryption.decrypt(encrypted, elsewhere)


def test_a_rotations_secret_is_that_of_its_integration() -> None:
    encryption = Encryption([NEW])
    encrypted = encryption.encrypt("hunter2", place_of(ROTATION, "secret_sealed"))
    moved = Rotation(**{**ROTATION.model_dump(), "integration_id": "i2"})
    assert not encryption.can_decrypt(encrypted, place_of(moved, "secret_sealed"))


def test_every_table_with_secrets_has_a_place_that_no_other_row_has() -> None:
    tables = {column.table.name: column.table for column in encrypted_columns()}
    assert set(PLACES) == set(tables)
    for name, columns in PLACES.items():
        assert set(tables[name].primary_key.columns.keys()) <= set(columns)
        assert {"owner_tenant", "tenant_id"} & set(columns)


@pytest.mark.parametrize(
    "encrypted",
    [
        pytest.param(Encryption([FOREIGN]).encrypt("hunter2", place()), id="with a foreign key"),
        pytest.param(Fernet(NEW).encrypt(b"hunter2").decode(), id="bare"),
        pytest.param(Encryption([NEW], "another purpose").encrypt("hunter2", place()), id="for another purpose"),
        pytest.param(Encryption([NEW]).encrypt("hunter2", place())[:-8], id="cut off"),
        "",
        "no token",
        "\u00e9",
        "gAAAA",
        "v2.",
        "v2.00.",
        f"v2.{'0' * 16}.AAAA",
    ],
)
def test_what_no_key_decrypts(encrypted: str) -> None:
    encryption, here = Encryption([NEW, OLD]), place()
    assert (encryption.can_decrypt(encrypted, here), encryption.uses_newest_key(encrypted, here)) == (False, False)
    with pytest.raises(SecretUnreadable) as caught:
        encryption.decrypt(encrypted, here)
    assert str(caught.value) == ""


def test_each_changed_character_is_noticed() -> None:
    encryption = Encryption([NEW])
    encrypted = encryption.encrypt("hunter2", place())
    for at, character in enumerate(encrypted.rstrip("=")[:-1]):
        changed = encrypted[:at] + ("A" if character != "A" else "B") + encrypted[at + 1 :]
        assert not encryption.can_decrypt(changed, place())


def test_a_bare_token_is_bound_with_the_first_key() -> None:
    both, here = Encryption([NEW, OLD]), place()
    bound = both.bind(Fernet(OLD).encrypt(b"hunter2").decode(), here)
    assert Encryption([NEW]).decrypt(bound, here) == "hunter2"
    for bare in (Fernet(FOREIGN).encrypt(b"hunter2").decode(), "sealed", ""):
        with pytest.raises(SecretUnreadable):
            both.bind(bare, here)


def test_a_wrong_key_is_named_by_its_number() -> None:
    check_keys([OLD, NEW])
    with pytest.raises(ValueError, match="key 2 is not a Fernet key") as caught:
        check_keys([OLD, "hunter2hunter2"])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "keys",
    [f"{OLD}\n{NEW}", f"{OLD};{NEW}", f"{OLD} {NEW}", f"{OLD}x", f"'{OLD}'"],
    ids=["newline", "semicolon", "space", "too long", "quotes"],
)
def test_keys_separated_by_other_than_commas_are_refused_and_none_is_ignored(keys: str) -> None:
    with pytest.raises(ValueError, match="key 1 is not a Fernet key") as caught:
        check_keys([keys])
    assert OLD not in str(caught.value)


@pytest.mark.parametrize("mask", [0o000, 0o277], ids=oct)
def test_a_key_file_is_created_once_for_its_owner_alone(mask: int, tmp_path: Path) -> None:
    path, umask = tmp_path / "new" / "secret.key", os.umask(mask)
    try:
        key = key_from_file(path)
    finally:
        os.umask(umask)
    assert key_from_file(path) == key
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [file.name for file in path.parent.iterdir()] == ["secret.key"]
    check_keys([key])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666], ids=oct)
def test_a_key_file_of_others_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    key = key_from_file(path)
    path.chmod(mode)
    with pytest.raises(ValueError, match=f"chmod 600 {path}") as caught:
        key_from_file(path)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    ["", "\n", NEW[:20], NEW[:-1], f"{NEW}\n{OLD}", "\0" * 44, "\u00e9" * 44],
    ids=["empty", "newline", "half", "one less", "two keys", "zeros", "letters"],
)
def test_a_torn_key_file_is_named_and_left_alone(content: str, tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.touch(0o600)
    path.write_text(content)
    with pytest.raises(ValueError, match="whole key") as caught:
        key_from_file(path)
    assert NEW[:20] not in str(caught.value)
    assert path.read_text() == content


def test_of_two_that_find_no_key_file_the_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = key_from_file(tmp_path / "secret.key")
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert key_from_file(tmp_path / "secret.key") == first
