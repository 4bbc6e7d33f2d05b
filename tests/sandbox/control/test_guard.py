from io import BytesIO

import pytest

from tests.support.services.sandboxes import SandboxHandle

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.168.1.2", ""])
@pytest.mark.parametrize("path", ["", "/state", "/events", "/log", "/nothing"])
async def test_other_host_names_are_refused(sandbox: SandboxHandle, host: str, path: str) -> None:
    async with sandbox.session.get(f"{sandbox.url}/switchboard{path}", headers={"Host": host}) as response:
        assert response.status in (400, 403)
        assert "clientSecret" not in await response.text()


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1:99", "[::1]:5"])
async def test_this_machines_names_are_accepted(sandbox: SandboxHandle, host: str) -> None:
    async with sandbox.session.get(f"{sandbox.url}/switchboard/state", headers={"Host": host}) as response:
        assert response.status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null"])
async def test_other_sites_pages_are_refused(sandbox: SandboxHandle, origin: str) -> None:
    url, headers = f"{sandbox.url}/switchboard/phones/2001/ring", JSON | {"Origin": origin}
    async with sandbox.session.post(url, data="{}", headers=headers) as response:
        assert response.status == 403
    async with sandbox.session.delete(f"{sandbox.url}/switchboard/log", headers={"Origin": origin}) as response:
        assert response.status == 403


async def test_the_switchboards_own_page_is_accepted(sandbox: SandboxHandle) -> None:
    url, headers = f"{sandbox.url}/switchboard/phones/2001/ring", JSON | {"Origin": sandbox.url}
    async with sandbox.session.post(url, data="{}", headers=headers) as response:
        assert response.status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("path", ["phones/2001/ring", "faults", "registration/secrets", "clock"])
async def test_content_types_a_form_can_send_are_refused(sandbox: SandboxHandle, kind: str, path: str) -> None:
    before = await sandbox.state()
    url = f"{sandbox.url}/switchboard/{path}"
    async with sandbox.session.post(url, data=b"{}", headers={"Content-Type": kind}) as response:
        assert response.status == 400
        assert "error" in await response.json()
    assert await sandbox.state() == before


@pytest.mark.parametrize("content", [b"{", b"[]", b'"x"', b"\xff", b'{"nothing": 1}'])
async def test_other_bodies(sandbox: SandboxHandle, content: bytes) -> None:
    url = f"{sandbox.url}/switchboard/phones/2001/ring"
    async with sandbox.session.post(url, data=content, headers=JSON) as response:
        assert response.status == 400
        assert "error" in await response.json()


async def test_an_oversized_body(sandbox: SandboxHandle) -> None:
    url = f"{sandbox.url}/switchboard/phones/2001/ring"
    async with sandbox.session.post(url, data=BytesIO(b" " * 5_000_000), headers=JSON) as response:
        assert response.status == 413
