from core.shutdown import ShutdownDeadline


class Watch:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_the_full_time_is_left_until_it_begins() -> None:
    watch = Watch()
    deadline = ShutdownDeadline(9, watch)
    watch.seconds += 3600
    assert deadline.left == 9


def test_later_waits_have_less_time_and_never_less_than_none() -> None:
    watch = Watch()
    deadline = ShutdownDeadline(9, watch)
    deadline.begin()
    watch.seconds += 4
    assert deadline.left == 5
    watch.seconds += 60
    assert deadline.left == 0


def test_beginning_again_gives_no_more_time() -> None:
    watch = Watch()
    deadline = ShutdownDeadline(9, watch)
    deadline.begin()
    watch.seconds += 4
    deadline.begin()
    assert deadline.left == 5
