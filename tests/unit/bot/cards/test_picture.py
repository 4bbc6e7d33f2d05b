"""The pictures of status: every figure that a chart draws is a text too, and no colour says anything alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from microsoft_teams.cards.core import CardElement

from bot.cards.health.picture import last_day, people_now
from sync.domain.model import Status, Unmatched
from sync.domain.reports import Hour
from tests.support.bot.texts import EN, PT
from tests.unit.bot.cards.test_status import made, status

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def as_json(elements: list[CardElement]) -> list[dict[str, Any]]:
    return [each.model_dump(by_alias=True, exclude_none=True) for each in elements]


def said(elements: list[dict[str, Any]]) -> str:
    return "\n".join(run["text"] for each in elements for run in each.get("inlines", ()))


def busy() -> Status:
    return replace(
        status(), matched=20, not_shown=((Unmatched.GUEST, 3), (Unmatched.NOT_FOUND, 4)), shown_now=5, missing=2
    )


def test_each_part_of_the_bar_is_in_words_with_a_symbol_of_its_own() -> None:
    bar, *text = as_json(people_now(EN, busy()))
    points = bar["data"][0]["data"]
    assert [(point["legend"], point["value"]) for point in points] == [
        ("sent to Teams", 5),
        ("on the phone, not sent yet", 2),
        ("left out", 7),
        ("not on the phone", 13),
    ]
    words = said(text)
    assert all(f"{int(point['value'])} {point['legend']}" in words for point in points)
    assert "·" not in words, "beside a symbol, where a line breaks, it looks like another one"
    assert bar["fallback"] == "drop"
    assert as_json(people_now(EN, replace(status(), matched=0))) == []


def test_of_one_person_the_words_are_in_the_singular() -> None:
    words = said(as_json(people_now(PT, replace(busy(), shown_now=1, not_shown=((Unmatched.GUEST, 1),)))))
    assert "1 enviada para o Teams" in words
    assert "1 fica de fora" in words


def test_each_bar_and_point_of_the_last_day_is_a_line_in_the_readers_time_zone() -> None:
    parts = [
        Hour(NOW - timedelta(hours=23), 12, p50=0.2, p95=0.44),
        Hour(NOW - timedelta(hours=20)),
        Hour(NOW - timedelta(hours=17), 1_204, p50=0.2, p95=63.0),
    ]
    found = as_json(last_day(PT, parts, "Asia/Tokyo"))
    calls, delays = (each for each in found if each["type"].startswith("Chart."))
    assert [(point["x"], point["y"]) for point in calls["data"]] == [("22:00", 12), ("01:00", 0), ("04:00", 1204)]
    assert [point["y"] for point in delays["data"][0]["values"]] == [0.4, 0, 63.0]
    assert said(found).splitlines() == [
        PT.plural("picture.line", 12, time="22:00", most="0,4 s"),
        PT.plural("picture.line", 1_204, time="04:00", most="63 s"),
    ]
    assert last_day(EN, [Hour(NOW)] * 8, "UTC") == []


def test_who_is_on_the_phone_is_not_drawn_while_cloudlink_or_presence_is_off() -> None:
    charts = [each["type"] for each in made(busy())["body"] if each["type"].startswith("Chart.")]
    assert charts == ["Chart.HorizontalBar.Stacked"]
    off = replace(busy(), integration=replace(busy().integration, enabled=False))
    assert [each for each in made(off)["body"] if each["type"].startswith("Chart.")] == []
