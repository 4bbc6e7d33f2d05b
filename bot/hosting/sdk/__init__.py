"""botbuilder, behind ``bot.hosting.framework``; used nowhere else (docs/leaving-botbuilder.md)."""

from bot.hosting.sdk.framework import botbuilder

__all__ = ["botbuilder"]
