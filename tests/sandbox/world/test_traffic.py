from collections import Counter
from pathlib import Path

from sandbox.state import World, read_saved, write_saved
from sandbox.world.traffic import TrafficGenerator
from tests.support.clocks import FakeClock


def run(world: World, clock: FakeClock, seconds: int) -> Counter[str]:
    """Run the generator, and count the phones' states."""
    states: Counter[str] = Counter()
    world.on_phone.append(lambda person, device, call: states.update([call.state if call else "phone"]))
    generator = TrafficGenerator(world)
    for _ in range(seconds * 4):
        generator.step()
        clock.advance(seconds=0.25)
    world.on_phone.clear()
    return states


def test_it_keeps_its_pace(world: World, clock: FakeClock) -> None:
    world.saved.traffic.running, world.saved.traffic.calls_per_minute = True, 10.0
    states = run(world, clock, 300)
    assert 35 <= states["ringing"] <= 65
    assert 0 < states["connected"] < states["ringing"]
    assert states["conferenced"] > 0


def test_it_is_idle_until_started(world: World, clock: FakeClock) -> None:
    assert run(world, clock, 60) == {}


def test_calls_in_progress_end_after_it_stops(world: World, clock: FakeClock) -> None:
    world.saved.traffic.running, world.saved.traffic.calls_per_minute = True, 60.0
    run(world, clock, 10)
    world.saved.traffic.running = False
    assert any(person.phone.calls for person in world.saved.people)
    run(world, clock, 120)
    assert not any(person.phone.calls for person in world.saved.people)
    assert world.saved.traffic.planned == []


def test_a_call_that_was_ended_is_skipped(world: World, clock: FakeClock) -> None:
    world.saved.traffic.running, world.saved.traffic.calls_per_minute = True, 60.0
    run(world, clock, 5)
    world.saved.traffic.running = False
    for person in world.saved.people:
        for device in person.devices:
            world.phone_of(person, device).hang_up_all()
    assert run(world, clock, 120) == {}


def test_it_continues_after_a_restart(world: World, clock: FakeClock, tmp_path: Path) -> None:
    world.saved.traffic.running = True
    world.saved.traffic.calls_per_minute = 60.0
    run(world, clock, 5)
    world.saved.traffic.running = False
    write_saved(tmp_path / "state.json", world.as_bytes())
    again = World(clock, saved=read_saved(tmp_path / "state.json"))
    run(again, clock, 120)
    assert not any(person.phone.calls for person in again.saved.people)


def test_a_long_sleep_is_not_followed_by_a_flood(world: World, clock: FakeClock) -> None:
    world.saved.traffic.running, world.saved.traffic.calls_per_minute = True, 60.0
    generator = TrafficGenerator(world)
    generator.step()
    clock.advance(hours=8)
    generator.step()
    assert sum(len(person.phone.calls) for person in world.saved.people) <= 4
