"""Alert rules, dashboard and metrics are read by Prometheus' own tool, and every alert fires when it should."""

import json
import re
import subprocess
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry, generate_latest

from core.metrics import Metrics
from tests.support.tools import ROOT, require

RULES = ROOT / "deploy/prometheus/alerts.yml"
BOARD = ROOT / "deploy/grafana/cloudlink-presence.json"
ACCEPTED_REMARKS = ['cloudlink_presence_soonest_expiry_days use base unit "seconds" instead of "days"']


def promtool(*arguments: str, given: bytes = b"") -> tuple[int, str]:
    """Its exit code, and all that it printed."""
    ran = subprocess.run(
        [require("promtool"), *arguments],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return ran.returncode, ran.stdout.decode()


def test_the_rules_are_valid() -> None:
    code, printed = promtool("check", "rules", str(RULES))
    assert code == 0, printed


def test_every_alert_fires_when_it_should_and_only_then() -> None:
    code, printed = promtool("test", "rules", str(Path(__file__).with_name("alerts.test.yml")))
    assert code == 0, printed


def test_every_query_of_the_dashboard_is_valid(tmp_path: Path) -> None:
    panels = json.loads(BOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    rules = [
        {"record": f"query:{number}", "expr": re.sub(r"\$__rate_interval", "5m", query)}
        for number, query in enumerate(queries)
    ]
    file = tmp_path / "board.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    code, printed = promtool("check", "rules", str(file))
    assert code == 0, printed
    assert f"{len(queries)} rules found" in printed


def test_the_metrics_are_named_as_prometheus_advises() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    _, printed = promtool("check", "metrics", given=generate_latest(registry))
    assert printed.splitlines() == ACCEPTED_REMARKS
