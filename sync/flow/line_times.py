"""How long a person's line was in each state, by day (UTC): counted when a state ends. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from storage.flow.rows import IntegrationRow, PersonRow
from storage.queries.people.hidden import hidden_by
from sync.domain.presence import STALE_AFTER
from sync.presence.mapping import MAPPABLE

COUNTED = frozenset(state.value for state in MAPPABLE)
LONGEST = timedelta(days=2)


def spent(person: PersonRow, integration: IntegrationRow, now: datetime) -> Iterator[tuple[str, int]]:
    """The days (ISO) and seconds for which the state that ends ``now`` was one that Teams could have shown.

    A state that was not heard of for long ended when it became stale.
    """
    if person.line not in COUNTED or not person.line_since:
        return
    if not integration.enabled or integration.closed or not person.teams_user_id or hidden_by(person):
        return
    since = max(datetime.fromtimestamp(person.line_since, UTC), now - LONGEST)
    end = min(now, person.heard_at + STALE_AFTER) if person.heard_at else now
    while since < end:
        midnight = datetime.combine(since.date() + timedelta(days=1), datetime.min.time(), UTC)
        until = min(end, midnight)
        if seconds := round((until - since).total_seconds()):
            yield since.date().isoformat(), seconds
        since = until
