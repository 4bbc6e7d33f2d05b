from random import Random

from sync.scheduling.load_smoothing import MIN_BATCH, smooth


def names(job: str, count: int) -> list[tuple[str, str]]:
    return [(job, f"i{number}") for number in range(count)]


def test_few_jobs_all_start_in_their_order() -> None:
    due = [*names("poll", MIN_BATCH), ("match", "i1")]
    assert smooth(due, {"poll": 0.1, "match": 0.1}, Random(1)) == due


def test_of_many_jobs_twice_the_steady_rate_starts_and_jobs_without_a_rate_all_start() -> None:
    due = [*names("poll", 1000), *names("push", 1000)]
    now = smooth(due, {"poll": 1000 * 5 / 300}, Random(1))
    assert len([name for name in now if name[0] == "poll"]) == 34
    assert [name for name in now if name[0] == "push"] == names("push", 1000)


def test_jobs_that_keep_failing_do_not_starve_the_others() -> None:
    """Half of the jobs fail and are due again immediately: the others still start."""
    random, waiting, failing = Random(1), set(names("poll", 400)), set(names("poll", 200))
    for _ in range(300):
        waiting -= set(smooth(sorted(waiting), {"poll": 5}, random)) - failing
    assert waiting == failing
