"""Lines of the log that strangers cause."""

from structlog.testing import capture_logs

from core.limited_log import LINES, LimitedLog


def test_of_many_lines_of_a_kind_the_rest_is_counted_and_other_kinds_are_logged() -> None:
    now = 0.0
    log = LimitedLog(lambda: now)
    with capture_logs() as lines:
        for _ in range(1000):
            log.warning("refused", "one", status=401)
        log.warning("refused", "two")
        now = 1.0
        log.warning("refused", "one", status=401)
    assert len(lines) == LINES.burst + 2
    assert [line.get("left_out", 0) for line in lines[-3:]] == [0, 0, 1000 - LINES.burst]
