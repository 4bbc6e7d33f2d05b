from datetime import UTC, datetime

import pytest

from sandbox.world.phones import Phone, PhoneCall, PhoneError, UsedPhone

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Line:
    """A phone whose announcements are kept as (call id, state), None for the phone itself."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str] | None] = []
        self.stamps: list[int] = []
        self.phone = Phone()
        self.desk = UsedPhone("2001", self.phone, self._hear, self._tick)
        self._ms = 0

    def _hear(self, call: PhoneCall | None) -> None:
        self.said.append((call.call_id, call.state) if call else None)
        self.stamps.append(call.changed_ms if call else self.phone.changed_ms)

    def _tick(self) -> tuple[datetime, int]:
        self._ms += 1
        return NOW, self._ms

    @property
    def calls(self) -> list[tuple[str, str]]:
        return [(call.call_id, call.state) for call in self.phone.calls]


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_call_is_taken_and_ends(line: Line) -> None:
    line.desk.ring("a", "+351")
    line.desk.answer()
    line.desk.hang_up()
    assert line.said == [("a", "ringing"), ("a", "connected"), ("a", "ended")]
    assert line.calls == []
    assert line.stamps == sorted(set(line.stamps))


def test_calling_out_is_announced_in_two_steps(line: Line) -> None:
    line.desk.dial("a", "+351")
    assert line.said == [("a", "originated"), ("a", "connected")]


def test_taking_a_second_call_holds_the_first(line: Line) -> None:
    line.desk.dial("a", "+351")
    line.desk.ring("b", "+44")
    line.desk.answer()
    assert line.calls == [("a", "held"), ("b", "connected")]
    line.desk.hang_up()
    line.desk.hold()
    assert line.calls == [("a", "connected")]


def test_hold_and_back_keeps_a_conference_one(line: Line) -> None:
    line.desk.dial("a", "+351")
    line.desk.conference()
    line.desk.hold()
    line.desk.hold()
    assert line.said[-3:] == [("a", "conferenced"), ("a", "held"), ("a", "conferenced")]


def test_a_call_can_be_named(line: Line) -> None:
    line.desk.ring("a", "+351")
    line.desk.ring("b", "+44")
    line.desk.hang_up("a")
    assert line.calls == [("b", "ringing")]


def test_do_not_disturb_is_announced_once(line: Line) -> None:
    line.desk.set_do_not_disturb(True)
    line.desk.set_do_not_disturb(True)
    assert line.said == [None]


def test_an_unregistered_phone_loses_its_calls_and_takes_none(line: Line) -> None:
    line.desk.ring("a", "+351")
    line.desk.set_registered(False)
    assert line.said == [("a", "ringing"), ("a", "ended"), None]
    assert line.phone.state == "offline"
    with pytest.raises(PhoneError):
        line.desk.ring("b", "+351")


def test_the_most_active_call_is_the_phones_state(line: Line) -> None:
    assert line.phone.state == "idle"
    line.desk.dial("a", "+351")
    line.desk.ring("b", "+351")
    assert line.phone.state == "connected"
    line.desk.hold("a")
    assert line.phone.state == "held"
    line.desk.hang_up_all()
    assert line.phone.state == "idle"


def test_an_unknown_state_is_announced_for_a_live_call_or_an_invented_one(line: Line) -> None:
    assert line.desk.publish_state("parked", "new") == "new"
    assert line.said == [("new", "parked")]
    assert line.calls == []
    line.desk.ring("a", "+351")
    assert line.desk.publish_state("parked", "other") == "a"
    assert line.phone.state == "busy"


@pytest.mark.parametrize("step", ["answer", "hold", "conference", "hang_up"])
def test_nothing_can_be_done_without_a_call(line: Line, step: str) -> None:
    with pytest.raises(PhoneError):
        getattr(line.desk, step)()


@pytest.mark.parametrize(("first", "step"), [("dial", "answer"), ("ring", "hold"), ("ring", "conference")])
def test_a_call_in_the_wrong_state_is_refused(line: Line, first: str, step: str) -> None:
    getattr(line.desk, first)("a", "+351")
    with pytest.raises(PhoneError):
        getattr(line.desk, step)("a")


def test_a_phone_takes_only_so_many_calls(line: Line) -> None:
    for number in range(8):
        line.desk.ring(str(number), "+351")
    with pytest.raises(PhoneError):
        line.desk.ring("one more", "+351")
