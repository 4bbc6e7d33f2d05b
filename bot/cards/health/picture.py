"""An integration in pictures: its people now, and its last day. The same figures follow as text.

Teams on a phone draws no charts, so no figure is in a chart alone; nor does a colour alone say anything. Source:
Teams, "Charts in Adaptive Cards".
"""

from collections.abc import Sequence
from math import ceil

from microsoft_teams.cards.core import (
    CardElement,
    ChartColor,
    LineChart,
    LineChartData,
    LineChartValue,
    StackedHorizontalBarChart,
    StackedHorizontalBarChartData,
    StackedHorizontalBarChartDataPoint,
    VerticalBarChart,
    VerticalBarChartDataValue,
)

from bot.cards.parts import EM_SPACE, NBSP, plain, text
from bot.languages import Texts
from bot.languages.quiet_hours import local
from sync.domain.model import Status
from sync.domain.reports import Hour

PARTS: Sequence[tuple[str, str, ChartColor]] = (
    ("shown", "✅", "good"),
    ("missing", "⚠️", "attention"),
    ("left_out", "👤", "warning"),
    ("idle", "⬜", "neutral"),
)
"""The parts of an integration's people: the name, the symbol of the text, the colour of the bar."""

QUARTERS = 4
"""Teams divides an axis into quarters: they are whole numbers when its end is a multiple."""


def people_now(texts: Texts, status: Status) -> list[CardElement]:
    """Who is shown, who is not though on the phone, who is left out, and the others: a bar, and in words."""
    counts = _counts(status)
    if not sum(counts.values()):
        return []
    legends = {name: texts.plural(f"picture.{name}", counts[name]) for name in counts}
    points = [
        StackedHorizontalBarChartDataPoint(legend=legends[name], value=counts[name], color=colour)
        for name, _, colour in PARTS
        if counts[name]
    ]
    title = texts("picture.people")
    data = [StackedHorizontalBarChartData(title=title, data=points)]
    words = [
        f"{symbol}{NBSP}{texts.number(counts[name])} {legends[name]}" for name, symbol, _ in PARTS if counts[name]
    ]
    return [StackedHorizontalBarChart(title=title, data=data, fallback="drop"), plain(EM_SPACE.join(words))]


def _counts(status: Status) -> dict[str, int]:
    shown, missing = status.shown_now, status.missing
    left_out = sum(count for _, count in status.not_shown)
    return {
        "shown": shown,
        "missing": missing,
        "left_out": left_out,
        "idle": max(0, status.matched - shown - missing),
    }


def last_day(texts: Texts, parts: Sequence[Hour], zone: str) -> list[CardElement]:
    """Calls shown, and how long changes took, in parts of the last day; nothing without any of them."""
    if not any(part.shown or part.p95 is not None for part in parts):
        return []
    return [
        text(texts("picture.day"), weight="Bolder", spacing="Medium"),
        _calls(texts, parts, zone),
        _delays(texts, parts, zone),
        *(plain(_line(texts, part, zone), subtle=True, spacing="None") for part in parts if part.p95 is not None),
    ]


def _calls(texts: Texts, parts: Sequence[Hour], zone: str) -> CardElement:
    title = texts("picture.calls")
    data = [VerticalBarChartDataValue(x=_time(part, zone), y=part.shown) for part in parts]
    most = max(part.shown for part in parts)
    return VerticalBarChart(
        title=title,
        show_title=True,
        data=data,
        color="categoricalBlue",
        y_min=0,
        y_max=QUARTERS * max(1, ceil(most / QUARTERS)),
        fallback="drop",
    )


def _delays(texts: Texts, parts: Sequence[Hour], zone: str) -> CardElement:
    title = texts("picture.delays")
    values = [LineChartValue(x=_time(part, zone), y=round(part.p95 or 0, 1)) for part in parts]
    data = [LineChartData(legend=title, values=values, color="categoricalTeal")]
    return LineChart(title=title, show_title=True, data=data, fallback="drop")


def _line(texts: Texts, part: Hour, zone: str) -> str:
    return texts.plural("picture.line", part.shown, time=_time(part, zone), most=texts.duration(part.p95 or 0))


def _time(part: Hour, zone: str) -> str:
    return f"{local(part.at, zone):%H:%M}"
