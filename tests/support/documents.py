"""The tables of the documentation, and the metrics that one of them lists."""

import re

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from core.metrics import Metrics
from sync.domain import jobs as names
from tests.support.tools import ROOT

READMES = {"en": "README.md", "pt": "README.pt.md"}
"""By language."""


def table_rows(page: str, name: str) -> list[list[str]]:
    """The rows of a marked table, without its head."""
    text = (ROOT / page).read_text()
    block = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.DOTALL)
    assert block is not None
    return [[cell.strip() for cell in line.strip("| \n").split(" | ")] for line in block[1].splitlines()[2:]]


def _all_metrics() -> dict[str, MetricWrapperBase]:
    """By the name that pages and queries use: a counter's ends in ``_total``."""
    metrics = Metrics(CollectorRegistry())
    for job in sorted(value for name, value in vars(names).items() if name.isupper() and name != "EVERYTHING"):
        metrics.create_job_series(job)
    found = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    return {each._name + ("_total" if each._type == "counter" else ""): each for each in found}


METRICS = _all_metrics()
