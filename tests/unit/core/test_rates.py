import pytest

from core import rates
from core.rates import Buckets, Rate


def test_the_buckets_are_of_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MAX_KEYS", 3)
    buckets = Buckets(Rate(1, 0.1), lambda: 1_000.0)
    assert [buckets.take(key) for key in ("a", "a", "b", "c", "d", "d", "a")] == [
        True, False, True, True, True, False, True,
    ]  # fmt: skip


def test_an_amount_that_exceeds_what_is_left_takes_nothing() -> None:
    seconds = iter([0.0, 0.0, 0.0, 0.5, 0.5])
    buckets = Buckets(Rate(10, 2), lambda: next(seconds))
    assert [buckets.take("a", amount) for amount in (8, 3, 2, 2, 1)] == [True, False, True, False, True]
