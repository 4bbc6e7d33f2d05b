"""Who is chosen to be sent."""

from datetime import timedelta
from random import Random
from typing import Any

from sync.domain.presence import Presence
from sync.flow.rounds import Choice
from tests.support.clocks import NOON
from tests.support.storage.stores import integration, person


def test_who_leaves_a_former_account_to_others_is_sent_for_their_own_in_the_same_round() -> None:
    others: Any = {"teams former": Presence.IN_A_CONFERENCE_CALL}
    moved: Any = person(
        line="on_call",
        desired=Presence.IN_A_CALL,
        desired_at=NOON,
        heard_at=NOON,
        applied=Presence.IN_A_CONFERENCE_CALL,
        applied_user_id="teams former",
        applied_until=NOON + timedelta(hours=1),
    )
    row: Any = integration()
    chosen = Choice(row, others, NOON, Random(1)).prepare([moved])
    assert [(each.change.user_id, each.shown) for each in chosen] == [("teams p1", Presence.IN_A_CALL)]
