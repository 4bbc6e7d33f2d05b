from typing import Any

import jwt
import pytest

from tests.sandbox.callers import CloudLink, ask_cloudlink, ask_entra, call
from tests.support.clocks import FakeClock
from tests.support.services.sandboxes import SandboxHandle

TOKEN = "/authentication/2017-09-01/token"


async def test_a_token_identifies_its_client(sandbox: SandboxHandle) -> None:
    answer = await ask_cloudlink(sandbox)
    assert (answer.body["token_type"], answer.body["expires_in"]) == ("Bearer", 3747)
    who = await call(sandbox, "GET", TOKEN, token=answer.body["access_token"])
    assert who.body["accountId"] == sandbox.world.saved.account.id
    assert who.body["role"] == "ACCOUNT_ADMIN"


async def test_a_tokens_claims_name_the_region(sandbox: SandboxHandle) -> None:
    token = (await ask_cloudlink(sandbox)).body["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["domain"] == f"{sandbox.world.saved.account.id}.eu.api.mitel.io"
    assert claims["iss"] == "https://authentication.eu-central-1.api.mitel.io"


@pytest.mark.parametrize("name", ["client_id", "client_secret", "account_id"])
@pytest.mark.parametrize("value", ["wrong", "", None, 5])
async def test_wrong_credentials_are_refused(sandbox: SandboxHandle, name: str, value: Any) -> None:
    answer = await ask_cloudlink(sandbox, **{name: value})
    assert answer.status == 401
    assert answer.body.keys() == {"error", "error_description"}
    assert answer.headers["x-mitel-correlation-id"]


@pytest.mark.parametrize("field", ["refresh_token", "token"])
async def test_a_token_is_refreshed(sandbox: SandboxHandle, field: str) -> None:
    first = (await ask_cloudlink(sandbox)).body
    body = {"grant_type": "refresh_token", field: first["refresh_token"]}
    second = await call(sandbox, "POST", TOKEN, body)
    assert second.status == 200
    assert second.body["access_token"] != first["access_token"]


async def test_each_token_is_for_its_own_use(sandbox: SandboxHandle) -> None:
    tokens = (await ask_cloudlink(sandbox)).body
    body = {"grant_type": "refresh_token", "refresh_token": tokens["access_token"]}
    assert (await call(sandbox, "POST", TOKEN, body)).status == 401
    assert (await call(sandbox, "GET", TOKEN, token=tokens["refresh_token"])).status == 401
    entras = (await ask_entra(sandbox)).body["access_token"]
    assert (await call(sandbox, "GET", TOKEN, token=entras)).status == 401


async def test_a_token_ends(cloudlink: CloudLink, clock: FakeClock) -> None:
    assert (await cloudlink.get(TOKEN)).status == 200
    clock.advance(seconds=3747)
    assert (await cloudlink.get(TOKEN)).status == 401


async def test_a_new_secret_ends_the_old_one_and_its_tokens(sandbox: SandboxHandle) -> None:
    account, old = sandbox.world.saved.account, (await ask_cloudlink(sandbox)).body
    old_secret = account.client_secret
    assert await sandbox.new_cloudlink_secret() == account.client_secret != old_secret
    assert (await ask_cloudlink(sandbox, client_secret=old_secret)).status == 401
    assert (await call(sandbox, "GET", TOKEN, token=old["access_token"])).status == 401
    refresh = {"grant_type": "refresh_token", "refresh_token": old["refresh_token"]}
    assert (await call(sandbox, "POST", TOKEN, refresh)).status == 401
    assert (await ask_cloudlink(sandbox)).status == 200


@pytest.mark.parametrize("body", [[], {}, {"grant_type": "password"}, {"grant_type": ["client_credentials"]}])
async def test_other_bodies(sandbox: SandboxHandle, body: Any) -> None:
    assert (await call(sandbox, "POST", TOKEN, body)).status == 400


async def test_a_form_is_not_json(sandbox: SandboxHandle) -> None:
    async with sandbox.session.post(sandbox.url + TOKEN, data={"grant_type": "client_credentials"}) as response:
        assert response.status == 400
