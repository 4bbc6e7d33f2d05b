"""Whose phones are polled after events could not be stored, whatever tokens were made up meanwhile."""

import asyncio
from pathlib import Path

import pytest

from sync.phones import lost_events
from sync.phones.lost_events import LostEvents
from sync.phones.subscriptions import hashed
from tests.support.clocks import NOON
from tests.support.eventually import eventually
from tests.support.services.fake_services import FakeJobs, context_of
from tests.support.storage.stores import empty_store, integration, read_integration, stored


@pytest.mark.parametrize("made_up", [2, 3])
async def test_made_up_tokens_push_no_real_one_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_up: int
) -> None:
    """Of more webhooks than are remembered, everybody is polled, in turns by the schedule."""
    monkeypatch.setattr(lost_events, "MAX_REMEMBERED", 3)
    async with empty_store(tmp_path) as database:
        await stored(database, integration(webhook_token_hash=hashed("real")), integration(id="i2"))
        jobs = FakeJobs()
        lost = LostEvents(context_of(database, jobs=jobs))
        for number in range(made_up):
            lost.add(hashed(f"made up {number}"))
        lost.add(hashed("real"))
        await eventually(lambda: lost.is_empty)
        await asyncio.sleep(0)
        await lost.close()
        assert (await read_integration(database, "i1")).catch_up_since == NOON
        is_all = made_up == 3
        assert ((await read_integration(database, "i2")).catch_up_since == NOON) is is_all
        assert jobs.now() == ([] if is_all else ["poll"])
