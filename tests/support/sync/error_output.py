"""All text that a failure could expose: in logs, tracebacks, ``repr`` and printed output."""

import traceback

import pytest


def error_output(error: BaseException, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> str:
    """The text of the error and its chain (suppressed or not), the logs, and the printed output."""
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
