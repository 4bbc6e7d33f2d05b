import asyncio
from typing import Any

import jwt
import msal
import pytest
import requests

from sandbox.state import World
from tests.sandbox.callers import GRAPH_SCOPE, ask_entra, call
from tests.support.clocks import FakeClock
from tests.support.services.sandboxes import SandboxHandle


async def test_a_token_says_whose_it_is_and_what_it_may(sandbox: SandboxHandle) -> None:
    answer = await ask_entra(sandbox)
    registration = sandbox.world.saved.registration
    claims = jwt.decode(answer.body["access_token"], options={"verify_signature": False})
    assert (answer.status, answer.body["token_type"], answer.body["expires_in"]) == (200, "Bearer", 3599)
    assert claims["aud"] == "https://graph.microsoft.com"
    assert (claims["tid"], claims["appid"]) == (registration.tenant_id, registration.client_id)
    assert claims["roles"] == ["User.Read.All", "Presence.ReadWrite.All"]
    assert claims["exp"] - claims["iat"] == 3599


async def test_missing_consent_is_a_token_without_the_role(sandbox: SandboxHandle) -> None:
    await sandbox.permissions(User_Read_All=False, Presence_ReadWrite_All=False)
    answer = await ask_entra(sandbox)
    assert answer.status == 200
    assert "roles" not in jwt.decode(answer.body["access_token"], options={"verify_signature": False})


def _code(body: dict[str, Any]) -> tuple[int, str]:
    assert body["error_description"].startswith(f"AADSTS{body['error_codes'][0]}: ")
    assert body["correlation_id"]
    assert body["trace_id"]
    return body["error_codes"][0], body["error"]


@pytest.mark.parametrize(
    ("form", "status", "code", "error"),
    [
        ({"client_id": "11111111-2222-4333-8444-555555555555"}, 400, 700016, "unauthorized_client"),
        ({"client_secret": "wrong"}, 401, 7000215, "invalid_client"),
        ({"client_secret": ""}, 401, 7000218, "invalid_client"),
        ({"scope": "User.Read"}, 400, 1002012, "invalid_scope"),
        ({"scope": "https://elsewhere.example/.default"}, 400, 500011, "invalid_resource"),
        ({"scope": ""}, 400, 900144, "invalid_request"),
        ({"grant_type": "password"}, 400, 70003, "unsupported_grant_type"),
    ],
)
async def test_a_wrong_form_is_refused(
    sandbox: SandboxHandle, form: dict[str, str], status: int, code: int, error: str
) -> None:
    answer = await ask_entra(sandbox, **form)
    assert (answer.status, _code(answer.body)) == (status, (code, error))


@pytest.mark.parametrize(
    ("tenant", "code"),
    [("11111111-2222-4333-8444-555555555555", 90002), ("no.such.example", 90002), ("oops", 900023)],
)
async def test_a_wrong_tenant_is_refused_at_discovery_and_at_the_token(
    sandbox: SandboxHandle, tenant: str, code: int
) -> None:
    discovery = await call(sandbox, "GET", f"/{tenant}/v2.0/.well-known/openid-configuration")
    token = await ask_entra(sandbox, tenant)
    assert discovery.status == token.status == 400
    assert _code(discovery.body)[0] == _code(token.body)[0] == code


@pytest.mark.parametrize(
    ("switch", "status", "code"),
    [("deleted", 400, 700016), ("disabled", 400, 7000112), ("conditional-access", 400, 53003)],
)
async def test_errors_caused_by_an_administrator_are_named(
    sandbox: SandboxHandle, switch: str, status: int, code: int
) -> None:
    await sandbox.registration_switch(switch)
    broken = await ask_entra(sandbox)
    await sandbox.registration_switch(switch, on=False)
    assert (broken.status, _code(broken.body)[0]) == (status, code)
    assert (await ask_entra(sandbox)).status == 200


async def test_a_missing_service_principal_is_named(sandbox: SandboxHandle) -> None:
    await sandbox.registration_switch("service-principal", on=False)
    assert _code((await ask_entra(sandbox)).body)[0] == 7000229


async def test_an_expired_secret_and_a_wrong_one_have_different_errors(
    sandbox: SandboxHandle, clock: FakeClock
) -> None:
    secret = await sandbox.new_secret(days=1)
    assert (await ask_entra(sandbox, client_secret=secret["value"])).status == 200
    clock.advance(days=1)
    answer = await ask_entra(sandbox, client_secret=secret["value"])
    assert (answer.status, _code(answer.body)) == (401, (7000222, "invalid_client"))


async def test_a_secrets_id_in_place_of_its_value_is_a_wrong_secret(sandbox: SandboxHandle) -> None:
    secret = await sandbox.new_secret()
    assert _code((await ask_entra(sandbox, client_secret=secret["keyId"])).body)[0] == 7000215


async def test_faults(sandbox: SandboxHandle) -> None:
    await sandbox.set_faults(entra_transient=True)
    answer = await ask_entra(sandbox)
    assert (answer.status, _code(answer.body)) == (503, (90033, "temporarily_unavailable"))
    await sandbox.set_faults(entra_outage=True)
    tenant = sandbox.world.saved.registration.tenant_id
    assert (await call(sandbox, "GET", f"/{tenant}/v2.0/.well-known/openid-configuration")).status == 503


async def test_instance_discovery_points_to_the_tenant(sandbox: SandboxHandle) -> None:
    asked = {"authorization_endpoint": "https://host/contoso.example/oauth2/v2.0/authorize", "api-version": "1.0"}
    answer = await call(sandbox, "GET", "/common/discovery/instance", params=asked)
    wanted = sandbox.url.replace("http:", "https:") + "/contoso.example/v2.0/.well-known/openid-configuration"
    assert answer.body["tenant_discovery_endpoint"] == wanted


class PlainHttp:
    """The HTTP client given to msal; it uses plain http, which msal itself refuses."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._session.get(url.replace("https:", "http:", 1), timeout=5, **options)

    def post(self, url: str, **options: Any) -> requests.Response:
        return self._session.post(url.replace("https:", "http:", 1), timeout=5, **options)

    def close(self) -> None:
        self._session.close()


async def _by_msal(sandbox: SandboxHandle, tenant: str, secret: str) -> dict[str, Any]:
    def ask() -> dict[str, Any]:
        http = PlainHttp()
        try:
            application = msal.ConfidentialClientApplication(
                sandbox.world.saved.registration.client_id,
                client_credential=secret,
                authority=f"{sandbox.url.replace('http:', 'https:')}/{tenant}",
                http_client=http,
                instance_discovery=False,
            )
            answer: dict[str, Any] = application.acquire_token_for_client([GRAPH_SCOPE])
            return answer
        finally:
            http.close()

    return await asyncio.to_thread(ask)


async def test_msal_gets_a_token(sandbox: SandboxHandle, world: World) -> None:
    registration = world.saved.registration
    answer = await _by_msal(sandbox, registration.tenant_id, registration.secrets[0].value)
    assert answer["token_source"] == "identity_provider"
    assert jwt.decode(answer["access_token"], options={"verify_signature": False})["roles"] == registration.roles


async def test_msal_reads_a_refusal(sandbox: SandboxHandle, world: World) -> None:
    answer = await _by_msal(sandbox, world.saved.registration.tenant_id, "wrong")
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [7000215])


async def test_msal_finds_no_unknown_tenant(sandbox: SandboxHandle) -> None:
    with pytest.raises(ValueError) as caught:
        await _by_msal(sandbox, "11111111-2222-4333-8444-555555555555", "any")
    assert "AADSTS90002" in str(caught.value.__context__)
