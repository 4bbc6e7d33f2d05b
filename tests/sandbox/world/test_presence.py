from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.world.presence import (
    CHOSEN_PAIRS,
    OFFLINE,
    SESSION_PAIRS,
    Chosen,
    Session,
    StatusMessage,
    TeamsClient,
    live_message,
    live_session,
    parse_duration,
    shown,
)
from tests.support.properties import unhurried

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
CLIENTS: list[TeamsClient | None] = [None, "Available", "Away", "Busy", "DoNotDisturb", "InAMeeting", "Presenting"]


def session(availability: str = "Busy", activity: str = "InACall", age: float = 0, lasts: float = 60) -> Session:
    """A session set ``age`` minutes ago for ``lasts`` minutes."""
    set_at = NOW - timedelta(minutes=age)
    return Session(availability, activity, set_at, set_at + timedelta(minutes=lasts))


@pytest.mark.parametrize(
    ("client", "ours", "expected"),
    [
        (None, None, OFFLINE),
        ("Available", None, ("Available", "Available")),
        ("Available", session(), ("Busy", "InACall")),
        ("Busy", session(), ("Busy", "InACall")),
        ("DoNotDisturb", session(), ("DoNotDisturb", "DoNotDisturb")),
        ("Busy", session("DoNotDisturb", "Presenting"), ("DoNotDisturb", "Presenting")),
        ("Available", session("Away", "Away"), ("Available", "Available")),
        ("Away", session("Available", "Available"), ("Available", "Available")),
        ("Busy", session("Available", "Available"), ("Busy", "Busy")),
        (None, session(), ("Busy", "InACall")),
    ],
)
def test_the_most_active_session_wins(
    client: TeamsClient | None, ours: Session | None, expected: tuple[str, str]
) -> None:
    assert shown(client, ours, None, NOW) == expected


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(4.9, "Available"), (5, "AvailableInactive"), (9.9, "AvailableInactive"), (10, "Away")],
)
def test_available_fades(minutes: float, expected: str) -> None:
    ours = session("Available", "Available", age=minutes, lasts=240)
    assert shown(None, ours, None, NOW) == (expected, expected)


def test_a_faded_available_yields_to_the_persons_own_client() -> None:
    ours = session("Available", "Available", age=11, lasts=240)
    assert shown("Available", ours, None, NOW) == ("Available", "Available")


@pytest.mark.parametrize(("availability", "activity"), sorted(SESSION_PAIRS - {("Available", "Available")}))
def test_other_states_hold_until_they_expire(availability: str, activity: str) -> None:
    assert shown(None, session(availability, activity, age=59.9), None, NOW) == (availability, activity)
    assert shown(None, session(availability, activity, age=60), None, NOW) == OFFLINE


def test_an_expired_session_is_gone() -> None:
    assert live_session(session(age=60), NOW) is None
    assert shown("Available", session(age=60), None, NOW) == ("Available", "Available")


@unhurried
@given(st.sampled_from(CLIENTS), st.sampled_from(sorted(SESSION_PAIRS)), st.sampled_from(sorted(CHOSEN_PAIRS)))
def test_what_a_person_chose_by_hand_wins(
    client: TeamsClient | None, pair: tuple[str, str], choice: tuple[str, str]
) -> None:
    assert shown(client, session(*pair), Chosen(*choice), NOW) == choice


def test_a_choice_needs_a_session_and_ends() -> None:
    assert shown(None, None, Chosen("Busy", "Busy"), NOW) == OFFLINE
    ended = Chosen("Busy", "Busy", NOW)
    assert shown("Away", None, ended, NOW) == ("Away", "Away")


def test_a_status_message_ends() -> None:
    message = StatusMessage("Back soon", NOW + timedelta(minutes=1))
    assert live_message(message, NOW) == "Back soon"
    assert live_message(message, NOW + timedelta(minutes=1)) is None
    assert live_message(StatusMessage("Here"), NOW) == "Here"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT5M", 300), ("PT1H", 3600), ("PT4H", 14400), ("PT1H30M", 5400), ("PT90.5S", 90.5), ("P1D", 86400)],
)
def test_iso_durations_are_read(text: str, seconds: float) -> None:
    duration = parse_duration(text)
    assert duration is not None
    assert duration.total_seconds() == seconds


@pytest.mark.parametrize(
    "text", ["1:00:00", "", "P", "PT", "P1DT", "1H", "PT1", "PT-5M", "pt5m", "PT5M ", "PT1M1H"]
)
def test_other_texts_are_no_durations(text: str) -> None:
    assert parse_duration(text) is None
