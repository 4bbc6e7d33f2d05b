from sync.grace import Grace


class Watch:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_all_of_it_is_left_until_somebody_says_stop() -> None:
    watch = Watch()
    grace = Grace(9, watch)
    watch.seconds += 3600
    assert grace.left == 9


def test_who_waits_later_has_less_and_nobody_less_than_nothing() -> None:
    watch = Watch()
    grace = Grace(9, watch)
    grace.begin()
    watch.seconds += 4
    assert grace.left == 5
    watch.seconds += 60
    assert grace.left == 0


def test_saying_stop_again_gives_no_more() -> None:
    watch = Watch()
    grace = Grace(9, watch)
    grace.begin()
    watch.seconds += 4
    grace.begin()
    assert grace.left == 5
