"""What is counted and timed, for Prometheus. No label tells of a person, an address or a secret."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "cloudlink_presence"


class Metrics:
    """All the metrics, registered with ``registry``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            f"{PREFIX}_events", "Events from CloudLink, by what became of them", ["verdict"], registry=registry
        )
        self.webhooks = Counter(
            f"{PREFIX}_webhooks", "Webhook requests, by how they were answered", ["answer"], registry=registry
        )
        self.changes = Counter(
            f"{PREFIX}_changes",
            "Presence changes sent to Microsoft Graph, by kind and outcome",
            ["kind", "outcome"],
            registry=registry,
        )
        self.latency = Histogram(
            f"{PREFIX}_latency_seconds",
            "From an event's arrival to Microsoft Graph's acceptance of the change",
            buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60, 300),
            registry=registry,
        )
        self.quota_waits = Counter(
            f"{PREFIX}_quota_waits", "Times a push waited for quota, Retry-After or an outage", registry=registry
        )
        self.retries = Counter(
            f"{PREFIX}_retries", "Jobs that failed unexpectedly and are tried again", ["job"], registry=registry
        )
        self.open_problems = Gauge(
            f"{PREFIX}_open_problems", "Problems not healed yet, by service", ["service"], registry=registry
        )
        self.notices = Gauge(f"{PREFIX}_notices", "Notices, by state", ["state"], registry=registry)
        self.warned_at = Gauge(
            f"{PREFIX}_warned_timestamp_seconds",
            "When it was last looked at what is owed to whom, in seconds since the epoch",
            registry=registry,
        )
        self.unreachable_admins = Gauge(
            f"{PREFIX}_unreachable_admins", "Administrators who take no more messages", registry=registry
        )
        self.nobody_reachable = Gauge(
            f"{PREFIX}_nobody_reachable", "Integrations of which nobody can be warned", registry=registry
        )
