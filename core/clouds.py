"""Microsoft's clouds: which hosts belong together.

Sources: Microsoft Graph, "National cloud deployments"; Microsoft Entra, "National clouds"; Azure Government,
"Compare Azure Government and global Azure". The cloud in China is missing: it has no presence in Graph.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Cloud:
    """Addresses without a path: ``admin`` of the Microsoft 365 admin center, ``channel`` of who issues the tokens
    between Teams and bots.
    """

    entra: str
    graph: str
    portal: str
    teams: str
    admin: str
    channel: str

    @property
    def graph_scope(self) -> str:
        """What to ask a token for, so that its audience is this cloud's Graph."""
        return f"{self.graph}/.default"


PUBLIC = Cloud(
    "https://login.microsoftonline.com",
    "https://graph.microsoft.com",
    "https://portal.azure.com",
    "https://teams.microsoft.com",
    "https://admin.microsoft.com",
    "https://api.botframework.com",
)
GCC_HIGH = Cloud(
    "https://login.microsoftonline.us",
    "https://graph.microsoft.us",
    "https://portal.azure.us",
    "https://gov.teams.microsoft.us",
    "https://portal.office365.us",
    "https://api.botframework.us",
)
DOD = Cloud(
    GCC_HIGH.entra,
    "https://dod-graph.microsoft.us",
    GCC_HIGH.portal,
    "https://dod.teams.microsoft.us",
    "https://portal.apps.mil",
    GCC_HIGH.channel,
)
CLOUDS = (PUBLIC, GCC_HIGH, DOD)


def cloud_of(graph_url: str) -> Cloud:
    """The cloud whose Graph this is; the public one for any other address, such as a simulation's."""
    return next((cloud for cloud in CLOUDS if _host(cloud.graph) == _host(graph_url)), PUBLIC)


def is_one_cloud(graph_url: str, entra_url: str, channel_url: str) -> bool:
    """Whether none of these is of another Microsoft cloud than Graph; addresses of no cloud go with all."""
    cloud = cloud_of(graph_url)
    foreign = {_host(url) for other in CLOUDS for url in (other.graph, other.entra, other.channel)}
    foreign -= {_host(url) for url in (cloud.graph, cloud.entra, cloud.channel)}
    return not foreign & {_host(url) for url in (graph_url, entra_url, channel_url)}


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()
