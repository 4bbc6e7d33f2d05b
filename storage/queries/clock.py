"""What the store holds of times that the machine's clock had not reached when it was set back."""

from datetime import datetime, timedelta

from sqlalchemy import Update
from sqlmodel import col, update
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.health.notices import REMINDED_AFTER, State, is_reminder
from storage.queries.people import people
from storage.tables.notices import AlertPreference, Notice
from storage.tables.people import Endpoint, Person
from storage.tables.problems import Problem
from storage.tables.rotations import Rotation
from storage.tables.updates import FeatureUpdate

LEASE = timedelta(minutes=1)
"""Another process may be at a rotation's step for so long."""


async def set_back(session: AsyncSession, now: datetime) -> None:
    """After a start, or after the clock was set back: nothing waits until the clock has caught up.

    What waits for another attempt is due now, and what happened later than now happened now. A reminder keeps its
    time, and waits no longer than if it were asked for now.
    """
    await people.plan_again(session, now)
    for each in (*_waiting(now), *_happened(now)):
        await session.exec(each)


def _waiting(now: datetime) -> tuple[Update, ...]:
    notice, step = col(Notice.due_at), col(Rotation.due_at)
    is_open = col(Notice.state).in_((State.WAITING, State.CLOSING))
    is_renewal = col(Person.status_until).is_not(None) & col(Person.status_before).is_(None)
    return (
        update(Notice).where(is_open, ~is_reminder(), notice > now).values(due_at=now),
        update(Notice).where(is_open, notice > now + REMINDED_AFTER).values(due_at=now + REMINDED_AFTER),
        update(Rotation).where(step > now + LEASE).values(due_at=now + LEASE),
        update(Person).where(col(Person.status_due_at) > now, ~is_renewal).values(status_due_at=now),
        update(Endpoint).where(col(Endpoint.poll_at) > now).values(poll_at=now),
    )


def _happened(now: datetime) -> tuple[Update, ...]:
    """How long a problem lasts, and when it ended, decides about notices and retries; the newest counts."""
    since, checked, healed = col(Problem.since), col(Problem.checked_at), col(Problem.healed_at)
    rotated, installed = col(Rotation.started_at), col(FeatureUpdate.started_at)
    digest = col(AlertPreference.digest_at)
    return (
        update(Problem).where(since > now).values(since=now),
        update(Problem).where(checked > now).values(checked_at=now),
        update(Problem).where(healed > now).values(healed_at=now),
        update(Rotation).where(rotated > now).values(started_at=now),
        update(FeatureUpdate).where(installed > now).values(started_at=now),
        update(AlertPreference).where(digest > now).values(digest_at=now),
    )
