from random import Random

from sync.scheduling.load_smoothing import AT_ONCE, paced


def names(job: str, many: int) -> list[tuple[str, str]]:
    return [(job, f"i{number}") for number in range(many)]


def test_few_are_done_at_once_and_in_their_order() -> None:
    due = [*names("poll", AT_ONCE), ("match", "i1")]
    assert paced(due, {"poll": 0.1, "match": 0.1}, Random(1)) == due


def test_of_many_twice_the_even_flow_is_done_and_the_rest_waits() -> None:
    due = [*names("poll", 1000), *names("push", 1000)]
    now = paced(due, {"poll": 1000 * 5 / 300}, Random(1))
    assert len([name for name in now if name[0] == "poll"]) == 34
    assert [name for name in now if name[0] == "push"] == names("push", 1000)


def test_nobody_is_kept_waiting_by_those_who_stay_due() -> None:
    """Half of them fail and are due again at once: the others have their turn all the same."""
    random, waiting, failing = Random(1), set(names("poll", 400)), set(names("poll", 200))
    for _ in range(300):
        waiting -= set(paced(sorted(waiting), {"poll": 5}, random)) - failing
    assert waiting == failing
