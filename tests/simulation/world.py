"""What all models of a simulated day share: the true time, dice for each kind of fault, and a trace."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING

from tests.simulation.virtual_time import CLOCKS_CHANGE, MORNING, VirtualTime

if TYPE_CHECKING:
    from tests.simulation.process import Process

TRACE = 20_000
"""Lines that are kept: the last of the day."""


class Kind(StrEnum):
    """What may go wrong, or happen at all: a failing seed is run again without each, to see which it needs."""

    SECOND_DEVICES = "second_devices"
    HOT_DESKS = "hot_desks"
    OTHER_WORDS = "other_words"
    EVENTS_LOST = "events_lost"
    EVENTS_DOUBLED = "events_doubled"
    EVENTS_LATE = "events_late"
    NO_EVENTS = "no_events"
    NO_POLLS = "no_polls"
    WRONG_DATES = "wrong_dates"
    CLOUDLINK_CLOCK = "cloudlink_clock"
    POLLS_WITHOUT_TIMES = "polls_without_times"
    POLLS_WITHOUT_USERS = "polls_without_users"
    SLOW_POLLS = "slow_polls"
    CLOUDLINK_DOWN = "cloudlink_down"
    CLOUDLINK_REFUSES = "cloudlink_refuses"
    LISTS_SHRINK = "lists_shrink"
    SUBSCRIPTION_VANISHES = "subscription_vanishes"
    PEOPLE_MOVE = "people_move"
    SHARED_APPLICATION = "shared_application"
    GRAPH_DOWN = "graph_down"
    GRAPH_REFUSES = "graph_refuses"
    GRAPH_THROTTLES = "graph_throttles"
    ANSWERS_LOST = "answers_lost"
    LATE_ANSWERS = "late_answers"
    PERSON_REFUSED = "person_refused"
    SMALL_QUOTA = "small_quota"
    SHORT_SESSIONS = "short_sessions"
    KILLS = "kills"
    STOPS = "stops"
    POWER_CUTS = "power_cuts"
    CLOCK_STEPS = "clock_steps"
    SLEEPS = "sleeps"
    STORE_AWAY = "store_away"
    ADMINISTRATOR = "administrator"
    EXCLUSIONS = "exclusions"
    MATCHES_BY_HAND = "matches_by_hand"
    SHOWN_AGAIN = "shown_again"
    MAPPINGS = "mappings"
    GUESTS = "guests"
    SCOPES = "scopes"
    OPT_OUTS = "opt_outs"
    SCHEDULES = "schedules"
    IMPORTS = "imports"
    STATUS_MESSAGES = "status_messages"
    SOME_MAPPINGS = "some_mappings"
    LONG_OUTAGE = "long_outage"
    GROUPS_CHANGE = "groups_change"
    OWN_STATES = "own_states"

    __hash__ = str.__hash__  # as that of any member, and several times as fast


RARE = frozenset(
    {
        *(Kind.NO_EVENTS, Kind.NO_POLLS, Kind.CLOCK_STEPS, Kind.SLEEPS, Kind.STORE_AWAY, Kind.POWER_CUTS),
        Kind.LONG_OUTAGE,
    }
)
"""Kinds of fewer days: they hide others."""


QUIET = frozenset(
    {
        *(Kind.SECOND_DEVICES, Kind.HOT_DESKS, Kind.OTHER_WORDS, Kind.EVENTS_DOUBLED, Kind.CLOUDLINK_CLOCK),
        *(Kind.POLLS_WITHOUT_TIMES, Kind.POLLS_WITHOUT_USERS, Kind.SLOW_POLLS, Kind.SHARED_APPLICATION),
        *(Kind.PERSON_REFUSED, Kind.SHORT_SESSIONS, Kind.WRONG_DATES, Kind.GUESTS),
        *(Kind.EXCLUSIONS, Kind.MATCHES_BY_HAND, Kind.SHOWN_AGAIN, Kind.MAPPINGS, Kind.SCOPES, Kind.OPT_OUTS),
        *(Kind.SCHEDULES, Kind.IMPORTS, Kind.STATUS_MESSAGES, Kind.SOME_MAPPINGS, Kind.OWN_STATES),
    }
)
"""On a day with no other kinds everybody is shown rightly within seconds, all day."""

UNORDERED = frozenset(
    {
        *(Kind.EVENTS_LOST, Kind.NO_EVENTS, Kind.SUBSCRIPTION_VANISHES, Kind.OTHER_WORDS),
        *(Kind.WRONG_DATES, Kind.CLOCK_STEPS, Kind.PEOPLE_MOVE),
    }
)
"""Without polls nothing can make up for these: events are all there is, and their times give their order."""


def kinds_of(seed: int) -> frozenset[Kind]:
    """The faults of a seed: every fourth day is quiet; of the others some have few faults, some many."""
    dice = Random(f"{seed} kinds")
    share = dice.uniform(0.05, 0.6)
    found = {kind for kind in Kind if dice.random() < share * (0.3 if kind in RARE else 1)}
    if seed % 4 == 0:
        found = {kind for kind in Kind if kind in QUIET and dice.random() < 0.5}
    if Kind.NO_POLLS in found:
        found -= UNORDERED | {Kind.LONG_OUTAGE}
    if Kind.HOT_DESKS in found:  # only a named user tells who sits there
        found -= {Kind.POLLS_WITHOUT_USERS}
    if found & {Kind.SCHEDULES, Kind.LONG_OUTAGE}:  # the hours are those of the machine's clock
        found -= {Kind.CLOCK_STEPS}
    if Kind.SHARED_APPLICATION in found:  # whose words count is nobody's rule
        found -= {Kind.STATUS_MESSAGES}
    return frozenset(found)


@dataclass
class World:
    """``kinds`` are the faults of this day, which end after ``busy`` seconds.

    ``counts`` says how often each kind struck, and what was looked at. ``graves`` holds killed processes: what they
    left is collected when the day is over.
    """

    seed: int
    kinds: frozenset[Kind]
    busy: float = 90.0
    time: VirtualTime = field(default_factory=VirtualTime)
    process: "Process | None" = None
    clock_error: timedelta = timedelta(0)
    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    graves: "list[Process]" = field(default_factory=list)
    is_over: bool = False
    is_traced: bool = False
    trace: deque[str] = field(default_factory=lambda: deque(maxlen=TRACE))
    _dice: dict[str, Random] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.has(Kind.SCHEDULES):
            self.time.morning = self.dice("morning").choice((MORNING, *CLOCKS_CHANGE))

    def dice(self, name: str) -> Random:
        """Each name has dice of its own: without one kind of fault the others stay the same."""
        if name not in self._dice:
            self._dice[name] = Random(f"{self.seed} {name}")
        return self._dice[name]

    def has(self, kind: Kind) -> bool:
        return kind in self.kinds

    def strikes(self, kind: Kind, probability: float) -> bool:
        """Whether this fault happens now."""
        found = kind in self.kinds and self.is_busy and self.dice(kind).random() < probability
        self.counts[kind] += found
        return found

    @property
    def is_busy(self) -> bool:
        return self.time.seconds < self.busy

    def clock(self) -> datetime:
        """The clock of the product's machine."""
        return self.time.now() + self.clock_error

    def end(self) -> None:
        """Nothing that happens from now on counts: what killed processes left is collected."""
        self.is_over = True

    def note(self, *values: object) -> None:
        if self.is_traced and not self.is_over:
            self.trace.append(f"{self.time.seconds:9.3f} {' '.join(map(str, values))}")

    def fail(self, text: str) -> None:
        """A promise is broken."""
        self.note(f"BROKEN {text}")
        if not self.is_over:
            self.faults.append(f"at {self.time.seconds:.0f} s: {text}")
