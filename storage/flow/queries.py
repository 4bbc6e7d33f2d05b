"""The queries of one tick of the flow: each is one statement for all integrations and people concerned."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from storage.flow.rows import (
    CALLS,
    ENDPOINTS,
    INTEGRATIONS,
    PEOPLE,
    CallRow,
    EndpointRow,
    IntegrationRow,
    PersonRow,
)
from storage.queries.events import MAX_UNKNOWN_STATES
from storage.transaction import Transaction, listed, paired

Pairs = Collection[tuple[str, str]]
"""An integration's id, and something of it."""

SHARING = """
SELECT this.id, other.id FROM each(?) CROSS JOIN integration AS this CROSS JOIN integration AS other
WHERE this.id = each.0 AND other.tenant_id = this.tenant_id AND other.client_id = this.client_id
    AND (other.owner_tenant = this.owner_tenant OR NOT EXISTS (
        SELECT 1 FROM problem WHERE problem.integration_id IN (this.id, other.id)
            AND healed_at IS NULL AND lasting AND service IN (SELECT each.0 FROM each(?))
    ))
"""

LOCKED = "WHERE id IN (SELECT each.0 FROM each(?)) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"

OPEN_PROBLEMS = """
SELECT integration_id, service, lasting FROM each(?) CROSS JOIN problem
WHERE integration_id = each.0 AND healed_at IS NULL
"""

NEW_EVENTS = """
INSERT INTO seenevent (integration_id, event_id, seen_at)
SELECT each.0, each.1, ? FROM each(?) WHERE true
ON CONFLICT DO NOTHING RETURNING integration_id, event_id
"""

NEAR_ONE = 50
"""People at one extension who are read for a report of it: more are nobody's phone, and would delay all others."""

CONCERNED = """
WHERE id IN (
    SELECT id FROM (
        SELECT person.id, row_number() OVER (
            PARTITION BY person.integration_id, person.extension ORDER BY person.teams_user_id IS NULL, person.id
        ) AS place
        FROM each(?) CROSS JOIN person WHERE person.integration_id = each.0 AND person.extension = each.1
    ) AS owner WHERE place <= ?
    UNION ALL SELECT person_id FROM (
        SELECT endpoint.person_id, row_number() OVER (
            PARTITION BY endpoint.integration_id, endpoint.extension
            ORDER BY endpoint.heard_at IS NULL, endpoint.heard_at DESC, endpoint.person_id
        ) AS place
        FROM each(?) CROSS JOIN endpoint WHERE endpoint.integration_id = each.0 AND endpoint.extension = each.1
    ) AS guest WHERE place <= ?
    UNION ALL SELECT person.id FROM each(?) CROSS JOIN person
        WHERE person.integration_id = each.0 AND person.cloudlink_user_id = each.1
    UNION ALL SELECT each.0 FROM each(?)
) ORDER BY id FOR NO KEY UPDATE
"""

OF_PEOPLE = "WHERE person_id IN (SELECT each.0 FROM each(?))"

THEIR_CALLS = """
WHERE person_id IN (SELECT each.0 FROM each(?))
    AND (state <> ? OR call_id IN (SELECT each.0 FROM each(?)))
"""

CLOCKS_DIFFER = timedelta(minutes=5)
"""By so much the clock of the process that stored a change may be ahead: it is sent now all the same."""

FIRST_DUE = """
SELECT id FROM (
    SELECT id FROM person WHERE integration_id = ? AND due_at <= ? AND (due_at <= ? OR due_at = desired_at)
    AND id NOT IN (SELECT each.0 FROM each(?)) AND (
        desired IS DISTINCT FROM applied OR applied_until <= ?
        OR (applied IS NOT NULL AND applied_user_id IS NOT NULL AND applied_user_id IS DISTINCT FROM teams_user_id)
    ) IS {} TRUE ORDER BY due_at LIMIT ?
) AS {}
"""
"""Found in the order of an index, so that a limit ends the search: of many who are due, few are read."""

DUE = f"""
WHERE id IN ({FIRST_DUE.format("", "changed")} UNION ALL {FIRST_DUE.format("NOT", "renewed")} LIMIT ?)
ORDER BY id FOR NO KEY UPDATE
"""

ADD_SENT = """
INSERT INTO sentchanges (person_id, newest_at, newest) VALUES (?, ?, ?)
ON CONFLICT (person_id) DO UPDATE SET newest_at = excluded.newest_at, newest = excluded.newest,
    second = sentchanges.newest, third = sentchanges.second, fourth = sentchanges.third, fifth = sentchanges.fourth
"""

FORGET_NEWEST_SENT = """
UPDATE sentchanges SET newest = second, second = third, third = fourth, fourth = fifth, fifth = NULL
WHERE person_id = ? AND substr(CAST(newest AS text), 1, length(?)) = ?
"""

OF_TEAMS_USERS = """
WHERE id IN (
    SELECT person.id FROM each(?) CROSS JOIN person
        WHERE person.teams_user_id = each.1 AND person.integration_id = each.0
) ORDER BY id
"""

COUNT_UNKNOWN_STATE = """
INSERT INTO unknownstate (integration_id, name, count, last_at) VALUES (?, ?, ?, ?)
ON CONFLICT (integration_id, name)
DO UPDATE SET count = unknownstate.count + excluded.count, last_at = excluded.last_at
"""


def sharing(
    transaction: Transaction, integration_ids: Collection[str], services: Iterable[str]
) -> dict[str, set[str]]:
    """For each of these that exists, all that have its tenant and application, itself included.

    Of another owner only while these ``services`` refuse neither's credentials: who can use the application no
    longer must not hold up who can.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for this, other in transaction.rows(SHARING, listed(integration_ids), listed(services)):
        found[this].add(other)
    return dict(found)


def lock_integrations(transaction: Transaction, integration_ids: Iterable[str]) -> list[IntegrationRow]:
    """Without those that another transaction has locked: one of them delays no other."""
    return transaction.read(INTEGRATIONS, LOCKED, listed(integration_ids))


def open_problems(transaction: Transaction, integration_ids: Iterable[str]) -> list[tuple[str, str, bool]]:
    """Integration, service, and whether only an administrator can end it."""
    found = transaction.rows(OPEN_PROBLEMS, listed(integration_ids))
    return [(integration_id, service, bool(lasting)) for integration_id, service, lasting in found]


def mark_seen(transaction: Transaction, names: Pairs, now: datetime) -> set[tuple[str, str]]:
    """Store these events, each by its integration's id and its own; returns those that are new."""
    return {(key, event) for key, event in transaction.rows(NEW_EVENTS, now, paired(names))} if names else set()


def lock_concerned(
    transaction: Transaction, extensions: Pairs, user_ids: Pairs, ids: Collection[str]
) -> list[PersonRow]:
    """The people who own these extensions or were seen there, have these CloudLink user ids, or these ids.

    Of those who own an extension or were seen there, ``NEAR_ONE`` each: the matched, and the last seen.
    """
    places = paired(extensions)
    return transaction.read(PEOPLE, CONCERNED, places, NEAR_ONE, places, NEAR_ONE, paired(user_ids), listed(ids))


def endpoints_of(transaction: Transaction, person_ids: Iterable[str]) -> list[EndpointRow]:
    return transaction.read(ENDPOINTS, OF_PEOPLE, listed(person_ids))


def calls_of(
    transaction: Transaction, person_ids: Iterable[str], ended: str, named: Iterable[str]
) -> list[CallRow]:
    """Their known calls; of those in the state ``ended`` only the ``named``."""
    return transaction.read(CALLS, THEIR_CALLS, listed(person_ids), ended, listed(named))


def lock_due(
    transaction: Transaction, integration_id: str, but: Iterable[str], now: datetime, limit: int
) -> list[PersonRow]:
    """The people to be sent now, without ``but``, in the order of their ids.

    Of more than ``limit`` those whose state changes come before renewals, and the longest waiting first.
    """
    asked = (integration_id, now + CLOCKS_DIFFER, now, listed(but), now, limit)
    return transaction.read(PEOPLE, DUE, *asked, *asked, limit)


def of_teams_users(
    transaction: Transaction, integration_ids: Iterable[str], user_ids: Collection[str]
) -> list[PersonRow]:
    """The people of these integrations who are matched to one of these Teams users, in the order of their ids."""
    pairs = [(integration_id, user_id) for integration_id in integration_ids for user_id in user_ids]
    return transaction.read(PEOPLE, OF_TEAMS_USERS, paired(pairs)) if pairs else []


def save_endpoints(transaction: Transaction, rows: Iterable[EndpointRow]) -> None:
    transaction.write(ENDPOINTS.upsert, [ENDPOINTS.values(row) for row in rows])


ADD_TIME = """
INSERT INTO linetime (integration_id, day, person_id, state, seconds) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (integration_id, day, person_id, state)
DO UPDATE SET seconds = linetime.seconds + excluded.seconds
"""


def add_times(transaction: Transaction, times: Iterable[tuple[str, str, str, str, int]]) -> None:
    """Add to how long lines were in a state: integration, day, person, state and seconds."""
    transaction.write(ADD_TIME, times)


def save_calls(transaction: Transaction, rows: Iterable[CallRow]) -> None:
    transaction.write(CALLS.upsert, [CALLS.values(row) for row in rows])


def add_sent(transaction: Transaction, entries: Mapping[str, Mapping[str, str]], now: datetime) -> None:
    """Keep what was sent for each of these people, in front of what was sent before."""
    transaction.write(ADD_SENT, [(name, now, dict(entry)) for name, entry in entries.items()])


def forget_newest_sent(transaction: Transaction, entries: Mapping[str, str]) -> None:
    """Forget what was sent last for each of these people, where it begins with this text."""
    transaction.write(FORGET_NEWEST_SENT, [(name, begin, begin) for name, begin in entries.items()])


def forget_endpoints(transaction: Transaction, keys: Pairs) -> None:
    """Delete these endpoints, each by its person's id and its extension, and their calls."""
    transaction.write("DELETE FROM call WHERE person_id = ? AND extension = ?", keys)
    transaction.write("DELETE FROM endpoint WHERE person_id = ? AND extension = ?", keys)


def add_unknown_states(
    transaction: Transaction, integration_id: str, counts: Mapping[str, int], now: datetime
) -> None:
    """Add ``counts`` (by state name) to the integration's unknown states."""
    known = {name for (name,) in transaction.rows(NAMES, integration_id)}
    room = MAX_UNKNOWN_STATES - len(known)
    kept = [name for name in counts if name in known] + [name for name in counts if name not in known][:room]
    transaction.write(COUNT_UNKNOWN_STATE, [(integration_id, name, counts[name], now) for name in kept])


NAMES = "SELECT name FROM unknownstate WHERE integration_id = ?"
