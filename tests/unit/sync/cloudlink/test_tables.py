"""The words a customer can correct, and what happens when the correction is wrong."""

import json
from pathlib import Path

import pytest

from sync.cloudlink.tables import WireTables, load_tables
from sync.domain.phone_events import BUSY, OFFLINE, CallState


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "cloudlink.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("ringing", CallState.RINGING),
        ("Alerting", CallState.RINGING),
        ("active", CallState.CONNECTED),
        ("On-Hold", CallState.HELD),
        ("onHold", CallState.HELD),
        ("CLEARED", CallState.ENDED),
        ("idle", CallState.ENDED),
        ("conferenced", CallState.CONFERENCED),
        ("originated", CallState.ORIGINATED),
        ("Connection-Cleared-Event", CallState.ENDED),
        ("queued", CallState.UNCHANGED),
        ("levitating", None),
        ("", None),
    ],
)
def test_each_state_has_several_names(name: str, state: CallState | None) -> None:
    assert WireTables().call_state(name) is state


def test_offline_has_one_name_for_us() -> None:
    assert WireTables().endpoint_state("Out_Of_Service") == OFFLINE
    assert WireTables().endpoint_state("Busy") == "Busy"


def test_a_phone_in_the_state_of_its_call_is_busy() -> None:
    assert {WireTables().endpoint_state(word) for word in ("connected", "On-Hold", "alerting", "queued")} == {BUSY}
    assert [WireTables().endpoint_state(word) for word in ("idle", "levitating")] == ["idle", "levitating"]


def test_the_defaults_apply_without_a_file() -> None:
    assert load_tables(None) == WireTables()


def test_a_file_adds_call_states_and_replaces_the_rest(tmp_path: Path) -> None:
    corrections = {
        "call_states": {"In Call": "connected", "ringing": "originated", "campedOnEvent": "unchanged"},
        "end_stems": ["byebye"],
        "offline_states": ["Gone Away"],
        "do_not_disturb_fields": ["dndActive"],
        "topic": "platform-api-presence",
    }
    tables = load_tables(written(tmp_path, corrections))
    assert tables.call_state("in_call") is CallState.CONNECTED
    assert tables.call_state("CampedOn") is CallState.UNCHANGED
    assert (tables.sounds_ended("saidByeBye"), tables.sounds_ended("hungUp")) == (True, False)
    assert tables.call_state("ringing") is CallState.ORIGINATED
    assert tables.call_state("held") is CallState.HELD
    assert tables.endpoint_state("goneaway") == OFFLINE
    assert tables.endpoint_state("unregistered") == "unregistered"
    assert tables.do_not_disturb_fields == ("dndActive",)
    assert tables.topic == "platform-api-presence"
    assert WireTables().call_state("in call") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "one JSON object"),
        ('"' + "x" * 100_001 + '"', "at most"),
        ("[" * 50_000, "is not JSON"),
        ({"call_state": {}}, "unknown setting 'call_state'"),
        ({"call_states": ["ringing"]}, "call_states must be an object"),
        ({"call_states": {"talking": "speaking"}}, "call_states.talking must be one of"),
        ({"call_states": {"talking": 1}}, "call_states.talking must be one of"),
        ({"call_states": {"talking": ["connected"]}}, "call_states.talking must be one of"),
        ({"offline_states": "gone"}, "offline_states must be a list"),
        ({"offline_states": [1]}, "offline_states must hold words"),
        ({"topic": ""}, "topic must hold words"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        load_tables(written(tmp_path, content))
    assert message in str(caught.value)
    assert "cloudlink.json" in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        load_tables(tmp_path / "absent.json")
