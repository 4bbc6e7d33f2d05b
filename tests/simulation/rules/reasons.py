"""Which answers to *why* would be wrong: what each claims must have been so in the models, before or after it.

``TRUE`` says for each reason what. Of what was changed a moment ago, or on days on which the directories move,
the product may not know yet; on a settled day (``Situation.is_settled``) the answer must be the one that the rules
give: ``expected``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sync.domain.people import Explanation, Reason, Step
from sync.domain.presence import Shown
from tests.simulation.models.graph import STRENGTH, GraphModel
from tests.simulation.world import Kind, World

LATELY = 120.0
"""Seconds, awake, for which a fault that is over may still be named: services are asked again after some time."""

TALKING = frozenset({"InACall", "InAConferenceCall"})
AMBIGUOUS = frozenset({"Available", "Away"})
HIDDEN = frozenset({Reason.EXCLUDED, Reason.OUTSIDE, Reason.OPTED_OUT})
MOVES = frozenset({Kind.PEOPLE_MOVE, Kind.LISTS_SHRINK, Kind.GROUPS_CHANGE})
MATCHES = frozenset({Kind.MATCHES_BY_HAND, Kind.IMPORTS})


@dataclass(frozen=True)
class Situation:
    """A person at the moment of the question, by the models and rules.

    ``unmatched`` is why they have no Teams user, ``hidden`` why they are not to be shown, ``further`` the mapping
    for some people that applies to them. ``is_heard``: CloudLink has said, or answers, what their phones do.
    ``is_refused``: Graph refuses them, or the Teams user whom the product takes them for, who may be a former one.
    ``wish`` is what these ask for, ``others`` what those of another account with the same application do.
    ``session`` is what ours shows for the Teams user they are taken for, ``seen`` what colleagues see there,
    ``chosen`` by hand or as another session, the ``client``'s, says.
    """

    teams_id: str | None
    unmatched: str
    hidden: str
    further: str
    is_open: bool
    is_enabled: bool
    has_phone: bool
    is_heard: bool
    is_doubted: bool
    is_settled: bool
    is_refused: bool
    wish: str | None
    others: str | None
    session: str | None
    seen: Shown
    chosen: Shown | None
    client: Shown | None


@dataclass(frozen=True)
class Question:
    """``heard_at`` is when CloudLink last said something about the person that arrived."""

    world: World
    graph: GraphModel
    found: Explanation
    before: Situation
    after: Situation
    heard_at: float

    def ever(self, holds: Callable[[Situation], object]) -> bool:
        return bool(holds(self.before) or holds(self.after))

    def may(self, *kinds: Kind) -> bool:
        return bool(self.world.kinds & set(kinds))

    def within(self, at: float) -> bool:
        """Whether a fault was there lately, or just before the machine slept."""
        return self.world.time.seconds <= max(at, self.world.time.woke_at) + LATELY

    @property
    def shown(self) -> str:
        return self.found.facts.get("shown", "")


True_ = Callable[[Question], bool]


def _is_seen(asked: Question) -> bool:
    """What is said to be shown is what colleagues see."""
    return asked.ever(lambda each: asked.shown in each.seen)


def _is_bare(asked: Question) -> bool:
    """Nothing of ours is there. Whose session it is, is not known on other days."""
    is_unsure = asked.may(Kind.SHARED_APPLICATION, Kind.POWER_CUTS, *MATCHES, *MOVES)
    return is_unsure or asked.ever(lambda each: each.session is None)


def _is_refused(asked: Question) -> bool:
    return asked.found.facts["code"].startswith("403") and asked.ever(lambda each: each.is_refused)


def _is_left_out(asked: Question) -> bool:
    reason = asked.found.facts["reason"]
    if asked.may(*MOVES):
        return True
    if reason == "no_extension":
        return asked.ever(lambda each: not each.has_phone)
    return asked.may(*MATCHES) or asked.ever(lambda each: each.unmatched == reason)


def _is_unread(asked: Question) -> bool:
    """Graph failed, there is no room for a question, or the person was matched meanwhile."""
    failed = asked.within(max(asked.graph.failed_at, asked.graph.forbade_at))
    return failed or asked.may(Kind.SMALL_QUOTA, *MATCHES, *MOVES)


def _is_stale(asked: Question) -> bool:
    """An hour ago, by a clock that may be wrong."""
    is_old = asked.world.time.seconds - asked.heard_at > 3000
    return asked.may(Kind.CLOCK_STEPS) or (is_old and asked.may(Kind.LONG_OUTAGE, Kind.NO_POLLS))


def _is_never_heard(asked: Question) -> bool:
    """Nothing arrived yet, or it was forgotten."""
    forgets = (Kind.SHOWN_AGAIN, Kind.ADMINISTRATOR, Kind.POWER_CUTS, *MOVES)
    is_fresh = asked.world.time.seconds < max(asked.heard_at, asked.world.time.woke_at) + 15
    return asked.may(*forgets) or asked.heard_at < 0 or is_fresh


def _is_stronger(asked: Question) -> bool:
    """Another session says it, which is none of ours."""
    return asked.ever(lambda each: each.client and asked.shown in each.client)


TRUE: Mapping[Reason, True_] = {
    Reason.SHOWN: _is_seen,
    Reason.NOTHING: lambda asked: _is_seen(asked) and _is_bare(asked),
    Reason.NOT_OURS: lambda asked: _is_seen(asked) and asked.shown in TALKING,
    Reason.PAUSED: lambda asked: asked.ever(lambda each: not each.is_enabled),
    Reason.NOT_READ: lambda asked: asked.may(Kind.ADMINISTRATOR, Kind.POWER_CUTS, *MATCHES, *MOVES),
    Reason.LEFT_OUT: _is_left_out,
    Reason.CLOSED: lambda asked: asked.may(Kind.SCHEDULES) and _is_bare(asked),
    Reason.CREDENTIALS: lambda asked: asked.within(asked.graph.forbade_at),
    Reason.REFUSED: _is_refused,
    Reason.NOT_HEARD: _is_never_heard,
    Reason.STALE: _is_stale,
    Reason.PHONES_DOWN: lambda asked: asked.may(
        Kind.CLOUDLINK_DOWN, Kind.CLOUDLINK_REFUSES, Kind.NO_POLLS, Kind.LONG_OUTAGE
    ),
    Reason.OLD_NEWS: lambda asked: asked.may(
        Kind.CLOUDLINK_DOWN, Kind.CLOUDLINK_REFUSES, Kind.NO_POLLS, Kind.LONG_OUTAGE
    ),
    Reason.CLEARED: _is_never_heard,
    Reason.SHARED_EXTENSION: lambda asked: asked.may(*MOVES),
    Reason.SETTLING: _is_seen,
    Reason.MAPPED: lambda asked: _is_seen(asked) and _is_bare(asked),
    Reason.SERVICE_DOWN: lambda asked: asked.within(max(asked.graph.failed_at, asked.graph.forbade_at)),
    Reason.BUSY: lambda _: False,  # the model is never busy with one account
    Reason.QUOTA: lambda asked: asked.may(Kind.SMALL_QUOTA, Kind.GRAPH_THROTTLES),
    Reason.PENDING: lambda asked: not _is_silent(asked),
    Reason.SHARED: lambda asked: asked.may(Kind.SHARED_APPLICATION),
    Reason.CHOSEN: lambda asked: asked.ever(lambda each: each.chosen and asked.shown in each.chosen),
    Reason.OVERRULED: lambda asked: _is_seen(asked) and asked.ever(lambda each: AMBIGUOUS & set(each.seen)),
    Reason.STRONGER: _is_stronger,
    Reason.LOST: lambda asked: asked.ever(lambda each: each.session is None),
    Reason.UNREAD: _is_unread,
    Reason.EXCLUDED: lambda _: True,
    Reason.OUTSIDE: lambda asked: asked.may(Kind.SCOPES),
    Reason.OPTED_OUT: lambda asked: asked.may(Kind.OPT_OUTS),
}


def _is_silent(asked: Question) -> bool:
    """Graph does not answer, and the product has noticed."""
    graph = asked.graph
    return asked.world.time.seconds < graph.down_until and graph.down_since + 5 < graph.read_refused_at


def refuted(asked: Question) -> str:
    """Why the answer is wrong; empty when it may be true."""
    reason = asked.found.reason
    if not TRUE[reason](asked):
        return f"it is not true: {asked.before} {asked.after} {asked.found.facts}"
    is_doubted = asked.before.is_doubted or asked.after.is_doubted
    if text := "" if is_doubted else _refuted_by_rules(asked):
        return text
    if not (asked.before.is_settled and asked.after.is_settled):
        return ""
    right = expected(asked.before) | expected(asked.after)
    if right and asked.may(Kind.NO_POLLS):
        right |= {Reason.PHONES_DOWN}  # *why* asks the phone, and no phone answers on such a day
    return "" if not right or reason in right else f"right is {sorted(right)}: {asked.after}"


def _refuted_by_rules(asked: Question) -> str:
    """Who is hidden, by what, when, and which mapping applies: of people who move the product learns later."""
    reason, before, after = asked.found.reason, asked.before, asked.after
    hidden = {before.hidden, after.hidden}
    moves = asked.may(*MOVES)
    if reason in HIDDEN and reason not in hidden and not moves:
        return f"they are not {reason}"
    if not (before.is_enabled and after.is_enabled):
        return "" if reason is Reason.PAUSED or before.is_enabled or after.is_enabled else "it is disabled"
    if "" not in hidden and reason not in hidden and not moves:
        return f"{reason}, but they are {after.hidden}"
    if reason is Reason.CLOSED and before.is_open and after.is_open:
        return "it is within the hours"
    if reason is Reason.SHOWN and not (before.is_open or after.is_open):
        return "it is outside the hours"
    said = _mapping(asked.found)
    if said is not None and said not in {before.further, after.further} and not moves:
        return f"the mapping {said!r} does not apply, but {after.further!r}"
    return ""


def _mapping(found: Explanation) -> str | None:
    """The mapping for some people that the answer names, empty for that of all, None when no mapping decided."""
    rung = next(each for each in found.rungs if each.step is Step.RULE)
    is_mapped = rung.key.partition(".")[0] in ("show", "nothing")
    return rung.facts.get("mapping", "") if is_mapped else None


def expected(now: Situation) -> frozenset[str]:
    """The reason that the rules give; several where the words cannot tell; none where this does not say."""
    if not now.is_enabled:
        return frozenset({Reason.PAUSED})
    if now.hidden:
        return frozenset({now.hidden})
    if not now.teams_id:
        return frozenset({Reason.LEFT_OUT})
    if not now.has_phone:
        return frozenset()
    wish = now.wish if now.is_open else None
    if now.others and now.others != wish:
        return frozenset()
    if now.is_open and not now.is_heard:
        return frozenset({Reason.PHONES_DOWN, Reason.NOT_HEARD})
    if wish:
        return _of_wish(Shown(*wish.split("/", 1)), now.seen)
    if TALKING & set(now.seen):
        return frozenset({Reason.NOT_OURS, Reason.SETTLING})
    return frozenset(_OF_NOTHING if now.is_open else {Reason.CLOSED})


_OF_NOTHING = (Reason.NOTHING, Reason.MAPPED, Reason.OLD_NEWS, Reason.STALE)
"""While someone else uses their phone, nothing is heard of a person."""


def _of_wish(wish: Shown, seen: Shown) -> frozenset[str]:
    """``wish`` is in Teams: is it what colleagues see?"""
    if wish.activity in seen:
        return frozenset({Reason.SHOWN, Reason.OLD_NEWS})
    if seen.activity in ("Busy", "DoNotDisturb"):
        return frozenset({Reason.CHOSEN})
    is_stronger = STRENGTH.index(seen.availability) >= STRENGTH.index(wish.availability)
    return frozenset({Reason.STRONGER} if is_stronger else {Reason.OVERRULED, Reason.SETTLING})
