"""What people do with their phones. Each scene yields the seconds until its next step."""

from collections.abc import Iterator
from random import Random

from tests.simulation.phones import Device, PhoneSystem
from tests.simulation.world import World

Scene = Iterator[float]


def play(world: World, scene: Scene) -> None:
    """Run a scene, until the day is over."""
    if world.is_busy and (pause := next(scene, None)) is not None:
        world.time.after(pause, lambda: play(world, scene))


def day(world: World, phones: PhoneSystem) -> Scene:
    """One scene after another, many at the same time."""
    dice = world.dice("scenes")
    while True:
        device = dice.choice(list(phones.devices.values()))
        play(world, dice.choice(SCENES)(phones, device, dice))
        yield dice.expovariate(1 / 12)


def call(phones: PhoneSystem, device: Device, dice: Random) -> Scene:
    """Answered or not; sometimes put on hold."""
    made = phones.start(device, dice.choice(("ringing", "originated")))
    yield dice.uniform(0.1, 12)
    if dice.random() < 0.8:
        phones.change(device, made, "connected")
        yield dice.expovariate(1 / 60)
    while dice.random() < 0.3:
        phones.change(device, made, "held")
        yield dice.uniform(0.1, 30)
        phones.change(device, made, "connected")
        yield dice.uniform(0.1, 30)
    phones.end(device, made)


def do_not_disturb(phones: PhoneSystem, device: Device, dice: Random) -> Scene:
    phones.set_do_not_disturb(device, True)
    yield dice.expovariate(1 / 60)
    phones.set_do_not_disturb(device, False)


SCENES = (call, call, call, do_not_disturb)
