"""Fixes of real cases, undone: with each, some days must fail. It shows that the simulation finds such faults.

``python -m tests.simulation.undone FIX=SEED ...`` prints what failed on these days, as JSON.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any
from unittest.mock import patch

from sync.domain.model import Freshness
from sync.domain.phone_events import CallEvent, CallState, CloudLinkUser
from sync.domain.presence import LineState, Presence
from sync.flow import line_state
from sync.people import matching
from sync.presence import mapping
from tests.simulation.day import prepare, simulate
from tests.simulation.models.graph import TeamsUser

APPLY_CALL_EVENT = line_state._apply_call_event


def _ended_for_ever(
    endpoint: line_state.Endpoint, event: CallEvent, now: datetime
) -> tuple[line_state.Endpoint, line_state.Verdict]:
    known = endpoint.calls.get(event.call_id)
    if known and known.state is CallState.ENDED:
        return endpoint, line_state.Verdict.LATE
    return APPLY_CALL_EVENT(endpoint, event, now)


def _nobody_else_wishes(*_: Any) -> dict[str, Presence]:
    return {}


def _match_guests(
    people: Sequence[CloudLinkUser], accounts: Sequence[TeamsUser], proxies: bool, chosen: Mapping[str, str]
) -> list[matching.Matching]:
    return matching.match(people, [replace(each, guest=False) for each in accounts], proxies, chosen)


async def _leave_nothing(*_: Any) -> None:
    return None


UNDONE: Mapping[str, AbstractContextManager[Any]] = {
    "silent_webhooks_are_live": patch("sync.scheduling.scheduler.freshness_of", lambda *_, **__: Freshness.LIVE),
    "ended_calls_stay_ended": patch.object(line_state, "_apply_call_event", _ended_for_ever),
    "times_of_the_future_are_believed": patch.object(line_state, "_believed", lambda at, _now: at),
    "ringing_is_a_call": patch.dict(mapping.DEFAULTS, {LineState.RINGING: Presence.IN_A_CALL}),
    "others_wishes_are_ignored": patch("sync.flow.tick.wishes", _nobody_else_wishes),
    "guests_are_matched": patch("sync.people.difference.match", _match_guests),
    "unconfirmed_calls_are_shown": patch("sync.presence.plan.is_unconfirmed", lambda *_: False),
    "removals_forget_the_quota": patch("sync.integrations.remover.leave_quota", _leave_nothing),
}


def main(days: Sequence[str]) -> dict[str, list[str]]:
    """The faults of each day, by the fix that was undone on it."""
    prepare()
    return {fix: _faults(fix, int(seed)) for fix, _, seed in (day.partition("=") for day in days)}


def _faults(fix: str, seed: int) -> list[str]:
    with UNDONE[fix]:
        return simulate(seed).faults


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
