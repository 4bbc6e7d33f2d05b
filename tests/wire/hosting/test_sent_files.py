"""Files sent in the chat: fetched over HTTP from a server that stands for OneDrive, and from no other."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web

from bot.chat.imports import download
from bot.chat.imports.download import AT_ONCE, FileDownload
from core.http.server import listening
from core.turns import LONGEST_PAUSE
from sync.people.imports.values import FileFault, FileRefused
from tests.support.bot.fakes import buttons, words
from tests.support.bot.texts import EN
from tests.support.storage.stores import integration, person, read_person, stored
from tests.wire.bot_process import Person, open_bot_process, open_surroundings, sqlite_url

TENANT = str(uuid4())
ADA = Person(TENANT, str(uuid4()), "Ada")


async def gone(_: web.Request) -> web.Response:
    return web.Response(status=404)


async def elsewhere(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/file"})


async def broken(_: web.Request) -> web.Response:
    return web.Response(status=500)


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x" * 65536)


async def silent(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def content(_: web.Request) -> web.Response:
    return web.Response(body=b"\xef\xbb\xbfPerson ID;Excluded\r\nsofia;yes\r\n")


@asynccontextmanager
async def one_drive() -> AsyncIterator[str]:
    application = web.Application()
    for path, handler in {
        "/file": content,
        "/gone": gone,
        "/elsewhere": elsewhere,
        "/broken": broken,
        "/endless": endless,
        "/silent": silent,
    }.items():
        application.router.add_get(path, handler)
    async with listening(application, "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


def whole(read: bytes) -> Iterator[list[bytes]]:
    yield [read]


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/gone", FileFault.EXPIRED),
        ("/elsewhere", FileFault.UNREACHABLE),
        ("/broken", FileFault.UNREACHABLE),
        ("/endless", FileFault.TOO_LARGE),
    ],
)
async def test_what_is_not_the_file_is_refused(
    path: str, fault: FileFault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 1024 * 1024)
    async with one_drive() as url, aiohttp.ClientSession() as http:
        with pytest.raises(FileRefused) as refused:
            await FileDownload(http, allows_loopback=True).read("t1", url + path, whole)
        assert refused.value.fault is fault


async def test_a_tenants_many_files_delay_no_other_tenants() -> None:
    async with one_drive() as url, aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        files = FileDownload(http, allows_loopback=True)
        waiting = [group.create_task(files.read("t1", f"{url}/silent", whole)) for _ in range(AT_ONCE)]
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            assert len(await files.read("t2", f"{url}/file", whole)) == 1
        for task in waiting:
            task.cancel()


async def test_files_are_read_in_turns_with_a_pause_after_each_slice() -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async with one_drive() as url, aiohttp.ClientSession() as http:
        files = FileDownload(http, allows_loopback=True, sleep=pause)
        assert await files.read("t1", f"{url}/file", lambda _: iter([[1, 2], [], [3]])) == [1, 2, 3]
    assert len(pauses) == 4
    assert all(0 < seconds <= LONGEST_PAUSE for seconds in pauses)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/file",
        "https://contoso.sharepoint.com.attacker.example/file",
        "https://sharepoint.com/file",
        "http://contoso.sharepoint.com/file",
        "https://user@contoso.sharepoint.com/file",
        "https://contoso.sharepoint.com:8443/file",
        "https://127.0.0.1:{port}\\.sharepoint.com/file",
        "https://127.0.0.1:{port}#.sharepoint.com",
        "file:///etc/passwd",
        "",
    ],
)
async def test_only_files_that_teams_keeps_are_fetched(url: str) -> None:
    async with one_drive() as here, aiohttp.ClientSession() as http:
        with pytest.raises(FileRefused) as refused:
            await FileDownload(http).read("t1", url.format(port=here.rpartition(":")[2]), whole)
        assert refused.value.fault is FileFault.FOREIGN_HOST


async def test_a_file_sent_in_the_chat_is_previewed_and_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        one_drive() as url,
        open_surroundings(monkeypatch) as surroundings,
        open_bot_process(surroundings, sqlite_url(tmp_path), (ADA.object_id,), (TENANT,)) as bot,
    ):
        await stored(bot.database, integration(owner_tenant=TENANT, enabled=False), person("sofia"))
        file = {
            "contentType": "application/vnd.microsoft.teams.file.download.info",
            "content": {"downloadUrl": f"{url}/file?tempauth=secret", "uniqueId": "1", "fileType": "csv"},
            "contentUrl": "https://contoso-my.sharepoint.com/people.csv",
            "name": "people.csv",
        }
        html = {"contentType": "text/html", "content": "<div></div>"}
        reply = await bot.say(ADA, "", attachments=[html, file])
        assert EN("import.line.excluded") in words(reply.answer)
        await bot.press(ADA, "import_people.apply", buttons(reply.answer)["import_people.apply"]["data"])
        assert (await read_person(bot.database, "sofia")).excluded
