"""The traffic generator: people call each other, talk for a while, and hang up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from sandbox.state import PlannedStep, World
from sandbox.world.phones import PhoneError

MOST_CALLS_PER_MINUTE = 600.0
_TICK = 0.25
_CATCH_UP = timedelta(seconds=1)
_OUTSIDERS = ("+351210000100", "+351220000200", "+442070000300", "+442080000400")


class TrafficGenerator:
    """Does what is due by the world's clock; a restart continues where it stopped."""

    def __init__(self, world: World) -> None:
        self._world = world

    def step(self) -> None:
        """Do everything that is due by now."""
        now, traffic = self._world.now(), self._world.saved.traffic
        due = sorted((each for each in traffic.planned if each.at <= now), key=lambda each: each.at)
        for planned in due:
            traffic.planned.remove(planned)
            self._do(planned)
        if traffic.running and traffic.calls_per_minute:
            self._start_calls(now)

    def _start_calls(self, now: datetime) -> None:
        traffic, gap = self._world.saved.traffic, timedelta(seconds=60 / self._world.saved.traffic.calls_per_minute)
        traffic.next_call_at = max(traffic.next_call_at or now, now - max(gap, _CATCH_UP))
        while traffic.next_call_at <= now:
            self._start_call(now)
            traffic.next_call_at += gap * self._world.random.uniform(0.5, 1.5)

    def _start_call(self, now: datetime) -> None:
        devices = [(person, device) for person in self._world.saved.people for device in person.devices]
        idle = [each for each in devices if each[1].phone.registered and not each[1].phone.calls]
        if not idle:
            return
        (person, device), call_id, random = (
            self._world.random.choice(idle),
            self._world.new_id(),
            self._world.random,
        )
        self._world.phone_of(person, device).ring(call_id, random.choice(_OUTSIDERS))
        answered = now + timedelta(seconds=random.uniform(1, 5))
        ended = answered + timedelta(seconds=random.uniform(5, 90))
        if random.random() < 0.8:
            self._plan(answered, "answer", device.key, call_id)
        if random.random() < 0.1:
            self._plan(answered + (ended - answered) / 2, "conference", device.key, call_id)
        self._plan(ended, "hang_up", device.key, call_id)

    def _plan(self, at: datetime, step: str, key: str, call_id: str) -> None:
        self._world.saved.traffic.planned.append(PlannedStep(at, step, key, call_id))

    def _do(self, planned: PlannedStep) -> None:
        """Do the step, unless the call has been hung up since."""
        found = self._world.device(planned.extension)
        if found is None:
            return
        phone = self._world.phone_of(*found)
        steps = {"answer": phone.answer, "conference": phone.conference, "hang_up": phone.hang_up}
        with suppress(PhoneError):
            steps[planned.step](planned.call_id)


@asynccontextmanager
async def running_generator(world: World) -> AsyncIterator[TrafficGenerator]:
    """Run the generator for as long as the context lasts."""
    generator = TrafficGenerator(world)

    async def run() -> None:
        while True:
            generator.step()
            await asyncio.sleep(_TICK)

    task = asyncio.create_task(run())
    try:
        yield generator
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
