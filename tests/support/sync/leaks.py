"""Everything a failure reveals: in a log, in a traceback, in a ``repr``."""

import traceback

import pytest


def everything_revealed(
    error: BaseException, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> str:
    """The error and all errors chained to it, suppressed or not, the logs, and what was printed."""
    written = capsys.readouterr()
    return "\n".join([*_chain(error), caplog.text, written.out, written.err])


def _chain(error: BaseException | None) -> list[str]:
    if error is None:
        return []
    texts = [
        str(error),
        repr(error),
        repr(error.args),
        repr(vars(error)),
        "".join(traceback.format_exception(error)),
    ]
    return [*texts, *_chain(error.__context__), *_chain(error.__cause__)]
