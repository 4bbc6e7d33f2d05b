"""How properties are checked with Hypothesis: for many examples, however slow the machine is."""

from hypothesis import HealthCheck, settings

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Goes before ``given``: no test fails because one example, or making them, takes long on a busy machine."""
