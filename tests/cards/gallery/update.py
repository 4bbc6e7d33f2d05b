"""The cards of feature updates in every distinct state."""

from collections.abc import Iterator
from datetime import UTC, datetime

from bot.activity import Card
from bot.cards.field_errors import Links, form_error
from bot.cards.integrations import update
from bot.languages import Texts
from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.model import IntegrationView
from sync.updates.model import (
    Installation,
    InstallationState,
    PendingUpdate,
    PlannedChange,
    UpdateOffer,
    UpdateProgress,
)
from tests.cards.gallery.names import LONG_PERSON

STARTED = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NAMES = tuple(f"Ada Example {number}" for number in range(1, 13))


def samples(texts: Texts, integration: IntegrationView) -> Iterator[tuple[str, Card]]:
    few = PendingUpdate(2, (PlannedChange("matched", 3, NAMES[:3]),))
    calls = PendingUpdate(3, (PlannedChange("people", 25), PlannedChange("on_the_phone", 0)))
    yield "update_looking", update.checking(texts, integration)
    yield "update_offered", update.offered(texts, integration, UpdateOffer(1, (few,)))
    yield "update_offered_text", update.offered(texts, integration, UpdateOffer(2, (calls,)))
    for largest in _largest():
        name = f"update_offered_largest_{largest.version}"
        yield name, update.offered(texts, integration, UpdateOffer(largest.version - 1, (largest,)))
    unavailable = form_error(ServiceUnavailable(Fault.GRAPH_UNREACHABLE, None, status=503), texts, Links())
    yield "update_not_readable", update.not_readable(texts, integration, unavailable)
    yield "update_nothing", update.nothing_to_install(texts, integration, UpdateOffer(3, (), 3))
    yield "update_nothing_to_undo", update.nothing_to_install(texts, integration, UpdateOffer(3, ()))
    yield "update_put_off", update.put_off(texts, integration)
    yield "update_done", update.done(texts, integration, 3)
    for name, updates in _installations():
        yield name, update.installation_card(texts, _installation(*updates))
    failed = _installation(_progress(2, InstallationState.FAILED, fault="graph.unreachable", failed_step="read"))
    yield "update_failed", update.installation_card(texts, failed, unavailable)


def _largest() -> tuple[PendingUpdate, ...]:
    names = (LONG_PERSON, "Rui Costa", "Ana Lima") * 4
    return (
        PendingUpdate(2, (PlannedChange("matched", 14_000, names), PlannedChange("ambiguous", 300, names))),
        PendingUpdate(
            3,
            (
                PlannedChange("people", 15_000),
                PlannedChange("on_the_phone", 400, names),
                PlannedChange("own_message", 40, names),
            ),
        ),
    )


def _installations() -> Iterator[tuple[str, tuple[UpdateProgress, ...]]]:
    waiting = _progress(3, InstallationState.WAITING)
    yield "update_0", (_progress(2, InstallationState.WAITING), waiting)
    yield (
        "update_40",
        (_progress(2, InstallationState.RUNNING, step="accept", step_index=2, done=4, total=10), waiting),
    )
    matched = _progress(2, InstallationState.COMPLETED, results={"matched": 3})
    yield (
        "update_80",
        (matched, _progress(3, InstallationState.RUNNING, step="announce", step_index=2, done=0, total=9_000)),
    )
    yield (
        "update_completed",
        (matched, _progress(3, InstallationState.COMPLETED, results={"own_message": 4, "on_the_phone": 1})),
    )
    yield (
        "update_going_back",
        (matched, _progress(3, InstallationState.ROLLING_BACK, step="accept", step_index=1, done=1, total=2)),
    )
    yield "update_undone", (_progress(3, InstallationState.UNDONE),)
    yield (
        "update_failed_unexpectedly",
        (_progress(2, InstallationState.FAILED, fault="unexpected", failed_step="match"),),
    )


def _progress(version: int, state: InstallationState, **values: object) -> UpdateProgress:
    given: dict[str, object] = {"step": "read", "step_index": 0, "steps": 3, "done": 0, "total": 25}
    return UpdateProgress(version, state, **{**given, **values})  # type: ignore[arg-type]


def _installation(*updates: UpdateProgress) -> Installation:
    return Installation("0123456789abcdef0123456789abcdef", "Head office", updates, "Ada Example", STARTED)
