from sandbox.quota import Quota

APP = ("client", "tenant")


def test_calls_within_the_limit_pass_and_the_next_waits_for_the_oldest_to_leave() -> None:
    quota = Quota()
    assert [quota.take(APP, 3, now) for now in (0.0, 10.0, 20.0)] == [0, 0, 0]
    assert quota.take(APP, 3, 25.0) == 15


def test_waiting_as_requested_is_enough() -> None:
    quota = Quota()
    for _ in range(5):
        wait = quota.take(APP, 3, 0.0)
    assert wait == 30
    assert quota.take(APP, 3, 30.0) == 0


def test_retrying_while_throttled_extends_the_throttling() -> None:
    quota = Quota()
    waits = [quota.take(APP, 5, second) for second in range(100)]
    assert waits[:5] == [0] * 5
    assert all(waits[5:])


def test_the_window_slides() -> None:
    quota = Quota()
    assert not any(quota.take(APP, 3, now * 10.0) for now in range(50))


def test_applications_do_not_share() -> None:
    quota = Quota()
    quota.take(APP, 1, 0.0)
    assert quota.take(("client", "other tenant"), 1, 0.0) == 0
    assert quota.take(APP, 1, 0.0) > 0


def test_a_limit_of_nothing_lets_nothing_pass() -> None:
    assert Quota().take(APP, 0, 0.0) == 30
