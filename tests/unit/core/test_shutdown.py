from core.shutdown import ShutdownDeadline


class Watch:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_all_of_it_is_left_until_somebody_says_stop() -> None:
    watch = Watch()
    deadline = ShutdownDeadline(9, watch)
    watch.seconds += 3600
    assert deadline.left == 9


def test_who_waits_later_has_less_and_nobody_less_than_nothing() -> None:
    watch = Watch()
    deadline = ShutdownDeadline(9, watch)
    deadline.begin()
    watch.seconds += 4
    assert deadline.left == 5
    watch.seconds += 60
    assert deadline.left == 0


def test_saying_stop_again_gives_no_more() -> None:
    watch = Watch()
    deadline = ShutdownDeadline(9, watch)
    deadline.begin()
    watch.seconds += 4
    deadline.begin()
    assert deadline.left == 5
