"""Posts to one of our own webhooks, at the address that CloudLink has, to see whether it leads to us."""

import aiohttp
from yarl import URL

from core.http.client import TooLarge, read_capped
from sync.domain.errors import Fault, ServiceUnavailable

HEADER = "X-CloudLink-Presence-Test"
TIMEOUT = aiohttp.ClientTimeout(total=10)
MAX_ANSWER = 256


async def post_sealed(http: aiohttp.ClientSession, url: str, sealed: str) -> tuple[int, bytes]:
    """The status and body. Raises ``ServiceUnavailable`` with the address, without its path, which is secret.

    A redirect is not followed: whether CloudLink follows one is not documented.
    """
    address = str(URL(url).origin())
    headers = {HEADER: sealed, "Content-Type": "application/json"}
    try:
        async with http.post(url, data=b"{}", headers=headers, timeout=TIMEOUT, allow_redirects=False) as response:
            return response.status, await read_capped(response.content.iter_any(), MAX_ANSWER)
    except TooLarge:
        return response.status, b""
    except aiohttp.ClientConnectorDNSError:
        raise ServiceUnavailable(Fault.CLOUDLINK_WAY_IN_NAME, address=address) from None
    except aiohttp.ClientSSLError:
        raise ServiceUnavailable(Fault.CLOUDLINK_WAY_IN_CERTIFICATE, address=address) from None
    except (aiohttp.ClientError, TimeoutError):
        raise ServiceUnavailable(Fault.CLOUDLINK_WAY_IN_CLOSED, address=address) from None
