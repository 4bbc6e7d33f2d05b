"""IANA time zones by the names people type: "Europe/Lisbon", "europe lisbon", "Lisbon". Pure."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache

from babel.core import get_global

from bot.languages.quiet_hours import ZONES, is_zone

NEAREST = 3
MAX_ZONE = 60


def zone_named(typed: str) -> str | None:
    """The zone that ``typed`` names, alone or by its city; None for none, or more than one."""
    wanted = _bare(typed)
    name = _names().get(wanted, typed.strip()[:MAX_ZONE])
    if is_zone(name):
        return name
    cities = _cities().get(wanted, [])
    return cities[0] if len(cities) == 1 and is_zone(cities[0]) else None


def nearest_zones(typed: str) -> list[str]:
    """Those whose name or city is most like ``typed``."""
    wanted = _bare(typed)
    names, cities = _names(), _cities()
    found = [name for city in get_close_matches(wanted, cities, NEAREST) for name in cities[city]]
    found += [names[name] for name in get_close_matches(wanted, names, NEAREST)]
    return [name for name in dict.fromkeys(found) if is_zone(name)][:NEAREST]


@cache
def _names() -> Mapping[str, str]:
    known = {*get_global("zone_territories"), *ZONES}
    return {_bare(name): name for name in sorted(known)}


@cache
def _cities() -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in _names().values():
        found.setdefault(_bare(name.rpartition("/")[2]), []).append(name)
    return found


def _bare(typed: str) -> str:
    return " ".join(typed.casefold().replace("_", " ").replace("/", " ").split())[:MAX_ZONE]
