"""The words CloudLink uses, which a customer can correct with a JSON file when Mitel's differ.

Only ``ringing`` is documented as a call's state (CloudLink developer site, "Subscriptions"). CloudLink's sample
notification also contains the name of a CSTA event, so the words of CSTA (ECMA-269: connection states, call control
events) are here too; all others are assumptions.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sync.domain.phone_events import BUSY, OFFLINE, CallState

LARGEST_FILE = 100_000


def plain(word: str) -> str:
    """A word as the tables hold it: ``On_Hold``, ``on-hold`` and ``onHold`` are the same."""
    return re.sub(r"[\W_]+", "", word).casefold()


def call_word(word: str) -> str:
    """The name of a call's state or event as the table holds it, without the suffix ``Event``."""
    return plain(word).removesuffix("event")


_CALL_STATES = {
    CallState.ORIGINATED: (
        *("originated", "originating", "initiated", "dialing", "dialling"),
        *("serviceinitiated", "networkreached"),
    ),
    CallState.RINGING: ("ringing", "alerting", "offered", "delivered"),
    CallState.CONNECTED: ("connected", "active", "answered", "established", "talking", "retrieved"),
    CallState.HELD: ("held", "hold", "onhold"),
    CallState.CONFERENCED: ("conferenced", "conference"),
    CallState.ENDED: (
        *("ended", "cleared", "idle", "disconnected", "released", "terminated", "null", "fail", "failed"),
        *("connectioncleared", "callcleared", "diverted", "transferred", "transfered"),
    ),
    CallState.UNCHANGED: ("queued",),
}
_END_STEMS = (
    *("ended", "clear", "disconnect", "releas", "terminat", "hangup", "hungup", "onhook", "dropped", "abandon"),
    *("cancel", "declin", "reject", "divert", "transferred", "transfered", "fail"),
)


def _default_call_states() -> Mapping[str, CallState]:
    return MappingProxyType({word: state for state, words in _CALL_STATES.items() for word in words})


@dataclass(frozen=True, slots=True)
class WireTables:
    """How CloudLink's words and fields are read. Words are compared by their letters and digits, ignoring case.

    ``call_states``: a call's state, by CloudLink's name for it or for the CSTA event. A word that is not there but
    contains one of ``end_stems`` means the end of a call. ``offline_states``: names for a phone that is not
    registered.
    ``call_events`` and ``endpoint_events``: event types of calls and of phones; others change nothing.
    ``do_not_disturb_fields`` and ``conference_fields``: fields that may hold those flags; the first found wins.
    ``user_fields`` and ``site_fields``: fields that may name the person and the site of a phone.
    ``refused_roles``: token owners that may not read an account. ``refresh_field``: the refresh token's name
    in a request. ``topic``, ``subject_filter``, ``publication_filter``: the subscription's fields.
    """

    call_states: Mapping[str, CallState] = field(default_factory=_default_call_states)
    end_stems: frozenset[str] = frozenset(_END_STEMS)
    offline_states: frozenset[str] = frozenset({"offline", "unregistered", "outofservice", "unreachable"})
    call_events: frozenset[str] = frozenset({"callstatenotification"})
    endpoint_events: frozenset[str] = frozenset({"endpointstatenotification"})
    do_not_disturb_fields: tuple[str, ...] = ("doNotDisturb", "dnd")
    conference_fields: tuple[str, ...] = ("conference",)
    user_fields: tuple[str, ...] = ("userId",)
    site_fields: tuple[str, ...] = ("siteId",)
    refused_roles: frozenset[str] = frozenset({"user", "guest"})
    refresh_field: str = "refresh_token"
    topic: str = "platform-api-media"
    subject_filter: str = "/2017-09-01/endpoints/"
    publication_filter: str = ""

    def call_state(self, name: str) -> CallState | None:
        return self.call_states.get(call_word(name))

    def sounds_ended(self, name: str) -> bool:
        """Whether an unknown name says by one of its parts that a call is over."""
        return any(stem in plain(name) for stem in self.end_stems)

    def is_call_event(self, event_type: str) -> bool:
        return plain(event_type) in self.call_events

    def is_endpoint_event(self, event_type: str) -> bool:
        return plain(event_type) in self.endpoint_events

    def endpoint_state(self, name: str) -> str:
        """``name``, or ``OFFLINE`` when it is one of ``offline_states``, or ``BUSY`` when it is a call's."""
        if plain(name) in self.offline_states:
            return OFFLINE
        return name if self.call_state(name) in (None, CallState.ENDED) else BUSY


def load_tables(path: Path | None) -> WireTables:
    """The defaults, corrected by the JSON file at ``path``: call states are added to, everything else is replaced.

    Raises ``ValueError`` saying what is wrong with the file.
    """
    if path is None:
        return WireTables()
    corrections = _read(path)
    names = {each.name for each in fields(WireTables)}
    if unknown := sorted(set(corrections) - names):
        raise ValueError(f"{path}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(names))}")
    defaults = WireTables()
    try:
        return replace(defaults, **{name: _corrected(defaults, name, value) for name, value in corrections.items()})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_FILE + 1)
        found = json.loads(text) if len(text) <= LARGEST_FILE else None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: must hold one JSON object of at most {LARGEST_FILE} bytes")
    return found


def _corrected(defaults: WireTables, name: str, value: object) -> Any:
    default = getattr(defaults, name)
    if isinstance(default, str):
        return _word(name, value, empty=name == "publication_filter")
    if isinstance(default, Mapping):
        return MappingProxyType({**default, **_states(name, value)})
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list of words")
    words = [_word(name, each) for each in value]
    return tuple(words) if isinstance(default, tuple) else frozenset(plain(word) for word in words)


def _states(name: str, value: object) -> dict[str, CallState]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object of CloudLink's names and ours")
    ours = [state.value for state in CallState]
    for word, state in value.items():
        if state not in ours:
            raise ValueError(f"{name}.{word} must be one of {', '.join(ours)}")
    return {call_word(word): CallState(state) for word, state in value.items()}


def _word(name: str, value: object, empty: bool = False) -> str:
    if not isinstance(value, str) or len(value) > 500 or not (value or empty):
        raise ValueError(f"{name} must hold words")
    return value
