"""The real Azure client against a vault's wire: challenge, token of a managed identity, secret; and what fails."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage import key_vault, keys
from storage.key_vault import KeyVaultUnavailable, keys_from_vault
from storage.keys import KeySource, KeysUnavailable, load_keys
from tests.support.services.vaults import TOKEN, Vault, open_vault

KEYS = [Fernet.generate_key().decode() for _ in range(2)]


@pytest.fixture(autouse=True)
def _on_each_database() -> None:
    """Nothing here is stored."""


@pytest.fixture
async def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Vault]:
    async with open_vault(tmp_path) as vault:
        for name, value in vault.environment.items():
            monkeypatch.setenv(name, value)
        vault.secrets["presence-keys"] = f" {KEYS[0]} ,{KEYS[1]},"
        yield vault


async def read(vault: Vault, name: str = "presence-keys", identity: str = "") -> list[str]:
    return await keys_from_vault(vault.secret_url(name), identity, vault.authorities)


async def test_the_keys_are_read_with_a_token_for_that_vault_alone(vault: Vault) -> None:
    assert await read(vault) == KEYS
    assert vault.asked == [("", "/secrets/presence-keys/"), (TOKEN, "/secrets/presence-keys/")]
    assert vault.resources == [(f"https://{vault.url.partition('.')[2]}", "")]


async def test_a_user_assigned_identity_is_named(vault: Vault) -> None:
    await read(vault, identity="11111111-2222-3333-4444-555555555555")
    assert [identity for _, identity in vault.resources] == ["11111111-2222-3333-4444-555555555555"]


async def test_a_version_may_be_named(vault: Vault) -> None:
    assert await read(vault, "presence-keys/0123456789abcdef") == KEYS
    assert vault.asked[-1] == (TOKEN, "/secrets/presence-keys/0123456789abcdef")


@pytest.mark.parametrize(
    ("status", "says"),
    [(403, "may not read"), (404, "no secret of that name"), (401, "no identity"), (400, "HTTP 400")],
)
async def test_a_refusal_of_the_vault_is_a_sentence(status: int, says: str, vault: Vault) -> None:
    vault.status = status
    with pytest.raises(KeyVaultUnavailable, match=says) as refusal:
        await read(vault)
    assert "hunter2" not in str(refusal.value)
    assert refusal.value.__cause__ is None


async def test_an_unknown_or_empty_secret_is_a_sentence(vault: Vault) -> None:
    with pytest.raises(KeyVaultUnavailable, match="no secret of that name"):
        await read(vault, "other")
    vault.secrets["presence-keys"] = " , "
    with pytest.raises(KeyVaultUnavailable, match="empty"):
        await read(vault)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("[]", "not a secret"),
        ("null", "not a secret"),
        ("{", "does not answer"),
        ("<html>hunter2</html>", "does not answer"),
        ('{"id": "hunter2"}', "does not answer"),
    ],
)
async def test_an_answer_without_a_secret_is_a_sentence(body: str, says: str, vault: Vault) -> None:
    vault.body = body
    with pytest.raises(KeyVaultUnavailable, match=says) as refusal:
        await read(vault)
    assert "hunter2" not in str(refusal.value)


async def test_a_vault_that_is_slow_or_holds_no_key_is_a_sentence(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "keys_from_vault", partial(keys_from_vault, authorities=vault.authorities))
    source = KeySource([], vault.secret_url(), "", Path("/nowhere"))
    vault.secrets["presence-keys"] = f"{KEYS[0]},hunter2"
    with pytest.raises(KeysUnavailable, match="KEY_VAULT_SECRET: key 2 is not a Fernet key") as refusal:
        await load_keys(source)
    assert "hunter2" not in str(refusal.value)
    monkeypatch.setattr(key_vault, "TIMEOUT_SECONDS", 0.5)
    vault.is_slow = True
    with pytest.raises(KeysUnavailable, match="KEY_VAULT_SECRET: the vault does not answer"):
        await load_keys(source)


async def test_a_vault_that_is_not_trusted_gets_no_token(vault: Vault) -> None:
    with pytest.raises(KeyVaultUnavailable, match="does not answer"):
        await keys_from_vault(vault.secret_url())
    assert vault.resources == []


async def test_an_unreachable_vault_is_a_sentence() -> None:
    with pytest.raises(KeyVaultUnavailable, match="does not answer"):
        await keys_from_vault("https://127.0.0.1:1/secrets/keys")


async def test_without_an_identity_it_says_so(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "another platform's")
    with pytest.raises(KeyVaultUnavailable, match="no identity"):
        await read(vault)
