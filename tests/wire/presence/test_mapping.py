"""A mapping over the wire: what Graph receives for a call that is under way, and for later ones."""

from pathlib import Path

import pytest

from sync.domain.presence import LineState, Presence
from sync.presence.mapping import QUIET, chosen_by
from tests.support.engines import ADMIN, TENANT
from tests.support.presence import AVAILABLE, IN_A_CALL, PRESENTING, connected_engine, presence_requests

pytestmark = pytest.mark.usefixtures("each_database")


async def test_a_saved_mapping_is_sent_for_this_call_and_the_next(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await sandbox.call("2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        (view,) = await running.engine.integrations.list(TENANT)
        chosen = {**chosen_by({}), **QUIET, LineState.RINGING: Presence.IN_A_CALL}
        saved, changed = await running.engine.mappings.save(TENANT, view.id, view.revision, chosen, ADMIN)
        await running.wait_until_shown("2001", *PRESENTING)
        await sandbox.hangup("2001")
        await running.wait_until_shown("2001", *AVAILABLE)
        await sandbox.ring("2002")
        await running.wait_until_shown("2002", *IN_A_CALL)
        assert (changed, saved.revision) == (1, view.revision + 1)
        sent = [call["body"].get("activity", "clear") for call in await presence_requests(sandbox)]
        assert sent == ["InACall", "Presenting", "clear", "InACall"]
