"""The states of a person's line and of a person's presence."""

from enum import StrEnum
from typing import NamedTuple


class LineState(StrEnum):
    """The state of a person's phone, all its calls taken together."""

    IDLE = "idle"
    RINGING = "ringing"
    ON_CALL = "on_call"
    IN_CONFERENCE = "in_conference"
    DO_NOT_DISTURB = "do_not_disturb"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class Presence(StrEnum):
    """The only pairs that Graph's setPresence accepts (Graph reference, presence: setPresence)."""

    AVAILABLE = "Available/Available"
    IN_A_CALL = "Busy/InACall"
    IN_A_CONFERENCE_CALL = "Busy/InAConferenceCall"
    AWAY = "Away/Away"
    PRESENTING = "DoNotDisturb/Presenting"

    @property
    def availability(self) -> str:
        return self.value.partition("/")[0]

    @property
    def activity(self) -> str:
        return self.value.partition("/")[2]


class Shown(NamedTuple):
    """What Teams shows of a person, in Graph's words (Graph reference, presence resource): new ones may appear."""

    availability: str
    activity: str
