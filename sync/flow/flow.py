"""From the phones to Graph: events, polls and outcomes are stored together, tick by tick, and what follows is sent.

What arrived at a tenant's ``Pace``, or while the last tick was stored, is one tick (``sync.flow.tick``). Then its
events are answered, and its changes sent; their outcomes are part of a later tick. A crash loses nothing: who was
being sent is marked so in the store and is due, so it is sent again. State is read when it is sent, so the newest
is; what changes meanwhile is sent next. A tenant has one tick at a time, and a share of it; on PostgreSQL a tick
that takes long holds up no other tenant, whose own begins beside it.

Where other processes run jobs too, only the one that runs an integration's job ``PUSH`` sends for it, and stores
what came of it: that is checked in the same transaction, for another may have taken it for dead.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import Context as Variables
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.exc import OperationalError

from core.correlation import current_cause
from core.logging import describe_error, where
from storage.queries.integrations import Subscribed
from storage.transaction import Transaction
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.jobs import PUSH
from sync.domain.phone_events import Event, LineSnapshot
from sync.flow.aftermath import Aftermath
from sync.flow.lanes import Batch, Events, Lane, Polled, Shares
from sync.flow.lines import Poll
from sync.flow.pace import AGAIN, PACE, Pace
from sync.flow.rounds import LARGEST_ROUND, Round
from sync.flow.sending import Sender
from sync.flow.tick import Rules, Tick, Ticked, Work
from sync.presence.delays import Delays
from sync.teams.quota import QuotaLedger

MAX_TENANTS = 100_000
"""Integrations whose tenants are remembered."""

ROUNDS_OF_A_TENANT = 4
"""Rounds of a tenant that are under way at the same time: a slow one delays no other tenant."""

TICKS = 4
"""At the same time, on PostgreSQL; SQLite has one writer."""

TURN = 1.0
"""Seconds for which a job sends what other processes store meanwhile: then another's has its turn."""

TAKEN_OVER_FROM = timedelta(seconds=3)
"""After so long another process may have taken this one for dead, and have sent something newer."""

CLOSING_SECONDS = 5.0

DEADLOCK = "40P01"
"""PostgreSQL's code, "Appendix A: Error Codes"."""

log = structlog.get_logger()


class Flow:
    """Stores what phones do and sends what Teams should show of it."""

    def __init__(self, context: Context, credentials: CredentialStore, quota: QuotaLedger, delays: Delays) -> None:
        self._context = context
        self._shared = context.jobs.shared
        self._rules = Rules(credentials, quota, context.random, context.metrics)
        self._sender = Sender(context, credentials, quota)
        self._aftermath = Aftermath(context, delays)
        self._lanes: defaultdict[str, Lane] = defaultdict(Lane)
        self._under_way: Counter[str] = Counter()
        self._tenants: dict[str, str] = {}
        self._pace = Pace()
        self._arrived = asyncio.Event()
        self._ticking: asyncio.Task[None] | None = None
        self._ticks: set[asyncio.Task[None]] = set()
        self._in_tick: set[str] = set()
        self._is_closing = False

    async def store_events(self, subscribed: Subscribed, events: Sequence[Event]) -> bool:
        """Store events; on return they are durable. False: ``subscribed`` is no longer so, and nothing is stored.

        Duplicates, late events and those of unknown people change nothing. Raises what the database raises.
        """
        arrived = Events(subscribed, events, asyncio.get_running_loop().create_future())
        self._lane(subscribed.integration_id).events.append(arrived)
        self._wake()
        return await arrived.result

    async def apply_snapshots(
        self, integration_id: str, snapshots: Sequence[LineSnapshot], asked_at: datetime
    ) -> None:
        """Store what CloudLink returned to a request at ``asked_at``: it corrects what lost events left wrong."""
        await self._context.database.check()
        poll = Poll(snapshots, asked_at, current_cause())
        polled = Polled(poll, asyncio.get_running_loop().create_future())
        self._lane(integration_id).polls.append(polled)
        self._wake()
        if changed := await polled.result:
            log.info("changes_polled", integration=integration_id, people=changed)

    async def push(self, integration_id: str) -> None:
        """The job: send until no one is due, or until it must wait and is queued for later."""
        lane = self._lane(integration_id)
        idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.pushes.append(idle)
        lane.is_asked = True
        lane.turn_ends = asyncio.get_running_loop().time() + TURN
        self._wake()
        try:
            await idle
        finally:
            if idle in lane.pushes:
                lane.pushes.remove(idle)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For the length of the block; then what is under way may end."""
        try:
            yield
        finally:
            await self._close()

    async def _close(self) -> None:
        self._is_closing = True
        self._arrived.set()
        loop = asyncio.get_running_loop()
        until = loop.time() + CLOSING_SECONDS
        while (tasks := self._tasks()) and (left := until - loop.time()) > 0:
            await asyncio.wait(tasks, timeout=left)
        for task in (tasks := self._tasks()):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tasks(self) -> set[asyncio.Task[None]]:
        """What is under way."""
        tasks = {task for lane in self._lanes.values() for task in lane.tasks} | self._ticks
        return tasks if self._ticking is None or self._ticking.done() else tasks | {self._ticking}

    def _lane(self, key: str) -> Lane:
        """The integration's; until its tenant is known it is a tenant of its own."""
        lane = self._lanes[key]
        lane.tenant = lane.tenant or self._tenants.get(key, key)
        return lane

    def _wake(self) -> None:
        """Have ticks run while there is work. They belong to none of the requests that cause them."""
        self._arrived.set()
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._run_ticks(), context=Variables())

    async def _run_ticks(self) -> None:
        loop = asyncio.get_running_loop()
        while waiting := self._waiting():
            self._arrived.clear()
            ready = waiting if self._is_closing else self._pace.take(waiting, loop.time())
            if ready:
                await self._begin_tick(ready)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._pace.next_of(waiting)):
                    await self._arrived.wait()

    def _waiting(self) -> set[str]:
        """The tenants that have work and no tick."""
        return {lane.tenant for lane in self._lanes.values() if self._has_work(lane)} - self._in_tick

    async def _begin_tick(self, tenants: Collection[str]) -> None:
        """Return when it is stored, or when another may begin beside it."""
        batches = self._take(tenants)
        taken = {self._lanes[key].tenant for key in batches}
        self._in_tick |= taken
        task = asyncio.create_task(self._run_tick(batches))
        self._ticks.add(task)

        def end(task: asyncio.Task[None]) -> None:
            self._ticks.discard(task)
            self._in_tick.difference_update(taken)
            self._wake()

        task.add_done_callback(end)
        await asyncio.wait([task], timeout=None if self._context.database.is_sqlite else PACE)
        if len(self._ticks) >= TICKS:
            await asyncio.wait(self._ticks, return_when=asyncio.FIRST_COMPLETED)

    def _take(self, tenants: Collection[str]) -> dict[str, Batch]:
        """What the next tick does, who waits longest first: of each tenant its share, in all what a tick holds."""
        shares, batches = Shares(), dict[str, Batch]()
        for key, lane in list(self._lanes.items()):
            if lane.tenant in tenants and self._has_work(lane) and (share := shares.left(lane.tenant)):
                batches[key] = Batch.take(lane, share, is_asked=lane.is_asked and self._has_room(lane))
                shares.use(lane.tenant, batches[key].size)
                self._lanes[key] = self._lanes.pop(key)
        return batches

    def _has_work(self, lane: Lane) -> bool:
        return lane.has_work or (lane.is_asked and self._has_room(lane))

    def _has_room(self, lane: Lane) -> bool:
        """Whether more could be sent, once the outcomes that are here are stored."""
        answered = sum(len(each.round.changes) for each in lane.returned)
        return len(lane.sending) - answered < LARGEST_ROUND and self._is_free(lane)

    def _is_free(self, lane: Lane) -> bool:
        return not self._is_closing and self._under_way[lane.tenant] < ROUNDS_OF_A_TENANT

    async def _run_tick(self, batches: Mapping[str, Batch]) -> None:
        try:
            await self._tick(batches)
        except Exception as error:
            self._fail(batches, error)

    async def _tick(self, batches: Mapping[str, Batch]) -> None:
        """A failure that is not the database's own is that of one integration: then each is stored by itself."""
        work = {key: self._work(key, batch) for key, batch in batches.items()}
        try:
            done = await self._context.database.transact(partial(self._store, work))
        except Exception as error:
            if len(batches) > 1 and not _is_outage(error):
                for key, batch in batches.items():
                    await self._tick({key: batch})
            else:
                self._fail(batches, error)
            return
        self._follow(batches, work, done)

    def _work(self, key: str, batch: Batch) -> Work:
        lane = self._lanes[key]
        may_send = bool(lane.pushes) or not self._shared
        return batch.work(lane, may_send=may_send, is_free=self._is_free(lane))

    def _store(self, work: Mapping[str, Work], transaction: Transaction) -> Ticked:
        """What becomes due and is not sent here is handed over to the process that may send it."""
        if self._shared:
            held = self._shared.held(transaction, PUSH, [key for key, each in work.items() if each.may_send])
            for key in work.keys() - held:
                work[key].leave_to_others()
        done = Tick(transaction, work, self._rules, self._context.clock()).run()
        owners = {key: done.integrations[key].owner_tenant for key in done.due if not work[key].may_send}
        if self._shared and owners:
            self._shared.hand_over(transaction, PUSH, owners)
        return done

    def _fail(self, batches: Mapping[str, Batch], error: Exception) -> None:
        """Nothing was stored: who was being sent is still due, and is sent again. The job fails once it is idle."""
        for key, batch in batches.items():
            lane = self._lanes[key]
            if batch.returned:
                log.error("outcomes_not_stored", integration=key, **_described(error))
            lane.is_in_tick = False
            lane.sending -= batch.answered
            batch.fail(error)
            lane.error = error if lane.pushes else None
            self._settle(key)

    def _follow(self, batches: Mapping[str, Batch], work: Mapping[str, Work], done: Ticked) -> None:
        for key, batch in batches.items():
            lane = self._lanes[key]
            lane.is_in_tick = False
            if key in done.left_out:
                batch.put_back(lane)
                now = asyncio.get_running_loop().time()
                self._pace.try_again(lane.tenant, now + self._context.random.uniform(*AGAIN))
                continue
            lane.sending -= batch.answered
            if work[key].is_lost:
                log.warning("sent_by_another_process", integration=key)
                lane.end_pushes()
            row = done.integrations.get(key)
            if row:
                self._remember(key, row.owner_tenant)
                self._begin(key, done.rounds.get(key, Round()))
                if self._aftermath.is_needed(key, done):
                    self._run(key, self._aftermath.follow(key, done))
            batch.resolve(done.refused, done.polled.get(key, ()), is_gone=row is None)
            self._settle(key)
        self._aftermath.record(done)

    def _remember(self, key: str, tenant: str) -> None:
        if len(self._tenants) >= MAX_TENANTS:
            self._tenants.clear()
        self._lanes[key].tenant = self._tenants[key] = tenant

    def _begin(self, key: str, this: Round) -> None:
        lane = self._lanes[key]
        lane.is_asked = lane.is_asked or this.has_more
        if this.changes:
            lane.sending.update(this.person_ids)
            self._under_way[lane.tenant] += 1
            self._run(key, self._send(key, this))

    async def _send(self, key: str, this: Round) -> None:
        lane = self._lanes[key]
        try:
            returned = await self._sender.send(key, this) if await self._may_still_send(key, this) else None
        except BaseException:
            lane.sending.difference_update(this.person_ids)
            raise
        finally:
            self._under_way[lane.tenant] -= 1
        if returned:
            lane.returned.append(returned)
            lane.is_asked = lane.is_asked or self._has_turn(lane)
        else:
            lane.sending.difference_update(this.person_ids)
            lane.is_asked = True

    async def _may_still_send(self, key: str, this: Round) -> bool:
        """Whether the job is this process's still: it may have hung since the round was chosen."""
        is_late = this.selected_at and self._context.clock() - this.selected_at > TAKEN_OVER_FROM
        if not self._shared or not is_late:
            return True
        return key in await self._context.database.transact(partial(self._shared.held, job=PUSH, keys=[key]))

    def _has_turn(self, lane: Lane) -> bool:
        """Whether the job goes on: who became due in another process is sent by it: the next costs more."""
        return self._shared is not None and asyncio.get_running_loop().time() < lane.turn_ends

    def _run(self, key: str, step: Awaitable[bool | None]) -> None:
        """Run a step for an integration; True asks for who is due."""
        lane = self._lanes[key]
        task = asyncio.create_task(self._guard(key, step))
        lane.tasks.add(task)

        def end(task: asyncio.Task[None]) -> None:
            lane.tasks.discard(task)
            self._settle(key)
            self._wake()

        task.add_done_callback(end)

    async def _guard(self, key: str, step: Awaitable[bool | None]) -> None:
        try:
            if await step:
                self._lanes[key].is_asked = True
        except Exception as error:
            log.error("flow_step_failed", integration=key, **_described(error))

    def _settle(self, key: str) -> None:
        """When everything is done for an integration, its jobs end, and its lane is not kept."""
        lane = self._lanes[key]
        if not lane.is_idle:
            return
        lane.end_pushes()
        if not (lane.has_work or lane.sending):
            del self._lanes[key]


def _is_outage(error: Exception) -> bool:
    """Whether the database itself is at fault, so that others would fail alike: a deadlock is not that."""
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) != DEADLOCK


def _described(error: Exception) -> dict[str, str]:
    return {"error": describe_error(error), "where": where(error.__traceback__)}
