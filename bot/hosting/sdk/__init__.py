"""botbuilder, behind ``bot.hosting.framework``: the only place that knows it (docs/leaving-botbuilder.md)."""

from bot.hosting.sdk.talk import botbuilder

__all__ = ["botbuilder"]
