"""What was counted for an integration hour by hour: calls shown, overruled and refused changes, and delays."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.health import figures
from sync.domain.reports import Figure, Hour
from sync.presence.delays import HOUR, bucket_in, hour_of, quantile


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts by name, by the beginning of the hour in seconds since the epoch."""

    by_hour: Mapping[int, Counter[str]]

    def hours(self) -> list[Hour]:
        """Each hour in which something was counted."""
        return [_hour(start, counts) for start, counts in sorted(self.by_hour.items())]

    def total(self, since: datetime) -> Hour:
        return _hour(int(since.timestamp()), _sum(self.by_hour.values()))

    def parts(self, now: datetime, number: int, hours: int) -> list[Hour]:
        """The last hours up to this one in ``number`` parts of ``hours`` each, empty ones included."""
        first = hour_of(now) - (number * hours - 1) * HOUR
        starts = range(first, first + number * hours * HOUR, hours * HOUR)
        return [_hour(start, _sum(self._between(start, start + hours * HOUR))) for start in starts]

    def _between(self, start: int, end: int) -> Iterable[Counter[str]]:
        return (counts for at, counts in self.by_hour.items() if start <= at < end)


async def counted(session: AsyncSession, integration_id: str, since: datetime, until: datetime) -> Counted:
    """Of the hours that begin from the one of ``since`` on, before ``until``."""
    by_hour: dict[int, Counter[str]] = {}
    rows = await figures.between(session, integration_id, hour_of(since), int(until.timestamp()))
    for hour, name, count in rows:
        by_hour.setdefault(hour, Counter())[name] += count
    return Counted(by_hour)


def _sum(parts: Iterable[Counter[str]]) -> Counter[str]:
    return sum(parts, Counter())


def _hour(start: int, counts: Counter[str]) -> Hour:
    delays = {bucket: count for name, count in counts.items() if (bucket := bucket_in(name)) is not None}
    delays = delays if counts[Figure.SHOWN] else {}
    return Hour(
        at=datetime.fromtimestamp(start, UTC),
        shown=counts[Figure.SHOWN],
        overruled=counts[Figure.OVERRULED],
        refused=counts[Figure.REFUSED],
        p50=quantile(delays, 0.5) if delays else None,
        p95=quantile(delays, 0.95) if delays else None,
    )
