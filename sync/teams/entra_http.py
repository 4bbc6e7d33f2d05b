"""The HTTP client msal speaks through: bounded in time, and able to reach an Entra ID on this machine.

msal insists on https authorities. When ours is plain http on loopback, requests for exactly that authority are
sent as http and the answers read as if they had come by https; nothing else differs. Measured with msal 1.39.
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from core.errors import CloudLinkPresenceError
from core.http import is_loopback, retry_after
from sync.teams.entra_errors import code_in
from sync.teams.trust import trusted

MICROSOFT_HOSTS = frozenset(
    {"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"}
)
"""Entra's hosts, national clouds included, that msal knows to be Microsoft's own."""


class EntraUnavailable(CloudLinkPresenceError):
    """Entra answered 429, 5xx or nonsense.

    ``retry_after`` in seconds, None when it did not say; ``context`` is the status, and the AADSTS number if any.
    """

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response.status_code)
        self.retry_after = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
        code = code_in(response.text)
        self.context = {"status": response.status_code} | ({"code": code} if code else {})


class Reply:
    """What msal needs of a response."""

    def __init__(self, status_code: int, text: str, headers: dict[str, str]) -> None:
        self.status_code = status_code
        self.text = text
        self.headers = headers

    def raise_for_status(self) -> None:
        """4xx is for msal to read; 5xx never comes this far."""


class EntraHttp:
    """msal's ``http_client``. Raises ``EntraUnavailable`` and ``httpx.HTTPError``; follows no redirect.

    An answer that is not a JSON object stops here, because msal would write it to the log as it is.
    """

    def __init__(self, entra_url: str, timeout: float) -> None:
        self._http_at = urlsplit(entra_url).netloc.lower() if entra_url.lower().startswith("http://") else ""
        if self._http_at and not is_loopback(entra_url):
            raise ValueError("ENTRA_URL may be plain http on this machine only")
        self._proxies = not is_loopback(entra_url)
        self._timeout = timeout

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> Reply:
        return self._send("GET", url, params=params, headers=headers)

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> Reply:
        body = {"content": data} if isinstance(data, str | bytes) else {"data": _as_text(data)}
        return self._send("POST", url, params=params, headers=headers, **body)

    def close(self) -> None:
        """Nothing is held between requests, which are hours apart."""

    def _send(self, method: str, url: str, **request: Any) -> Reply:
        with httpx.Client(
            timeout=self._timeout, follow_redirects=False, trust_env=self._proxies, verify=trusted()
        ) as client:
            return self._reply(client.request(method, self._on_the_wire(url), **request))

    def _on_the_wire(self, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https":
            raise httpx.UnsupportedProtocol("secrets travel by https only")
        if self._http_at and parts.netloc.lower() == self._http_at:
            return parts._replace(scheme="http").geturl()
        return url

    def _reply(self, response: httpx.Response) -> Reply:
        status = response.status_code
        refused_tenant = response.request.method == "GET" and 400 <= status < 500 and status != 429
        if status == 429 or status >= 500 or 300 <= status < 400 or not (refused_tenant or _is_object(response)):
            raise EntraUnavailable(response)
        text = response.text
        if self._http_at:
            text = text.replace(f"http://{self._http_at}", f"https://{self._http_at}")
        return Reply(response.status_code, text, dict(response.headers))


def _as_text(form: Any) -> Any:
    """msal signs assertions as bytes, of which httpx would send Python's own spelling. Measured with httpx 0.28."""
    if not isinstance(form, dict):
        return form
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in form.items()}


def _is_object(response: httpx.Response) -> bool:
    try:
        return isinstance(response.json(), dict)
    except (ValueError, RecursionError):
        return False
