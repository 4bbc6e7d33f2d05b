import pytest

from sync.domain.presence import Effect, Presence, Shown
from sync.presence.effect import effect_of

CALL, CONFERENCE, BUSY_PHONE = Presence.IN_A_CALL, Presence.IN_A_CONFERENCE_CALL, Presence.PRESENTING
A, C, R, N, P, U = (
    Effect.AS_WISHED,
    Effect.CHOSEN,
    Effect.OUTRANKED,
    Effect.NOT_SHOWN,
    Effect.PERHAPS_CHOSEN,
    Effect.UNCLEAR,
)

READ = {
    "Available/Available": (N, N, N),
    "Available/Away": (N, N, N),
    "Available/OutOfOffice": (C, C, C),
    "AvailableInactive/AvailableInactive": (N, N, N),
    "AvailableIdle/Inactive": (N, N, N),
    "Away/Away": (N, N, N),
    "BeRightBack/BeRightBack": (C, C, C),
    "Busy/Busy": (C, C, C),
    "Busy/InACall": (A, R, N),
    "busy/inACall": (A, R, N),
    "InACall/InACall": (A, R, N),
    "InACall/": (A, R, N),
    "Busy/InAConferenceCall": (R, A, N),
    "Busy/InAMeeting": (R, R, N),
    "InAMeeting/InAMeeting": (R, R, N),
    "BusyIdle/InACall": (A, R, N),
    "Busy/SomethingNew": (R, R, N),
    "DoNotDisturb/DoNotDisturb": (C, C, C),
    "DoNotDisturb/UrgentInterruptionsOnly": (C, C, C),
    "DoNotDisturb/Presenting": (R, R, A),
    "Presenting/Presenting": (R, R, A),
    "DoNotDisturb/Focusing": (R, R, R),
    "focusing/focusing": (R, R, R),
    "Offline/Offline": (N, N, N),
    "Offline/OffWork": (C, C, C),
    "PresenceUnknown/PresenceUnknown": (U, U, U),
    "SomethingNew/SomethingNew": (U, U, U),
    "/": (U, U, U),
}
"""What Graph returns, and what it says of a wish for a call, a conference call, and do not disturb."""


@pytest.mark.parametrize(("read", "expected"), READ.items())
def test_every_pair_that_graph_returns_says_what_became_of_a_wish(
    read: str, expected: tuple[Effect, Effect, Effect]
) -> None:
    shown = Shown(*read.split("/"))
    assert tuple(effect_of(wish, shown) for wish in (CALL, CONFERENCE, BUSY_PHONE)) == expected


@pytest.mark.parametrize("wish", [CALL, CONFERENCE, BUSY_PHONE])
def test_of_a_person_of_whom_graph_says_nothing_nothing_is_claimed(wish: Presence) -> None:
    assert effect_of(wish, None) is U
    assert effect_of(wish, None, sent_again=True) is U


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ("Available/Available", P),
        ("Away/Away", P),
        ("AvailableInactive/AvailableInactive", N),
        ("Offline/Offline", N),
        ("Busy/InACall", A),
        ("DoNotDisturb/DoNotDisturb", C),
    ],
)
def test_what_a_person_can_choose_is_perhaps_chosen_once_the_wish_was_sent_again(
    read: str, expected: Effect
) -> None:
    assert effect_of(CALL, Shown(*read.split("/")), sent_again=True) is expected


def test_a_wish_to_be_available_or_away_is_shown_as_such_and_every_stronger_state_outranks_it() -> None:
    assert effect_of(Presence.AVAILABLE, Shown("Available", "Available")) is A
    assert effect_of(Presence.AVAILABLE, Shown("AvailableInactive", "AvailableInactive")) is N
    assert effect_of(Presence.AWAY, Shown("Available", "Available")) is R
    assert effect_of(Presence.AWAY, Shown("Busy", "InACall")) is R
    assert effect_of(Presence.AWAY, Shown("Offline", "Offline")) is N
