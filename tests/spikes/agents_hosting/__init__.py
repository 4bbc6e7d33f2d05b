"""``bot.hosting.sdk`` once more, on botbuilder's successor: what ``docs/leaving-botbuilder.md`` reports."""

from tests.spikes.agents_hosting.framework import agents_sdk

__all__ = ["agents_sdk"]
