"""All metrics, for Prometheus; ``docs/en/metrics.md`` explains each.

No label identifies a person, a tenant, an address or a secret; each has few values, known beforehand. Gauges of the
database's content (``sync.monitoring.store_gauges``) are the same in every process: use ``max``, never ``sum``. No
label is called ``job`` or ``instance``: Prometheus adds those to each series.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from platform import python_version
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from core.version import VERSION

PREFIX = "cloudlink_presence"

AnyMetric = TypeVar("AnyMetric", bound=MetricWrapperBase)

QUICK = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60, 300)
WORK = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 1)

WEBHOOK_RESULTS = ("accepted", "not_found", "malformed", "too_large", "too_slow", "too_often", "not_stored")
VERDICTS = (
    "applied",
    "late",
    "too_many_calls",
    "unchanged",
    "unknown_state",
    "duplicate",
    "unknown_person",
    "ambiguous",
)
CHANGE_KINDS = ("set", "clear", "set_message", "clear_message")
EFFECTS = ("as_wished", "chosen", "outranked", "perhaps_chosen", "not_shown", "unclear")
CHANGE_OUTCOMES = ("done", "throttled", "failed", "refused")
SERVICES = ("cloudlink", "graph", "other")
REQUEST_OUTCOMES = ("ok", "throttled", "refused", "unavailable", "failed")
TOKEN_OUTCOMES = ("fetched", "refused", "unavailable")
JOB_OUTCOMES = ("done", "failed", "interrupted")
TURN_KINDS = ("message", "action", "installed", "removed")
TURN_OUTCOMES = ("done", "refused", "failed")
STATUSES = ("400", "401", "403", "405", "408", "413", "415", "501", "503")
CLOSED = ("too_many", "too_many_of_peer", "silent", "malformed")
PARTS = ("database", "jobs", "bot", "entra")
STATES = ("running", "stopped", "disabled", "removing")
NOTICES = ("waiting", "sending", "sent", "unreachable", "dropped", "closing", "closed")
NOT_LISTED = ()
"""Few values, listed elsewhere: the services' faults, the jobs (``create_job_series``), the build."""


class Metrics:
    """All the metrics, registered with ``registry``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._define_events()
        self._define_pushes()
        self._define_requests()
        self._define_jobs()
        self._define_turns()
        self._define_state()

    def create_job_series(self, task: str) -> None:
        """Create every series of a job at the start: a rate does not count the event that creates its series."""
        for outcome in JOB_OUTCOMES:
            self.jobs.labels(task=task, outcome=outcome)
        self.job_seconds.labels(task=task)
        self.retries.labels(task=task)

    def _define_events(self) -> None:
        self.webhooks = self._counter("webhooks", "Webhook requests, by result", answer=WEBHOOK_RESULTS)
        self.events = self._counter("events", "Events from CloudLink, by what was done with them", verdict=VERDICTS)
        self.missed = self._counter(
            "missed_by_webhooks", "Presence changes found by a poll that webhooks should have reported"
        )

    def _define_pushes(self) -> None:
        self.changes = self._counter(
            "changes",
            "Presence changes sent to Microsoft Graph, by kind and outcome",
            kind=CHANGE_KINDS,
            outcome=CHANGE_OUTCOMES,
        )
        self.latency = self._histogram(
            "latency_seconds",
            "From an event's arrival to Microsoft Graph's acceptance, of what phones changed",
            QUICK,
        )
        self.read_back = self._counter(
            "read_back",
            "People whose presence was read back from Teams, by what became of what was sent",
            effect=EFFECTS,
        )
        self.quota_limit = self._gauge(
            "quota_limit", "Presence requests that a tenant's application may make in 30 seconds"
        )
        self.quota_spent = self._counter("quota_spent", "Presence requests that were counted against a quota")
        self.quota_used = self._histogram(
            "quota_used_ratio",
            "How much of a tenant's quota is used (1: nothing may be sent), observed before each push",
            SHARES,
        )
        self.quota_waits = self._counter("quota_waits", "Times a push waited for quota, Retry-After or an outage")

    def _define_requests(self) -> None:
        self.requests = self._counter(
            "requests",
            "Requests to the services, by service and outcome",
            service=SERVICES,
            outcome=REQUEST_OUTCOMES,
        )
        self.request_seconds = self._histogram(
            "request_seconds",
            "How long requests to the services took, answered or not, by service",
            WORK,
            service=SERVICES,
        )
        self.entra_tokens = self._counter(
            "entra_tokens",
            "Tokens requested from Entra ID for tenants' applications, by outcome",
            outcome=TOKEN_OUTCOMES,
        )

    def _define_jobs(self) -> None:
        self.jobs = self._counter(
            "jobs", "Jobs that were run, by task and outcome", task=NOT_LISTED, outcome=JOB_OUTCOMES
        )
        self.job_seconds = self._histogram("job_seconds", "How long jobs took, by task", WORK, task=NOT_LISTED)
        self.jobs_waiting = self._gauge("jobs_waiting", "Jobs that are due and have not begun")
        self.jobs_running = self._gauge("jobs_running", "Jobs that are running")
        self.retries = self._counter(
            "retries", "Jobs that failed unexpectedly and are tried again, by task", task=NOT_LISTED
        )

    def _define_turns(self) -> None:
        self.turns = self._counter(
            "turns",
            "Messages and actions sent to the bot, by kind and outcome",
            kind=TURN_KINDS,
            outcome=TURN_OUTCOMES,
        )
        self.turn_seconds = self._histogram(
            "turn_seconds", "How long the bot took to answer, by kind", WORK, kind=TURN_KINDS
        )
        self.refused = self._counter(
            "refused_activities", "Requests to the bot that were rejected, by HTTP status", status=STATUSES
        )
        self.connections_closed = self._counter(
            "connections_closed",
            "Connections that were closed: there were too many, no whole request in time, or it was no HTTP",
            reason=CLOSED,
        )
        self.warned_at = self._gauge(
            "warned_timestamp_seconds",
            "When the notices that are due were last planned, in seconds since the epoch",
        )

    def _define_state(self) -> None:
        """The state now: the first three of this process, the others of the database."""
        self.build = self._gauge(
            "build_info",
            "Always 1, beside the release, Python, and the kind of database",
            version=NOT_LISTED,
            python=NOT_LISTED,
            database=NOT_LISTED,
        )
        self.ready = self._gauge("ready", "Whether each part is ready: 1 or 0", part=PARTS)
        self.database_seconds = self._gauge(
            "database_seconds", "How long the database took to answer the last check"
        )
        self.integrations = self._gauge("integrations", "Integrations, by state", state=STATES)
        self.open_problems = self._gauge(
            "open_problems", "Open problems, by service and fault", service=NOT_LISTED, fault=NOT_LISTED
        )
        self.pushes_due = self._gauge("pushes_due", "People whose presence is due to be reconciled")
        self.push_overdue = self._gauge("push_overdue_seconds", "How long the person waiting longest has been due")
        self.webhook_silence = self._gauge(
            "webhook_silence_seconds", "How long no webhook has arrived from any account that should send them"
        )
        self.secret_days = self._gauge(
            "soonest_expiry_days", "Days until the first client secret or certificate expires"
        )
        self.notices = self._gauge("notices", "Notices, by state", state=NOTICES)
        self.unreachable_admins = self._gauge("unreachable_admins", "Administrators who can no longer be reached")
        self.nobody_reachable = self._gauge(
            "nobody_reachable", "Integrations with no administrator or channel that can be warned"
        )

    def set_build(self, database: str) -> None:
        """Set the build's version and kind of database."""
        self.build.labels(version=VERSION, python=python_version(), database=database).set(1)

    def _counter(self, name: str, description: str, **labels: Sequence[str]) -> Counter:
        return _with_all_series(Counter(f"{PREFIX}_{name}", description, labels, registry=self._registry), labels)

    def _gauge(self, name: str, description: str, **labels: Sequence[str]) -> Gauge:
        return _with_all_series(Gauge(f"{PREFIX}_{name}", description, labels, registry=self._registry), labels)

    def _histogram(
        self, name: str, description: str, buckets: Sequence[float], **labels: Sequence[str]
    ) -> Histogram:
        return _with_all_series(
            Histogram(f"{PREFIX}_{name}", description, labels, buckets=buckets, registry=self._registry), labels
        )


def _with_all_series(metric: AnyMetric, labels: Mapping[str, Sequence[str]]) -> AnyMetric:
    """The metric with every series created: a rate does not count the event that creates its series."""
    for values in product(*labels.values()) if labels else ():
        metric.labels(*values)
    return metric
