from collections.abc import AsyncIterator
from random import Random

import pytest

from sandbox.state import World
from tests.sandbox.callers import MORNING, CloudLink, Graph, connected, signed_in
from tests.support.clocks import FakeClock
from tests.support.services.sandboxes import SandboxHandle, running_sandbox


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(MORNING)


@pytest.fixture
def world(clock: FakeClock) -> World:
    return World(clock, Random(7))


@pytest.fixture
async def sandbox(world: World) -> AsyncIterator[SandboxHandle]:
    async with running_sandbox(world) as running:
        yield running


@pytest.fixture
async def graph(sandbox: SandboxHandle) -> Graph:
    return await signed_in(sandbox)


@pytest.fixture
async def cloudlink(sandbox: SandboxHandle) -> CloudLink:
    return await connected(sandbox)


@pytest.fixture
def ana(world: World) -> str:
    """A Teams user's id."""
    return next(user.id for user in world.saved.teams if user.name == "Ana Martins")
