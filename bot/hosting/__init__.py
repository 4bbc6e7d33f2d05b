"""The Bot Framework: requests in, turns out, messages to Teams.

A request passes: method, caller (``verifier``), body (``intake``), fields (``arrivals``), service and tenant
(``config``); then botbuilder, in ``sdk`` and nowhere else, runs the turn, and what it sends goes through
``delivery``.
"""

from bot.hosting.config import SERVICE_HOSTS, AppType, HostingConfig, InsecureHosting
from bot.hosting.host import Host, open_host

__all__ = ["SERVICE_HOSTS", "AppType", "Host", "HostingConfig", "InsecureHosting", "open_host"]
