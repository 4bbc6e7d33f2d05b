"""Reads back from Graph what Teams shows of everyone we show, and compares it with what we wished.

One job for all integrations that share an application, for a person has one session of it. What is not shown is
sent again once; when that does not help for long, the administrators are informed.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from core.grouping import grouped
from storage.queries import integrations
from storage.queries.people import effects
from storage.queries.people.effects import Showing
from storage.tables.columns import UNSURE
from storage.tables.integrations import Integration
from sync.domain.context import Context
from sync.domain.errors import SyncError
from sync.domain.jobs import PUSH
from sync.domain.model import Service
from sync.domain.presence import Effect, Presence, Shown
from sync.domain.reports import Figure
from sync.domain.services import MAX_READ, READABLE_AFTER
from sync.presence import effect_alert
from sync.presence.delays import Delays
from sync.presence.effect import effect_of
from sync.presence.reader import PresenceReader
from sync.presence.shared_sessions import strongest
from sync.problems import health


class Compared(NamedTuple):
    """What Graph said ``at`` some time of a person, and what became of the wish by that."""

    row: Showing
    shown: Shown | None
    effect: Effect
    at: datetime

    @property
    def is_to_be_sent(self) -> bool:
        """Whether it is sent again, which is done once."""
        return self.effect is Effect.NOT_SHOWN and not _was_sent_again(self.row)


OVERRULED = (Effect.CHOSEN, Effect.OUTRANKED, Effect.PERHAPS_CHOSEN)
"""What Teams shows counts for more than the call."""

log = structlog.get_logger()


class ReadBackJob:
    """Compares what Teams shows with what was accepted."""

    def __init__(self, context: Context, reader: PresenceReader, delays: Delays) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._metrics = context.metrics
        self._reader = reader
        self._delays = delays

    async def run(self, integration_id: str) -> None:
        """The job: read everyone of the application, ``MAX_READ`` at a time, then store what differs."""
        async with self._database.session() as session:
            rows = await self._sharing(session, integration_id)
            people, after = await self._next(session, rows, "")
        if not rows:
            return
        compared: list[Compared] = []
        try:
            compared += await self._read(integration_id, people)
            while after is not None:
                async with self._database.session() as session:
                    people, after = await self._next(session, rows, after)
                compared += await self._read(integration_id, people)
        except SyncError as error:
            log.info("not_read_back", integration=integration_id, fault=error.fault.value)
            if health.service_of(error) is Service.ENTRA:
                await health.record_failure(self._database, rows[0], error, self._clock())
            await self._store(rows, compared, integration_id, error)
        else:
            await self._store(rows, compared)
        await self._follow(compared)

    async def _sharing(self, session: AsyncSession, integration_id: str) -> list[Integration]:
        """This integration and those with its application; those whose credentials are refused learn nothing."""
        this = await integrations.get(session, integration_id)
        if this is None:
            return []
        rows: list[Integration] = [this, *await integrations.list_sharing(session, this)]
        return [row for row in rows if not await health.is_blocked(session, row.id, health.TEAMS)]

    async def _next(
        self, session: AsyncSession, sharing: Sequence[Integration], after: str
    ) -> tuple[list[list[Showing]], str | None]:
        """People by Teams user, those after ``after``, and after whom to continue; None when these are all."""
        rows = await effects.showing(session, [row.id for row in sharing], self._clock(), after, MAX_READ)
        users = list(grouped(rows, lambda row: row.user_id).values())
        if len(rows) < MAX_READ:
            return users, None
        return users[:-1], users[-2][0].user_id

    async def _read(self, integration_id: str, users: Sequence[Sequence[Showing]]) -> list[Compared]:
        found = await self._reader.read(integration_id, [people[0].user_id for people in users])
        now = self._clock()
        return [
            Compared(row, found.get(row.user_id), effect, now)
            for people in users
            if (effect := compare(people, found.get(people[0].user_id), now))
            for row in people
        ]

    async def _store(
        self,
        rows: Sequence[Integration],
        compared: Sequence[Compared],
        failed: str = "",
        error: SyncError | None = None,
    ) -> None:
        """Store what differs and how the run went, which ``failed`` for one; what is not shown becomes due."""
        now = self._clock()
        by_integration = grouped(compared, lambda one: one.row.integration_id)
        async with self._database.writing() as session:
            for row in await integrations.list_for_update(session, [row.id for row in rows]):
                found = [(one.effect, _was_sent_again(one.row)) for one in by_integration[row.id]]
                if error is None or row.id == failed:
                    await effect_alert.store(session, row.id, [] if error else found, error, now)
            if news := [values for one in compared if (values := _changed(one))]:
                await effects.store_read(session, news)
            await effects.send_again(session, [one.row for one in compared if one.is_to_be_sent], now)

    async def _follow(self, compared: Sequence[Compared]) -> None:
        """Count what was stored, and have sent what is to be sent again."""
        again = [one.row for one in compared if one.is_to_be_sent]
        for row in again:
            log.info("presence_not_shown", integration=row.integration_id, person=row.person_id)
        for integration_id in sorted({row.integration_id for row in again}):
            await self._jobs.defer(PUSH, integration_id)
        for one in compared:
            self._metrics.read_back.labels(effect=one.effect.value).inc()
            if one.effect in OVERRULED and _changed(one):
                self._delays.count(one.row.integration_id, Figure.OVERRULED)


def compare(people: Sequence[Showing], shown: Shown | None, now: datetime) -> Effect | None:
    """What became of the wish for one Teams user, whom several integrations may show; None while it changes."""
    if any(_is_changing(row, now) for row in people):
        return None
    wish = Presence(people[0].applied)
    for row in people[1:]:
        wish = strongest(wish, Presence(row.applied))
    return effect_of(wish, shown, sent_again=any(map(_was_sent_again, people)))


def _is_changing(row: Showing, now: datetime) -> bool:
    is_underway = row.applied == UNSURE or row.applied != row.desired or not row.wanted
    return is_underway or row.applied_at is None or row.applied_at + READABLE_AFTER > now


def _was_sent_again(row: Showing) -> bool:
    return row.sent_again_at is not None and _is_of_this_wish(row)


def _is_of_this_wish(row: Showing) -> bool:
    """Whether what was read before was compared with the wish that still applies."""
    return row.read_at is not None and (row.desired_at is None or row.read_at >= row.desired_at)


def _changed(one: Compared) -> dict[str, Any] | None:
    """The row of ``ReadBack`` to store; None when nothing differs from the one before."""
    row, words = one.row, tuple(one.shown or ("", ""))
    if _is_of_this_wish(row) and words == row.read and not one.is_to_be_sent:
        return None
    again = one.at if one.is_to_be_sent else row.sent_again_at if _was_sent_again(row) else None
    return {
        "person_id": row.person_id,
        "availability": words[0],
        "activity": words[1],
        "at": one.at,
        "sent_again_at": again,
    }
