import jwt
import pytest

from sandbox.entra import tokens
from sandbox.state import World
from tests.support.clocks import FakeClock


def test_a_token_is_read_until_it_ends(world: World, clock: FakeClock) -> None:
    token = tokens.issue(world, 60, aud="here", roles=["one"])
    claims = tokens.read(world, f"Bearer {token}")
    assert claims is not None
    assert (claims["aud"], claims["roles"]) == ("here", ["one"])
    clock.advance(seconds=60)
    assert tokens.read(world, f"Bearer {token}") is None


def test_the_worlds_clock_counts_not_the_machines(world: World) -> None:
    token = tokens.issue(world, 60)
    world.saved.clock_ahead = 61.0
    assert tokens.read(world, f"Bearer {token}") is None


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x.y.z", "Basic abc"])
def test_other_headers_are_no_token(world: World, header: str | None) -> None:
    assert tokens.read(world, header) is None


def test_a_token_of_another_world_is_refused(world: World, clock: FakeClock) -> None:
    assert tokens.read(world, "Bearer " + tokens.issue(World(clock), 60)) is None
    unsigned = jwt.encode({"exp": clock.now.timestamp() + 60}, "", "none")
    assert tokens.read(world, f"Bearer {unsigned}") is None


def test_a_position_token_is_read_as_its_kind_only(world: World) -> None:
    sealed = tokens.sign_position(world, "users", {"from": 10})
    opened = tokens.read_position(world, "users", sealed)
    assert opened is not None
    assert opened["from"] == 10
    assert tokens.read_position(world, "delta", sealed) is None
    assert tokens.read_position(world, "users", "forged") is None
    assert tokens.read(world, f"Bearer {sealed}") is None
    assert tokens.read_position(world, "users", tokens.issue(world, 60, aud="here")) is None
