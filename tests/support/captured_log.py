"""The log as the product writes it, read back line by line."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import structlog

from core.logging import configure_logging


class CapturedLog:
    def __init__(self) -> None:
        self.stream = StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Every line, or those of one event."""
        found = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in found if not event or line["event"] == event]


@contextmanager
def captured_log(level: str = "debug") -> Iterator[CapturedLog]:
    """Log everything within the block as JSON, including the libraries' lines."""
    log, root = CapturedLog(), logging.getLogger()
    handlers, before = list(root.handlers), root.level
    try:
        configure_logging(level, "json", log.stream)
        yield log
    finally:
        structlog.reset_defaults()
        logging.captureWarnings(False)
        logging.raiseExceptions = True
        root.handlers[:] = handlers
        root.setLevel(before)
