"""The HTTP client msal works with: bounded in time and size, and able to reach an Entra ID on this machine.

msal accepts https authorities only. When ours is plain http on loopback, requests for exactly that authority are
sent as http, and the responses read as if they had come over https; nothing else differs. Measured with msal 1.39.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from core.clock import utc_now
from core.errors import CloudLinkPresenceError
from core.http.client import TooLarge, is_loopback, read_capped_blocking, retry_after, served_at, ssl_context
from sync.teams.entra_errors import code_in

MICROSOFT_HOSTS = frozenset(
    {"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"}
)
"""Entra's hosts, national clouds included, that msal knows to be Microsoft's own."""
TIMEOUT = 10.0
LARGEST_BODY = 1_000_000


class EntraUnavailable(CloudLinkPresenceError):
    """Entra answered 429, 5xx, a redirect, or no JSON object.

    ``retry_after`` in seconds, None without one; ``code`` is the AADSTS number, 0 without one.
    """

    def __init__(self, status: int, headers: Mapping[str, str], text: str) -> None:
        super().__init__(status)
        self.retry_after = retry_after(headers.get("Retry-After"), served_at(headers, utc_now()))
        self.status = status
        self.code = code_in(text)


class MsalResponse:
    """What msal needs of a response."""

    def __init__(self, status_code: int, text: str, headers: dict[str, str]) -> None:
        self.status_code = status_code
        self.text = text
        self.headers = headers

    def raise_for_status(self) -> None:
        """msal reads a 4xx itself; a 5xx has been raised as ``EntraUnavailable``."""


class MsalHttp:
    """msal's ``http_client``. Raises ``EntraUnavailable`` and ``httpx.HTTPError``; follows no redirect.

    A response that is not a JSON object stops here, because msal would write it to the log unchanged. Raises
    ``ValueError`` for an ``entra_url`` that is plain http and not on this machine.
    """

    def __init__(self, entra_url: str, timeout: float = TIMEOUT) -> None:
        self._http_at = urlsplit(entra_url).netloc.lower() if entra_url.lower().startswith("http://") else ""
        if self._http_at and not is_loopback(entra_url):
            raise ValueError("ENTRA_URL may be plain http on this machine only")
        self._proxies = not is_loopback(entra_url)
        self._timeout = timeout

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> MsalResponse:
        return self._send("GET", url, params=params, headers=headers)

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> MsalResponse:
        body = {"content": data} if isinstance(data, str | bytes) else {"data": _as_text(data)}
        return self._send("POST", url, params=params, headers=headers, **body)

    def close(self) -> None:
        """No connection is kept between requests, which are hours apart."""

    def _send(self, method: str, url: str, **request: Any) -> MsalResponse:
        with (
            httpx.Client(
                timeout=self._timeout, follow_redirects=False, trust_env=self._proxies, verify=ssl_context()
            ) as client,
            client.stream(method, self._on_the_wire(url), **request) as response,
        ):
            return self._read(method, response)

    def _on_the_wire(self, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https":
            raise httpx.UnsupportedProtocol("secrets travel by https only")
        if self._http_at and parts.netloc.lower() == self._http_at:
            return parts._replace(scheme="http").geturl()
        return url

    def _read(self, method: str, response: httpx.Response) -> MsalResponse:
        status, text = response.status_code, _text(response)
        is_failure = status == 429 or status >= 500 or 300 <= status < 400
        is_unknown_tenant = method == "GET" and 400 <= status < 500
        if is_failure or not (is_unknown_tenant or _is_object(text)):
            raise EntraUnavailable(status, response.headers, text)
        if self._http_at:
            text = text.replace(f"http://{self._http_at}", f"https://{self._http_at}")
        return MsalResponse(status, text, dict(response.headers))


def authority(entra_url: str, tenant: str) -> str:
    """A tenant's authority as msal takes it: always https, which ``MsalHttp`` undoes for this machine."""
    return f"https://{urlsplit(entra_url).netloc}/{tenant}"


def _text(response: httpx.Response) -> str:
    """The body; empty if it is too large, and so not a JSON object."""
    try:
        return read_capped_blocking(response.iter_bytes(), LARGEST_BODY).decode(errors="replace")
    except TooLarge:
        return ""


def _as_text(form: Any) -> Any:
    """msal signs assertions as bytes, which httpx would send as Python prints them. Measured with httpx 0.28."""
    if not isinstance(form, dict):
        return form
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in form.items()}


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
