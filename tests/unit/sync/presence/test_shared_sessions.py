from datetime import timedelta
from typing import Any

import pytest

from sync.domain.presence import Presence
from sync.presence.shared_sessions import wishes
from tests.support.clocks import NOON
from tests.support.storage.stores import integration, person

CALL = Presence.IN_A_CALL


@pytest.mark.parametrize(
    ("applied", "user_id", "is_asked"),
    [(None, None, True), (CALL, "teams p1", True), ("unsure", None, True), (CALL, "former", False)],
)
def test_who_is_still_shown_at_a_former_account_wishes_nothing_for_the_new_one(
    applied: str | None, user_id: str | None, is_asked: bool
) -> None:
    """Else another integration would leave its session to a row that answers for another."""
    until = NOON + timedelta(hours=1) if applied else None
    shown: dict[str, Any] = {"applied": applied, "applied_user_id": user_id, "applied_until": until}
    someone: Any = person(desired=CALL, desired_at=NOON, heard_at=NOON, **shown)
    rows: Any = {someone.integration_id: integration()}
    assert wishes([someone], rows, NOON) == ({"teams p1": CALL} if is_asked else {})
