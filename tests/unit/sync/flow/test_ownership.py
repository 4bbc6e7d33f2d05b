from collections.abc import Sequence

import pytest

from sync.domain.phone_events import CallSnapshot, CallState, LineSnapshot
from sync.flow.line_state import unknown_phone
from sync.flow.ownership import Nobody, Resident, is_disagreement, owner_of, shares

ANA = Resident("ana", "u-ana", "Lisbon", "2001")
BOB = Resident("bob", "u-bob", "Porto", "2001")
EVA = Resident("eva", "u-eva", "", "2003", frozenset({"2003", "3001"}))
TIM = Resident("tim", "u-tim", "", None, frozenset({"3001"}))
ALL = (ANA, BOB, EVA, TIM)


def place(
    extension: str, user_id: str = "", site_id: str = "", *calls: str, dnd: bool | None = None
) -> LineSnapshot:
    talks = tuple(CallSnapshot(name, CallState.CONNECTED, "connected", False, 0) for name in calls)
    return LineSnapshot(extension, user_id, "idle", dnd, talks, 0, site_id)


@pytest.mark.parametrize(
    ("found", "owner"),
    [
        (place("2001", "u-eva"), EVA),
        (place("9999", "u-ana", "Porto"), ANA),
        (place("2001", "u-new"), Nobody.UNKNOWN_PERSON),
        (place("2001"), Nobody.AMBIGUOUS),
        (place("2001", site_id="Porto"), BOB),
        (place("2001", site_id="Faro"), Nobody.UNKNOWN_PERSON),
        (place("2003", site_id="Faro"), EVA),
        (place("3001"), Nobody.AMBIGUOUS),
        (place("9999"), Nobody.UNKNOWN_PERSON),
    ],
)
def test_whom_a_report_concerns(found: LineSnapshot, owner: Resident | Nobody) -> None:
    assert owner_of(found, ALL) is owner


def test_two_with_one_extension_and_no_site_are_ambiguous_and_one_whose_site_is_known_is_not() -> None:
    nowhere = Resident("x", "u-x", "", "2001")
    assert owner_of(place("2001"), [nowhere, Resident("y", "u-y", "", "2001")]) is Nobody.AMBIGUOUS
    assert owner_of(place("2001", site_id="Lisbon"), [nowhere, ANA]) is ANA
    assert owner_of(place("2001", site_id="Faro"), [nowhere, ANA]) is nowhere


@pytest.mark.parametrize(
    ("found", "is_news"),
    [
        (place("2001", "u-ana"), False),
        (place("2001"), False),
        (place("3001", "u-eva"), False),
        (place("8888", "u-eva"), False),
        (place("2003", "u-ana"), True),
        (place("2001", "u-new"), True),
        (place("8888", "u-new"), True),
        (place("2001", "u-bob", "Porto"), False),
    ],
)
def test_what_contradicts_the_directory(found: LineSnapshot, is_news: bool) -> None:
    assert is_disagreement(found, ALL) is is_news


def test_what_was_seen_before_is_no_news() -> None:
    guest = Resident("ana", "u-ana", "", "2001", frozenset({"2003"}))
    assert not is_disagreement(place("2003", "u-ana"), [guest, EVA])


def shared_out(parts: Sequence[tuple[Resident, LineSnapshot]]) -> dict[str, tuple[bool, list[str]]]:
    """By person: whether the endpoint exists for them, and the calls they have there."""
    return {one.id: (part.exists, [call.call_id for call in part.calls]) for one, part in parts}


def test_a_named_user_gets_the_snapshot_and_who_was_only_seen_there_gets_nothing() -> None:
    assert shared_out(shares(place("3001", "u-eva", "", "c"), ALL, {})) == {
        "eva": (True, ["c"]),
        "tim": (False, []),
    }
    assert shared_out(shares(place("2003", "u-tim", "", "c"), ALL, {})) == {
        "tim": (True, ["c"]),
        "eva": (False, []),
    }


def test_two_who_own_an_extension_may_have_two_phones() -> None:
    one, other = Resident("x", "u-x", "", "2001"), Resident("y", "u-y", "", "2001")
    assert shared_out(shares(place("2001", "u-x", "", "c"), [one, other], {})) == {"x": (True, ["c"])}
    assert shared_out(shares(place("2001", "", "", "c"), [one, other], {})) == {}


def test_without_a_user_a_call_stays_with_who_has_it_and_a_new_one_is_the_owners() -> None:
    guest = Resident("ana", "u-ana", "", "2001", frozenset({"2003"}))
    parts = shares(place("2003", "", "", "c", "d", dnd=True), [guest, EVA], {"ana": {"c", "x"}})
    assert shared_out(parts) == {"ana": (True, ["c"]), "eva": (True, ["d"])}
    assert {one.id: part.do_not_disturb for one, part in parts} == {"ana": None, "eva": True}


def test_of_several_guests_each_keeps_their_calls_and_a_new_one_is_nobodys() -> None:
    parts = shares(place("3001", "", "", "c", "d", "e"), [EVA, TIM], {"eva": {"c"}, "tim": {"d"}})
    assert shared_out(parts) == {"eva": (True, ["c"]), "tim": (True, ["d"])}


def test_a_phone_that_cloudlink_does_not_know_is_nobodys() -> None:
    assert shared_out(shares(unknown_phone("2001"), ALL, {"ana": {"c"}})) == {
        "ana": (False, []),
        "bob": (False, []),
    }
