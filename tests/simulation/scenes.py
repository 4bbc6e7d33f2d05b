"""What people do with their phones. Each scene yields the seconds until its next step."""

from collections.abc import Callable, Iterator
from random import Random

from tests.simulation.company import SITES
from tests.simulation.models.phones import Call, Device, PhoneSystem
from tests.simulation.world import Kind, World

Scene = Iterator[float]
SceneAt = Callable[[PhoneSystem, Device, Random], Scene]


def play(world: World, scene: Scene) -> None:
    """Run a scene, until the day is over."""
    if world.is_busy and (pause := next(scene, None)) is not None:
        world.time.after(pause, lambda: play(world, scene))


def day(world: World, phones: PhoneSystem) -> Scene:
    """One scene after another, many at the same time."""
    dice = world.dice(f"scenes {phones.account_id}")
    choices: list[SceneAt] = [call, call, call, call, parked, transferred, conference, do_not_disturb]
    if world.has(Kind.HOT_DESKS):
        choices += [hot_desk, hot_desk]
    if world.has(Kind.PEOPLE_MOVE):
        choices += [extension_lost, extension_moved, leaves, renamed]
    while True:
        if phones.devices:
            device = dice.choice(list(phones.devices.values()))
            play(world, dice.choice(choices)(phones, device, dice))
        yield dice.expovariate(1 / 3.5)


def call(phones: PhoneSystem, device: Device, dice: Random) -> Scene:
    """Answered or not; sometimes put on hold."""
    made = phones.start(device, dice.choice(("ringing", "originated")))
    yield dice.uniform(0.1, 12)
    if dice.random() < 0.8:
        phones.change(device, made, "connected")
        yield from talk(phones, device, made, dice)
    phones.end(device, made)


def talk(phones: PhoneSystem, device: Device, made: Call, dice: Random) -> Scene:
    yield dice.expovariate(1 / 25)
    while dice.random() < 0.3:
        phones.change(device, made, "held")
        yield dice.uniform(0.1, 30)
        phones.change(device, made, "connected")
        yield dice.uniform(0.1, 30)


def parked(phones: PhoneSystem, device: Device, dice: Random) -> Scene:
    """It ends at this device, and goes on with the same id, here or at another one."""
    made = phones.start(device, "connected")
    yield dice.uniform(1, 20)
    phones.end(device, made)
    yield dice.uniform(0.5, 30)
    there = device if dice.random() < 0.6 else _another(phones, device, dice)
    again = phones.start(there, dice.choice(("ringing", "connected")), made.id)
    yield dice.uniform(0.1, 5)
    phones.change(there, again, "connected")
    yield from talk(phones, there, again, dice)
    phones.end(there, again)


def _another(phones: PhoneSystem, device: Device, dice: Random) -> Device:
    return dice.choice(list(phones.devices.values()) or [device])


def transferred(phones: PhoneSystem, device: Device, dice: Random) -> Scene:
    made = phones.start(device, "ringing")
    yield dice.uniform(0.5, 5)
    phones.change(device, made, "connected")
    yield dice.uniform(1, 20)
    there = _another(phones, device, dice)
    moved = phones.start(there, "ringing", made.id if dice.random() < 0.5 and there is not device else "")
    yield dice.uniform(0.1, 8)
    phones.end(device, made, "transferred")
    phones.change(there, moved, "connected")
    yield from talk(phones, there, moved, dice)
    phones.end(there, moved)


def conference(phones: PhoneSystem, device: Device, dice: Random) -> Scene:
    """Some people are joined; it becomes an ordinary call again when one is left."""
    others = [one for one in phones.devices.values() if one is not device]
    several = [device, *dice.sample(others, min(2, len(others)))]
    calls = [(one, phones.start(one, "connected")) for one in several]
    yield dice.uniform(1, 15)
    for one, joined in calls:
        phones.change(one, joined, dice.choice(("conferenced", "connected")), conference=True)
    yield dice.expovariate(1 / 30)
    for one, joined in calls[1:]:
        phones.end(one, joined)
        yield dice.uniform(0.1, 10)
    phones.change(device, calls[0][1], "connected")
    yield dice.uniform(1, 30)
    phones.end(device, calls[0][1])


def do_not_disturb(phones: PhoneSystem, device: Device, dice: Random) -> Scene:
    phones.set_do_not_disturb(device, True)
    yield dice.expovariate(1 / 30)
    phones.set_do_not_disturb(device, False)


def hot_desk(phones: PhoneSystem, device: Device, dice: Random) -> Scene:
    """Another person uses this device for a while."""
    guest = dice.choice(list(phones.colleagues))
    if not device.is_quiet() or device.user_id != device.owner:
        return
    device.user_id = guest
    yield dice.uniform(0, 3)
    yield from call(phones, device, dice)
    while not device.is_quiet():
        yield 5.0
    device.user_id = device.owner


def extension_lost(phones: PhoneSystem, device: Device, dice: Random) -> Scene:
    """A person has no phone for a while; the calls on it are over."""
    owner = phones.colleagues.get(device.owner)
    if owner is None or owner.extension != device.extension:
        return
    owner.extension = None
    del phones.devices[device.extension]
    yield dice.uniform(10, 100)
    if owner.user_id in phones.colleagues and owner.extension is None:
        owner.extension = device.extension
        phones.add_device(device.extension, owner.user_id)


def extension_moved(phones: PhoneSystem, device: Device, dice: Random) -> Scene:
    """A person gets another extension, and keeps the calls."""
    owner = phones.colleagues.get(device.owner)
    if owner is None or owner.extension != device.extension or device.calls:
        return
    del phones.devices[device.extension]
    device.extension = owner.extension = f"5{dice.randrange(100, 999)}"
    phones.devices[device.extension] = device
    yield 0.0


def leaves(phones: PhoneSystem, device: Device, dice: Random) -> Scene:
    """A person leaves the company, in a call or not, and may come back."""
    if len(phones.colleagues) < 4 or device.owner not in phones.colleagues:
        return
    gone = phones.colleagues.pop(device.owner)
    for extension in [one.extension for one in phones.devices.values() if one.owner == gone.user_id]:
        del phones.devices[extension]
    yield dice.uniform(10, 120)
    phones.add(gone)


def renamed(phones: PhoneSystem, device: Device, dice: Random) -> Scene:
    """CloudLink's directory has another address of a person, of the same account or of none, or another site."""
    if not (owner := phones.colleagues.get(device.owner)):
        return
    before = (owner.address, owner.site)
    owner.site = dice.choice(("", *SITES))
    if dice.random() < 0.6:
        owner.address = dice.choice(
            (f"{owner.name.replace(' ', '').lower()}@sales.example.com", f"{owner.user_id}@old.example")
        )
        phones.addresses[owner.address] = owner.user_id
    yield dice.uniform(10, 100)
    if dice.random() < 0.5:
        owner.address, owner.site = before
