import json
from pathlib import Path
from random import Random

import pytest

from sandbox.state import Subscription, UnreadableState, World, read_saved, write_saved
from sandbox.world.presence import Session
from tests.support.clocks import FakeClock


def test_everything_survives_the_file(world: World, clock: FakeClock, tmp_path: Path) -> None:
    person, user = world.saved.people[0], world.saved.teams[0]
    world.phone_of(person, person.devices[0]).ring("a", "+351")
    user.session = Session("Busy", "InACall", clock.now, clock.now)
    world.saved.registration.add_secret("second", 1, clock.now, world.random)
    world.saved.subscriptions["s"] = Subscription("s", "app", "http://127.0.0.1/", "topic", "/", "", clock.now)
    world.saved.faults = world.saved.faults.changed({"graphQuota": 7})
    world.saved.clock_ahead = 60.0
    write_saved(tmp_path / "deep" / "state.json", world.as_bytes())
    assert read_saved(tmp_path / "deep" / "state.json") == world.saved


def test_the_file_is_for_its_owner_alone_and_leaves_no_drafts(world: World, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_saved(path, b"{}")
    write_saved(path, world.as_bytes())
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_no_file_is_a_new_world(tmp_path: Path) -> None:
    assert read_saved(tmp_path / "none.json") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"people": 1}', json.dumps({"people": []}).encode()])
def test_a_damaged_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_bytes(content)
    with pytest.raises(UnreadableState, match=r"state\.json"):
        read_saved(tmp_path / "state.json")


def test_the_clock_can_be_ahead(world: World, clock: FakeClock) -> None:
    world.saved.clock_ahead = 90.0
    assert (world.now() - clock.now).total_seconds() == 90


def test_cloudlinks_milliseconds_always_increase(world: World, clock: FakeClock) -> None:
    first, second = world.tick()[1], world.tick()[1]
    assert first == int(clock.now.timestamp() * 1000)
    assert second == first + 1
    clock.advance(seconds=-10)
    assert world.tick()[1] == second + 1


def test_listeners_receive_the_phone_event_and_then_the_change(world: World) -> None:
    changes: list[str] = []
    world.on_phone.append(lambda person, device, call: changes.append(f"{device.number} {call and call.state}"))
    world.on_change.append(lambda: changes.append("changed"))
    world.phone_of(world.saved.people[0], world.saved.people[0].devices[0]).ring("a", "+351")
    assert changes == ["2001 ringing", "changed"]


def test_the_same_random_seed_makes_the_same_state(clock: FakeClock) -> None:
    assert World(clock, Random(3)).saved == World(clock, Random(3)).saved
    assert World(clock).saved.signing_key != World(clock).saved.signing_key


def test_a_removed_teams_user_is_not_found(world: World) -> None:
    user = world.saved.teams[0]
    assert world.teams_user(user.id.upper()) is user
    user.removed = True
    assert world.teams_user(user.id) is None
