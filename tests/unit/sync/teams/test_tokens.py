"""Tokens acquired by the real msal from a stub of Entra ID, with real and malformed responses.

The stub runs on the test's own event loop: if msal ever blocked it, no request here would get a response.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from core.clouds import GCC_HIGH
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import CredentialKind
from sync.teams.msal_http import TIMEOUT
from sync.teams.tokens import EntraTokens, ProvenToken, Threads, prove, roles_in
from tests.support.sync.error_output import error_output
from tests.support.sync.stub_server import BY_ANOTHER_CLOCK, Reply, StubServer, stub_server
from tests.support.sync.teams import (
    APP,
    DISCOVERY,
    ROLES,
    SECRET,
    TOKEN,
    discovery,
    entra_at,
    granted,
    jwt,
    refused,
)


@pytest_asyncio.fixture
async def entra() -> AsyncIterator[StubServer]:
    async with stub_server() as server:
        server.on(DISCOVERY, discovery(server.url))
        server.on(TOKEN, granted())
        yield server


async def failure_of(call: Awaitable[Any]) -> SyncError:
    with pytest.raises(SyncError) as caught:
        await call
    return caught.value


async def test_a_token_and_the_roles_in_it(entra: StubServer) -> None:
    proven = await prove(APP, entra_at(entra.url))
    assert proven.roles == frozenset(ROLES)
    assert await proven.token() == proven.value == jwt(roles=ROLES)
    assert proven.value not in repr(proven)
    (asked,) = entra.asked(TOKEN)
    assert b"grant_type=client_credentials" in asked.body
    assert b"scope=https%3A%2F%2Fgraph.microsoft.com%2F.default" in asked.body
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"


class CountedThreads(Threads):
    used = 0

    async def run(self, *args: Any) -> Any:
        self.used += 1
        return await super().run(*args)


@pytest.mark.parametrize(("expires_in", "threads"), [(3600, 1), (90, 3)])
async def test_a_token_that_stays_valid_takes_no_thread_for_each_request(
    entra: StubServer, expires_in: int, threads: int
) -> None:
    counted = CountedThreads(1)
    entra.on(TOKEN, granted(expires_in=expires_in))
    tokens = EntraTokens(APP, replace(entra_at(entra.url), threads=counted))
    assert len({await tokens.token() for _ in range(3)}) == 1
    assert counted.used == threads


async def test_many_tenants_sign_in_together_and_who_waits_for_a_thread_is_not_too_late() -> None:
    threads, meet = Threads(20), Barrier(20)
    assert len(await asyncio.gather(*(threads.run(lambda: meet.wait(5), 6) for _ in range(40)))) == 40
    one, released = Threads(1), asyncio.Event()

    def sleep() -> None:
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result()

    loop = asyncio.get_running_loop()
    waiting = [asyncio.create_task(one.run(sleep, 60)), asyncio.create_task(one.run(int, 0.2))]
    await asyncio.sleep(0.3)
    released.set()
    assert (await asyncio.gather(*waiting))[1] == 0


async def test_the_scope_follows_the_cloud(entra: StubServer) -> None:
    await prove(APP, replace(entra_at(entra.url), scope=GCC_HIGH.graph_scope))
    assert b"scope=https%3A%2F%2Fgraph.microsoft.us%2F.default" in entra.asked(TOKEN)[0].body


@pytest.mark.parametrize("kind", [CredentialKind.CERTIFICATE, CredentialKind.FEDERATED])
async def test_the_hosts_own_credentials_are_not_used_unless_allowed(
    entra: StubServer, kind: CredentialKind
) -> None:
    error = await failure_of(prove(replace(APP, client_secret="", kind=kind), entra_at(entra.url)))
    assert (type(error), error.fault) == (CredentialsWrong, Fault.ENTRA_HOST_NOT_ALLOWED)
    assert not entra.asked(DISCOVERY)


async def test_a_trailing_slash_and_blanks_around_ids_are_ignored(entra: StubServer) -> None:
    app = replace(APP, tenant_id=f" {APP.tenant_id}\n", client_id=f" {APP.client_id} ")
    assert (await prove(app, entra_at(f"{entra.url}/"))).roles


async def test_each_proof_requests_a_new_token_even_after_a_refusal(entra: StubServer) -> None:
    entra.on(TOKEN, Reply(refused(7000215), 400), Reply(granted()))
    await failure_of(prove(APP, entra_at(entra.url)))
    await prove(APP, entra_at(entra.url))
    await prove(APP, entra_at(entra.url))
    assert len(entra.asked(TOKEN)) == 3


@pytest.mark.parametrize(
    ("roles", "missing"),
    [
        (["User.Read.All"], "Presence.ReadWrite.All"),
        (["Presence.ReadWrite.All", 7], "User.Read.All"),
        ([], "User.Read.All, Presence.ReadWrite.All"),
        ("User.Read.All", "User.Read.All, Presence.ReadWrite.All"),
    ],
)
async def test_missing_consent_names_the_permission(entra: StubServer, roles: object, missing: str) -> None:
    entra.on(TOKEN, granted(roles))
    error = await failure_of(prove(APP, entra_at(entra.url)))
    assert (type(error), error.fault) == (CredentialsWrong, Fault.GRAPH_CONSENT_MISSING)
    assert error.context == {"permissions": missing}


async def test_an_unreadable_token_is_left_for_graph_to_judge(entra: StubServer) -> None:
    entra.on(TOKEN, granted(access_token="opaque"))
    assert await prove(APP, entra_at(entra.url)) == ProvenToken("opaque", frozenset())


@pytest.mark.parametrize("token", ["", "a.b", "a.!!.c", "a.W10.c", "a.bnVsbA.c", "é.é.é"])
def test_unreadable_tokens_have_no_roles(token: str) -> None:
    assert roles_in(token) is None


@pytest.mark.parametrize(
    ("reply", "kind", "fault", "context"),
    [
        (Reply(refused(700016), 400), CredentialsWrong, Fault.ENTRA_CLIENT_UNKNOWN, {"code": 700016}),
        (Reply(refused(7000222), 401), CredentialsWrong, Fault.ENTRA_SECRET_EXPIRED, {"code": 7000222}),
        (Reply(refused(53003), 400), CredentialsWrong, Fault.ENTRA_CONDITIONAL_ACCESS, {"code": 53003}),
        (Reply(refused(90033), 400), ServiceUnavailable, Fault.ENTRA_TEMPORARY, {"code": 90033}),
        (Reply(refused(90055), 503), ServiceUnavailable, Fault.ENTRA_THROTTLED, {"status": 503, "code": 90055}),
        (Reply({}, 429), ServiceUnavailable, Fault.ENTRA_THROTTLED, {"status": 429}),
        (Reply(b"<html>"), ServiceUnavailable, Fault.ENTRA_UNREACHABLE, {"status": 200}),
        (Reply(b" " * 1_000_001), ServiceUnavailable, Fault.ENTRA_UNREACHABLE, {"status": 200}),
        (Reply(b"<html>", 400), ServiceUnavailable, Fault.ENTRA_UNREACHABLE, {"status": 400}),
        (Reply([]), ServiceUnavailable, Fault.ENTRA_UNREACHABLE, {"status": 200}),
        (Reply({"access_token": 7}), CredentialsWrong, Fault.ENTRA_REFUSED, {}),
        (Reply(hang_up=True), ServiceUnavailable, Fault.ENTRA_UNREACHABLE, {"error": "RemoteProtocolError"}),
        (Reply({}, 307, {"Location": "http://x/"}), ServiceUnavailable, Fault.ENTRA_UNREACHABLE, {"status": 307}),
    ],
)  # fmt: skip
async def test_refusals_of_the_token(
    entra: StubServer, reply: Reply, kind: type[SyncError], fault: Fault, context: dict[str, Any]
) -> None:
    entra.on(TOKEN, reply)
    error = await failure_of(prove(APP, entra_at(entra.url)))
    assert (type(error), error.fault, error.context) == (kind, fault, context)


@pytest.mark.parametrize(
    ("reply", "kind", "fault"),
    [
        (Reply(refused(90002, "invalid_tenant"), 400), CredentialsWrong, Fault.ENTRA_TENANT_UNKNOWN),
        (Reply(b"<html>", 404), CredentialsWrong, Fault.ENTRA_REFUSED),
        (Reply({}, 502), ServiceUnavailable, Fault.ENTRA_UNREACHABLE),
        (Reply(b"{"), ServiceUnavailable, Fault.ENTRA_UNREACHABLE),
        (Reply({}), ServiceUnavailable, Fault.ENTRA_UNREACHABLE),
        (Reply([]), ServiceUnavailable, Fault.ENTRA_UNREACHABLE),
        (Reply(hang_up=True), ServiceUnavailable, Fault.ENTRA_UNREACHABLE),
    ],
)
async def test_refusals_of_the_tenant(entra: StubServer, reply: Reply, kind: type[SyncError], fault: Fault) -> None:
    entra.on(DISCOVERY, reply)
    error = await failure_of(prove(APP, entra_at(entra.url)))
    assert (type(error), error.fault) == (kind, fault)
    assert not entra.asked(TOKEN)


async def test_a_malformed_tenant_is_refused_before_any_call(entra: StubServer) -> None:
    error = await failure_of(prove(replace(APP, tenant_id="x/../../evil"), entra_at(entra.url)))
    assert error.fault is Fault.ENTRA_TENANT_UNKNOWN
    assert not entra.seen


async def test_the_secret_is_sent_by_plain_http_to_the_configured_authority_only(entra: StubServer) -> None:
    async with stub_server() as other:
        entra.on(DISCOVERY, discovery(other.url))
        error = await failure_of(prove(APP, entra_at(entra.url)))
        assert error.fault is Fault.ENTRA_UNREACHABLE
        assert not other.seen


async def test_plain_http_is_for_this_machine_only() -> None:
    error = await failure_of(prove(APP, entra_at("http://login.example")))
    assert error.fault is Fault.ENTRA_UNREACHABLE


@pytest.mark.parametrize(("headers", "wait"), [({"Retry-After": "12"}, 12.0), (BY_ANOTHER_CLOCK, 9.0)])
async def test_the_error_holds_entras_retry_after(entra: StubServer, headers: dict[str, str], wait: float) -> None:
    entra.on(TOKEN, Reply({}, 429, headers))
    error = await failure_of(prove(APP, entra_at(entra.url)))
    assert isinstance(error, ServiceUnavailable)
    assert error.retry_after == wait


async def test_a_silent_entra_is_not_waited_for_beyond_the_timeout(entra: StubServer) -> None:
    """A client that waited longer would get the response."""
    entra.delay = TIMEOUT - 2
    error = await failure_of(prove(APP, entra_at(entra.url, timeout=0.2)))
    assert error.fault is Fault.ENTRA_UNREACHABLE


async def test_tokens_are_cached_until_forgotten(entra: StubServer) -> None:
    tokens = EntraTokens(APP, entra_at(entra.url))
    assert await tokens.token() == await tokens.token()
    assert len(entra.asked(TOKEN)) == 1
    tokens.forget()
    await tokens.token()
    assert len(entra.asked(TOKEN)) == 2


async def test_tokens_recover_after_an_outage_of_the_discovery(entra: StubServer) -> None:
    entra.on(DISCOVERY, Reply({}, 503), Reply(discovery(entra.url)))
    tokens = EntraTokens(APP, entra_at(entra.url))
    await failure_of(tokens.token())
    assert await tokens.token()


@pytest.mark.parametrize(
    ("route", "reply"),
    [
        (TOKEN, Reply(refused(7000215), 401)),
        (TOKEN, Reply({"error": "invalid_client", "error_description": f"AADSTS7000215 {SECRET}"}, 400)),
        (TOKEN, Reply(SECRET.encode())),
        (TOKEN, Reply({}, 503)),
        (TOKEN, Reply(hang_up=True)),
        (DISCOVERY, Reply(refused(90002), 400)),
        (DISCOVERY, Reply({}, 500)),
    ],
)
async def test_no_failure_reveals_the_secret(
    entra: StubServer,
    route: str,
    reply: Reply,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    entra.on(route, reply)
    caplog.set_level("DEBUG")
    tokens = EntraTokens(APP, entra_at(entra.url))
    for call in (prove(APP, entra_at(entra.url)), tokens.token()):
        error = await failure_of(call)
        assert error.__context__ is None
        assert SECRET not in error_output(error, caplog, capsys)
    assert SECRET not in repr(vars(tokens))


async def test_success_reveals_neither_secret_nor_token(
    entra: StubServer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    tokens = EntraTokens(APP, entra_at(entra.url))
    value = await tokens.token()
    revealed = error_output(Exception(repr(tokens), repr(vars(tokens))), caplog, capsys)
    assert "openid-configuration" in revealed
    assert SECRET not in revealed
    assert value not in revealed


async def test_each_request_for_a_token_is_counted_once_and_a_cached_token_is_not(entra: StubServer) -> None:
    registry = CollectorRegistry()
    counting = entra_at(entra.url, registry=registry)

    def counted() -> list[float | None]:
        name = "cloudlink_presence_entra_tokens_total"
        return [
            registry.get_sample_value(name, {"outcome": each}) for each in ("fetched", "refused", "unavailable")
        ]

    tokens = EntraTokens(APP, counting)
    for _ in range(3):
        await tokens.token()
    assert counted() == [1, 0, 0]
    await prove(APP, counting)
    entra.on(TOKEN, Reply(refused(7000222), 401))
    await failure_of(prove(APP, counting))
    entra.on(TOKEN, Reply({}, 503))
    await failure_of(prove(APP, counting))
    assert counted() == [2, 1, 1]
