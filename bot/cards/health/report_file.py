"""The report as the lines of a CSV file."""

from collections.abc import Iterator
from datetime import datetime

from bot.languages import Texts
from sync.domain.reports import FaultSeen, Hour, Hours

COLUMNS = ("from", "until", "shown", "overruled", "refused", "p50", "p95", "fault", "service")


def columns(texts: Texts) -> list[str]:
    """The header line of the file."""
    return [texts(f"export.report.{name}") for name in COLUMNS]


def lines(texts: Texts, counted: Hours) -> Iterator[list[str]]:
    """A line an hour in which something was counted, then one a fault; times in UTC, delays in seconds."""
    for hour in counted.hours:
        yield _hour(texts, hour)
    for fault in counted.faults:
        yield _fault(fault)


def _hour(texts: Texts, hour: Hour) -> list[str]:
    figures = (hour.shown, hour.overruled, hour.refused, hour.p50, hour.p95)
    shown = ["" if figure is None else texts.number(round(figure, 2)) for figure in figures]
    return [_time(hour.at), "", *shown, "", ""]


def _fault(fault: FaultSeen) -> list[str]:
    until = _time(fault.ended_at) if fault.ended_at else ""
    return [_time(fault.since), until, "", "", "", "", "", fault.fault, fault.service]


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
