"""Metrics are documented, drawn and alerted on by their real names; no label can identify a person."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from bot.activity import Action, Installed, Message, Removed
from bot.chat.turn_metrics import Outcome as Turned
from core import metrics as measured
from core.http.connections import Closed
from core.http.metrics import OTHER, outcome_of
from core.metrics import PREFIX
from core.version import VERSION
from storage.queries.health.notices import State
from sync.domain.changes import Done, Failed, Refused, Throttled
from sync.domain.model import Service
from sync.flow.line_state import Verdict
from sync.flow.ownership import Nobody
from sync.flow.tick import DUPLICATE
from sync.monitoring.readiness import BOT, DATABASE, ENTRA, JOBS
from sync.phones.webhooks import WebhookResult
from tests.support.documents import METRICS, table_rows
from tests.support.tools import ROOT

BOARD = "deploy/grafana/cloudlink-presence.json"
ALERTS = "deploy/prometheus/alerts.yml"
LANGUAGES = ("en", "pt")
PROMETHEUS_OWN = {"le", "instance"}
FUNCTIONS = re.compile(r"\b(by|without)\s*\(([^)]*)\)")


SHARED = {name for name, each in METRICS.items() if each._type == "gauge" and "jobs_running" not in name}


def labels_of(metric: MetricWrapperBase) -> str:
    """The labels as the page lists them."""
    texts = []
    for place, label in enumerate(metric._labelnames):
        values = dict.fromkeys(key[place] for key in metric._metrics)
        texts.append(f"{label}: {', '.join(values)}" if values else label)
    return "; ".join(texts)


def rows(language: str) -> list[list[str]]:
    return table_rows(f"docs/{language}/metrics.md", "metrics")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_metric_is_on_the_page_with_its_labels(language: str) -> None:
    expected = [[f"`{name}`", labels_of(metric)] for name, metric in METRICS.items()]
    assert [[row[0], row[2]] for row in rows(language)] == expected
    assert all(row[1] for row in rows(language))


def test_the_page_has_the_metrics_own_descriptions() -> None:
    assert [row[1] for row in rows("en")] == [metric._documentation for metric in METRICS.values()]


def test_both_pages_aggregate_processes_in_the_same_way() -> None:
    ways = [row[3] for row in rows("en")]
    assert [row[3] for row in rows("pt")] == ways
    for name, way in zip(METRICS, ways, strict=True):
        assert (way in {"max", "each"}) == (name in SHARED)


def test_labels_have_exactly_the_programs_values() -> None:
    assert set(measured.WEBHOOK_RESULTS) == {answer.value for answer in WebhookResult}
    assert set(measured.VERDICTS) == {each.value for each in (*Verdict, *Nobody)} | {DUPLICATE}
    assert set(measured.CHANGE_OUTCOMES) == {each.__name__.lower() for each in (Done, Failed, Refused, Throttled)}
    assert set(measured.SERVICES) == {Service.CLOUDLINK, Service.GRAPH, OTHER}
    assert set(measured.REQUEST_OUTCOMES) == {outcome_of(status) for status in (200, 302, 404, 429, 503)} | {
        "failed"
    }
    assert set(measured.TURN_KINDS) == {each.__name__.lower() for each in (Action, Installed, Message, Removed)}
    assert set(measured.TURN_OUTCOMES) == {outcome.value for outcome in Turned}
    assert set(measured.NOTICES) == {state.value for state in State}
    assert set(measured.CLOSED) == {reason.value for reason in Closed}
    assert set(measured.PARTS) == {DATABASE, JOBS, BOT, ENTRA}


def test_no_label_identifies_a_person() -> None:
    unlisted = {"version", "python", "database", "service", "fault"}
    for name, metric in METRICS.items():
        for place, label in enumerate(metric._labelnames):
            assert not re.search(r"tenant|person|user|integration|name|id$|url|address", label), (name, label)
            assert label not in {"job", "instance"}, "Prometheus has labels of these names"
            values = {key[place] for key in metric._metrics}
            assert values or label in unlisted, (name, label)
            assert len(values) < 25


def board() -> Any:
    return json.loads((ROOT / BOARD).read_text())


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((ROOT / ALERTS).read_text())["groups"]
    return list(group["rules"])


def queries() -> Iterator[tuple[str, str]]:
    for panel in board()["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for alert in alerts():
        yield alert["alert"], alert["expr"]


def named_in(query: str) -> set[str]:
    """The metrics, a histogram by its own name."""
    found = set(re.findall(rf"\b{PREFIX}_\w+", query))
    return {name if name in METRICS else re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def test_a_query_names_metrics_that_exist_with_labels_they_have() -> None:
    for place, query in queries():
        names = named_in(query)
        assert names <= METRICS.keys(), place
        known = {label for name in names for label in METRICS[name]._labelnames} | PROMETHEUS_OWN
        chosen = re.findall(rf"{PREFIX}_\w+\{{([^}}]*)\}}", query)
        used = {label for each in chosen for label in re.findall(r"(\w+)\s*(?:=|!)", each)}
        grouped = {label.strip() for _, inside in FUNCTIONS.findall(query) for label in inside.split(",")}
        assert used | grouped <= known, place


def test_a_query_chooses_values_that_a_label_has() -> None:
    for place, query in queries():
        for name, inside in re.findall(rf"({PREFIX}_\w+)\{{([^}}]*)\}}", query):
            metric = METRICS[next(iter(named_in(name)))]
            for label, values in re.findall(r'(\w+)=~?"([^"]*)"', inside):
                place_of = metric._labelnames.index(label)
                assert set(values.split("|")) <= {key[place_of] for key in metric._metrics}, place


def test_a_metric_shared_by_processes_is_never_summed() -> None:
    for place, query in queries():
        for name in named_in(query) & SHARED:
            before = re.split(rf"\b{name}\b", query)[0]
            assert re.search(r"\b(max|min)(\s+by\s*\([^)]*\))?\s*\((delta\()?$", before), place


def test_brackets_are_closed() -> None:
    for place, query in queries():
        without_texts = re.sub(r'"[^"]*"', "", query)
        for opening, closing in ("()", "[]", "{}"):
            assert without_texts.count(opening) == without_texts.count(closing), place


def test_every_metric_is_drawn() -> None:
    drawn = {
        name
        for panel in board()["panels"]
        for target in panel.get("targets", [])
        for name in named_in(target["expr"])
    }
    assert METRICS.keys() - drawn == set()


def test_grafana_accepts_the_dashboard() -> None:
    panels = board()["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(ids) == len(set(ids))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(places) == len(set(places))
    for panel in panels:
        assert panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert panel["type"] == "row" or panel["description"]
        assert all(target["datasource"]["uid"] == "${source}" for target in panel.get("targets", []))


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_how_bad_what_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert re.fullmatch(r"\d+[mh]", alert["for"])
    assert alert["annotations"]["summary"].endswith(".")
    anchor = alert["alert"].lower()
    for language, name in (("en", "runbook"), ("pt", "runbook_pt")):
        assert alert["annotations"][name] == f"docs/{language}/operations.md#{anchor}"
        page = (ROOT / f"docs/{language}/operations.md").read_text()
        section = re.search(rf"^### {alert['alert']}\n\n(.+?)(?=\n### |\Z)", page, re.MULTILINE | re.DOTALL)
        assert section is not None
        assert re.search(r"^- ", section[1], re.MULTILINE), "nothing to do"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_has_no_section_of_an_alert_that_is_gone(language: str) -> None:
    page = (ROOT / f"docs/{language}/operations.md").read_text()
    assert re.findall(r"^### (\w+)$", page, re.MULTILINE) == [alert["alert"] for alert in alerts()]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_log_events_are_the_programs(language: str) -> None:
    page = (ROOT / f"docs/{language}/operations.md").read_text()
    files = [path for room in ("bot", "sync", "storage", "core") for path in (ROOT / room).rglob("*.py")]
    program = "".join(path.read_text() for path in files)
    words = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", re.sub(r"```yaml.*?```|!\[.*?\)", "", page, flags=re.DOTALL)))
    assert "presence_sent" in words
    assert {word for word in words if f'"{word}"' not in program and f"{word}=" not in program} == set()


def test_the_release_is_the_one_that_is_packed() -> None:
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text()
