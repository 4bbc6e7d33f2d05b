"""Problems that are no service's refusal, such as a list that shrank: what was found, and what happens next."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from microsoft_teams.cards.core import Container

from bot.cards.parts import capped, note
from bot.languages import Texts
from sync.domain.model import Service, ServiceHealth
from sync.problems.incidents import CLOCK, EFFECT, EVENTS, GROUPS, LISTS, PEOPLE

COUNTED = {
    PEOPLE: "people",
    LISTS: "people",
    GROUPS: "groups",
    CLOCK: "minutes",
    EVENTS: "calls",
    EFFECT: "people",
}
"""The fact that the sentence of such a problem counts, if it counts any."""


def own_problem(texts: Texts, service: str, facts: Mapping[str, Any], since: str = "", last: str = "") -> Container:
    """The problem and its remedy; ``facts`` are those stored with it, ``since`` says when it began.

    ``last`` is when the list that it is about was read last, as ``last_read`` says it.
    """
    what = what_is_wrong(texts, service, facts, last)
    part = ".lost" if facts.get("lost") else ""
    remedy = texts(f"notice.problem.{service}{part}.remedy", side=_side(texts, facts))
    return note("warning", "⚠️", what, remedy, since)


def what_is_wrong(texts: Texts, service: str, facts: Mapping[str, Any], last: str = "") -> str:
    """Such a problem in a sentence; the parameters are those of ``own_problem``."""
    count = int(facts.get(COUNTED.get(service, ""), 0))
    before = texts.number(int(facts.get("before", 0)))
    side = _side(texts, facts)
    names = capped(str(facts.get("names", "")), 140)
    part = f".{facts['lost']}" if facts.get("lost") else ""
    return texts.plural(
        f"notice.problem.{service}{part}.what", count, before=before, side=side, names=names, last=last
    )


def _side(texts: Texts, facts: Mapping[str, Any]) -> str:
    """The service whose list it is about."""
    return service_name(texts, str(facts.get("side", Service.CLOUDLINK)))


def last_read(texts: Texts, facts: Mapping[str, Any], now: datetime, zone: str) -> str:
    """When the lists were read last, if the problem is that one cannot be read; else empty."""
    at = facts.get("read_at")
    return texts.since(datetime.fromisoformat(at), now, zone) if at else ""


def clearing(texts: Texts, count: int, service_health: Sequence[ServiceHealth]) -> str:
    """That these people are being cleared in Teams, or are still shown until a service there works again."""
    away = [each for each in service_health if each.error and each.service is not Service.CLOUDLINK]
    if not (away and count):
        return texts.plural("disabled.cleared", count)
    return texts.plural("disabled.still_shown", count, service=texts(f"service.{away[0].service}"))


def service_name(texts: Texts, service: str) -> str:
    key = f"service.{service}"
    return texts(key) if key in texts.keys else capped(service)
