"""The Bot Framework: receives requests, runs turns and sends messages to Teams.

``admission`` checks each request: method, caller (``auth``), body, fields (``activity_parser``), service and tenant
(``config``). Then botbuilder, used only in ``sdk``, runs the turn; what it sends goes through ``delivery``.
"""

from bot.hosting.config import SERVICE_HOSTS, AppType, HostingConfig, InsecureHosting
from bot.hosting.host import Host, open_host

__all__ = ["SERVICE_HOSTS", "AppType", "Host", "HostingConfig", "InsecureHosting", "open_host"]
