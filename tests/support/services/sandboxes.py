"""The sandbox, started inside a test on a free port and driven through its switchboard, over HTTP."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.server import make_app
from sandbox.state import World
from tests.support.services.servers import serving


@dataclass
class Switchboard:
    """A sandbox wherever it runs. ``url`` serves Entra (at its root), Graph (``/v1.0``) and the switchboard."""

    url: str
    session: aiohttp.ClientSession = field(repr=False)

    @property
    def cloudlink_url(self) -> str:
        """The pattern for ``CLOUDLINK_URL``."""
        return f"{self.url}/{{service}}"

    async def get(self, path: str) -> Any:
        async with self.session.get(f"{self.url}/switchboard/{path}") as response:
            response.raise_for_status()
            return await response.json()

    async def post(self, path: str, body: Any = None) -> Any:
        """Use a control of the switchboard; raises ``aiohttp.ClientResponseError`` when it is refused."""
        sent, headers = orjson.dumps(body), {"Content-Type": "application/json"}
        async with self.session.post(f"{self.url}/switchboard/{path}", data=sent, headers=headers) as response:
            response.raise_for_status()
            return await response.json()

    async def delete(self, path: str) -> None:
        async with self.session.delete(f"{self.url}/switchboard/{path}") as response:
            response.raise_for_status()

    async def _phone(self, extension: str, action: str, body: dict[str, Any]) -> str:
        given = {name: value for name, value in body.items() if value is not None}
        call_id = (await self.post(f"phones/{extension}/{action}", given)).get("callId", "")
        return str(call_id)

    async def ring(self, extension: str, caller: str | None = None) -> str:
        """An incoming call; returns its id."""
        return await self._phone(extension, "ring", {"from": caller})

    async def answer(self, extension: str, call_id: str | None = None) -> str:
        return await self._phone(extension, "answer", {"callId": call_id})

    async def call(self, extension: str) -> str:
        """Call out, answered immediately; returns the call's id."""
        return await self._phone(extension, "call", {})

    async def hangup(self, extension: str, call_id: str | None = None) -> str:
        """End a call, by default the newest."""
        return await self._phone(extension, "hangup", {"callId": call_id})

    async def hangup_all(self, extension: str) -> None:
        await self._phone(extension, "hangup", {"all": True})

    async def conference(self, extension: str, call_id: str | None = None) -> str:
        return await self._phone(extension, "conference", {"callId": call_id})

    async def hold(self, extension: str, call_id: str | None = None) -> str:
        return await self._phone(extension, "hold", {"callId": call_id})

    async def dnd(self, extension: str, on: bool = True) -> None:
        await self._phone(extension, "dnd", {"on": on})

    async def registered(self, extension: str, on: bool) -> None:
        await self._phone(extension, "registered", {"on": on})

    async def publish_state(self, extension: str, state: str, pbx_event: str | None = None) -> str:
        """Have CloudLink publish a call in any state, known or not; returns the call's id."""
        return await self._phone(extension, "state", {"state": state, "pbxEvent": pbx_event})

    async def client(self, who: str, state: str | None) -> None:
        """Sign a person in to Teams, by name or UPN, or out (None)."""
        await self.post(f"teams/{(await self.teams(who))['id']}/client", {"state": state})

    async def chosen(self, who: str, availability: str | None, activity: str | None = None) -> None:
        """Choose a state by hand, or clear it (None)."""
        choice = availability and {"availability": availability, "activity": activity or availability}
        await self.post(f"teams/{(await self.teams(who))['id']}/chosen", choice)

    async def refuse(self, who: str, status: int = 403) -> None:
        """Have Graph refuse presence calls about a person, as without a licence; 0 ends that."""
        await self.post(f"teams/{(await self.teams(who))['id']}/refusal", {"status": status})

    async def new_secret(self, description: str = "From a test", days: float = 180) -> dict[str, Any]:
        """A new client secret: ``keyId, description, hint, value, endDateTime, expired``."""
        secret: dict[str, Any] = await self.post("registration/secrets", {"description": description, "days": days})
        return secret

    async def expire_secret(self, key_id: str) -> None:
        await self.post(f"registration/secrets/{key_id}/expire")

    async def permissions(self, **consented: bool) -> None:
        """Grant or revoke, by permission's name with underscores for dots: ``User_Read_All=False``."""
        await self.post("registration/permissions", {name.replace("_", "."): on for name, on in consented.items()})

    async def registration_switch(self, name: str, on: bool = True) -> None:
        """``disabled``, ``deleted``, ``service-principal`` or ``conditional-access``."""
        await self.post(f"registration/{name}", {"on": on})

    async def new_cloudlink_secret(self) -> str:
        return str((await self.post("cloudlink/secret"))["clientSecret"])

    async def set_faults(self, **switches: Any) -> None:
        """Set faults, in the control API's spelling or ours: ``graphOutage=True``, ``graph_outage=True``."""
        await self.post("faults", {_camel(name): value for name, value in switches.items()})

    async def advance(self, seconds: float) -> None:
        """Advance the sandbox's clock."""
        await self.post("clock", {"advanceSeconds": seconds})

    async def state(self) -> dict[str, Any]:
        state: dict[str, Any] = await self.get("state")
        return state

    async def person(self, who: str) -> dict[str, Any]:
        """A person's row on the switchboard, by name, extension, address or UPN."""
        for row in (await self.state())["people"]:
            person: dict[str, Any] = row
            upn = person["teams"]["upn"] if person["teams"] else None
            if who and who in (person["name"], person["extension"], person["address"], upn):
                return person
        raise LookupError(who)

    async def teams(self, who: str) -> dict[str, Any]:
        person: dict[str, Any] = (await self.person(who))["teams"]
        return person

    async def shown(self, who: str) -> tuple[str, str]:
        """What colleagues see of a person: availability and activity."""
        seen = (await self.teams(who))["shown"]
        return seen["availability"], seen["activity"]

    async def log(self) -> list[dict[str, Any]]:
        """What the sandbox served, oldest first."""
        entries: list[dict[str, Any]] = await self.get("log")
        return entries

    async def clear_log(self) -> None:
        await self.delete("log")


@dataclass
class SandboxHandle(Switchboard):
    """A sandbox that runs inside the test, with access to its world.

    Batches to Graph wait while ``takes_batches`` is not set.
    """

    world: World
    takes_batches: asyncio.Event


def _camel(name: str) -> str:
    return re.sub("_([a-z])", lambda found: found[1].upper(), name)


@asynccontextmanager
async def running_sandbox(
    world: World | None = None, *, port: int = 0, state_file: Path | None = None, **world_options: Any
) -> AsyncIterator[SandboxHandle]:
    """A sandbox for as long as the context lasts; ``world_options`` go to ``World`` (clock, random, page_size)."""
    application = make_app(world := world or World(**world_options), state_file)
    takes_batches = asyncio.Event()
    takes_batches.set()

    @web.middleware
    async def hold_batches(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.endswith("/$batch"):
            await takes_batches.wait()
        return await handler(request)

    application.middlewares.append(hold_batches)
    async with serving(application, port) as url, aiohttp.ClientSession() as session:
        yield SandboxHandle(url, session, world, takes_batches)
