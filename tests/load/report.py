"""A run's figures as a table in Markdown."""

from collections.abc import Sequence
from statistics import quantiles

from tests.load.machine import Sample
from tests.load.run import Outcome


def table(outcome: Outcome) -> str:
    plan = outcome.plan
    rows = [
        ("tenants x people", f"{plan.tenants:,} x {plan.people}"),
        ("processes", f"1 web, {plan.workers} workers" if plan.workers else "1"),
        ("measured for", f"{plan.minutes:g} min, after {plan.warm_up:g} s of the same traffic"),
        ("calls a person and hour", f"{plan.calls_per_hour:g}"),
        ("calls a second", f"{outcome.counts.get('calls', 0) / plan.seconds:.1f}"),
        ("webhooks a second", f"{len(outcome.accepted) / plan.seconds:.1f}"),
        ("presence changes a second", f"{outcome.counts.get('changes', 0) / plan.seconds:.1f}"),
        ("webhook sent until accepted", spread(outcome.accepted)),
        ("webhook sent until Graph accepted the change", spread(outcome.latencies)),
        ("the same while one worker was dead", spread(outcome.late)),
        ("wrong in Teams in the end", str(len(outcome.wrong))),
        ("right everywhere after the last event", _seconds(outcome.settled_after)),
        ("jobs that failed", str(outcome.failures)),
        *_costs(outcome.before, outcome.half),
        *((name, f"{count:,}") for name, count in sorted(outcome.counts.items())),
    ]
    return "\n".join(["| What | Figure |", "|---|---|", *(f"| {name} | {figure} |" for name, figure in rows)])


def _costs(before: Sample, after: Sample) -> list[tuple[str, str]]:
    used = [
        (f"{name}: cores, memory", f"{before.cores(after, name):.2f}, {after.costs[name].megabytes:.0f} MB")
        for name in before.costs
    ]
    return [
        *used,
        ("everything else on the machine: cores", f"{before.others(after):.2f}"),
        ("transactions a second", f"{before.a_second(after, 'transactions'):.0f}"),
        ("write-ahead log a second", f"{before.a_second(after, 'log megabytes'):.2f} MB"),
        ("connections to PostgreSQL", f"{after.database['connections']:.0f}"),
        ("database", f"{after.database['megabytes']:.0f} MB"),
    ]


def spread(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return "-"
    cuts = quantiles(seconds, n=100, method="inclusive")
    shown = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(seconds)}
    return ", ".join(f"{name} {_seconds(value)}" for name, value in shown.items())


def _seconds(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
