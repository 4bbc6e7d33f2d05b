"""Everything a failure could tell: to a log, to a traceback, to a curious ``repr``."""

import traceback

import pytest


def error_output(error: BaseException, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> str:
    """The error and all it is chained to, suppressed or not, the logs, and what was printed."""
    written = capsys.readouterr()
    return "\n".join([*_chain(error), caplog.text, written.out, written.err])


def _chain(error: BaseException | None) -> list[str]:
    if error is None:
        return []
    told = [
        str(error),
        repr(error),
        repr(error.args),
        repr(vars(error)),
        "".join(traceback.format_exception(error)),
    ]
    return [*told, *_chain(error.__context__), *_chain(error.__cause__)]
