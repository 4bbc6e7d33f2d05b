import pytest

from tests.sandbox.callers import Graph, ask_cloudlink, call, signed_in
from tests.support.clocks import FakeClock
from tests.support.services.sandboxes import SandboxHandle


@pytest.mark.parametrize("token", [None, "rubbish", "a.b.c"])
async def test_without_a_valid_token_access_is_refused(sandbox: SandboxHandle, token: str | None) -> None:
    answer = await call(sandbox, "GET", "/v1.0/users", token=token)
    assert (answer.status, answer.code) == (401, "InvalidAuthenticationToken")
    assert {"date", "request-id", "client-request-id"} == answer.body["error"]["innerError"].keys()


async def test_a_token_ends(graph: Graph, clock: FakeClock) -> None:
    assert (await graph.get("/organization")).status == 200
    clock.advance(seconds=3599)
    assert (await graph.get("/organization")).status == 401


@pytest.mark.parametrize("switch", ["disabled", "deleted"])
async def test_deleting_the_application_invalidates_its_tokens(graph: Graph, switch: str) -> None:
    await graph.sandbox.registration_switch(switch)
    assert (await graph.get("/organization")).status == 401


async def test_a_cloudlink_token_is_not_valid_for_graph(sandbox: SandboxHandle) -> None:
    token = (await ask_cloudlink(sandbox)).body["access_token"]
    assert (await call(sandbox, "GET", "/v1.0/users", token=token)).status == 401


@pytest.mark.parametrize(
    ("permission", "path"),
    [
        ("User.Read.All", "/users"),
        ("User.Read.All", "/users/delta"),
        ("User.Read.All", "/organization"),
        ("Presence.ReadWrite.All", "/users/{ana}/presence"),
    ],
)
async def test_each_permission_allows_its_own_calls(graph: Graph, ana: str, permission: str, path: str) -> None:
    assert (await graph.get(path.format(ana=ana))).status == 200
    await graph.sandbox.post("registration/permissions", {permission: False})
    answer = await graph.get(path.format(ana=ana))
    assert (answer.status, answer.code) == (403, "Authorization_RequestDenied")


async def test_consent_given_later_needs_a_new_token(sandbox: SandboxHandle) -> None:
    await sandbox.permissions(User_Read_All=False)
    early = await signed_in(sandbox)
    await sandbox.permissions(User_Read_All=True)
    assert (await early.get("/users")).status == 403
    assert (await (await signed_in(sandbox)).get("/users")).status == 200


@pytest.mark.parametrize("path", ["/nothing", "//users", "/users/x/y/z", "/v1.0/users", "/$batch/x"])
async def test_unknown_paths(graph: Graph, path: str) -> None:
    answer = await graph.get(path)
    assert (answer.status, answer.code) == (400, "BadRequest")


@pytest.mark.parametrize(("method", "path"), [("POST", "/users"), ("DELETE", "/organization"), ("GET", "/$batch")])
async def test_wrong_methods(graph: Graph, method: str, path: str) -> None:
    assert (await call(graph.sandbox, method, f"/v1.0{path}", token=graph.token)).status == 405


@pytest.mark.parametrize(
    ("content", "kind"), [(b"{", "application/json"), (b"{}", "text/plain"), (b"\xff", "application/json")]
)
async def test_unreadable_bodies(graph: Graph, content: bytes, kind: str) -> None:
    headers = {"Authorization": f"Bearer {graph.token}", "Content-Type": kind}
    url = f"{graph.sandbox.url}/v1.0/$batch"
    async with graph.sandbox.session.post(url, data=content, headers=headers) as response:
        assert response.status == 400


async def test_faults(graph: Graph, ana: str) -> None:
    await graph.sandbox.set_faults(graph_outage=True)
    answer = await graph.get("/users")
    assert (answer.status, answer.code) == (503, "serviceNotAvailable")
    await graph.sandbox.set_faults(graph_outage=False, graph_forbidden=True)
    assert (await graph.get("/users")).status == 403
    await graph.sandbox.set_faults(graph_forbidden=False, graph_throttle=True, retry_after=9)
    answer = await graph.get("/users")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "9")
    await graph.sandbox.set_faults(graph_throttle=False)
    assert (await graph.get("/users")).status == 200
