"""What every part of sync depends on, passed in as one value."""

from dataclasses import dataclass
from random import Random

from core.clock import Clock, steady_now
from core.metrics import Metrics
from storage.database import Database
from sync.domain.jobs import Jobs
from sync.domain.services import ServiceClients


@dataclass(frozen=True, slots=True)
class Context:
    """Shared by all parts. Clocks and randomness are passed in so that tests control them."""

    database: Database
    clients: ServiceClients
    jobs: Jobs
    clock: Clock
    random: Random
    metrics: Metrics
    steady: Clock = steady_now
