"""One way out for every HTTP client of the process: the proxy that the environment names, or none.

httpx (msal, msgraph-sdk) and aiohttp read ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``, but not the rest alike:
aiohttp knows no ``ALL_PROXY``, and reaches a proxy by plain http only. Measured with aiohttp 3.14 and httpx 0.28.
"""

from collections.abc import MutableMapping
from urllib.parse import urlsplit

from core.errors import CloudLinkPresenceError

LOCAL = ("localhost", "127.0.0.1", "::1")
"""Never by proxy: this machine."""

EVERY = "*"
"""In ``NO_PROXY``: no host is reached by proxy. aiohttp reads it only where it stands alone, httpx in lists too."""

_SCHEMES = ("https", "http")


class WrongProxy(CloudLinkPresenceError):
    """Not every client could use it. The message names the variable, not its value: it may hold a password."""


def settle_proxies(environment: MutableMapping[str, str]) -> bool:
    """Write the proxies the way all clients read them; returns whether there are any. Raises ``WrongProxy``."""
    every = _read(environment, "all_proxy")
    found = {scheme: _read(environment, f"{scheme}_proxy") or every for scheme in _SCHEMES}
    if not any(found.values()):
        return False
    direct = [each.strip() for each in _read(environment, "no_proxy").split(",")]
    if EVERY in direct:
        _write(environment, "no_proxy", EVERY)
        return False
    for scheme, proxy in found.items():
        if proxy and not _is_usable(proxy):
            raise WrongProxy(
                f"{scheme.upper()}_PROXY: must be http://HOST:PORT, the proxy's own address, or "
                "http://USER:PASSWORD@HOST:PORT with signs such as / and # percent-encoded"
            )
        _write(environment, f"{scheme}_proxy", proxy)
    _write(environment, "no_proxy", ",".join(filter(None, (*map(_host, direct), *LOCAL))))
    return True


def _host(named: str) -> str:
    """A host of ``NO_PROXY`` and those below it: with a dot in front, httpx would leave out the host itself."""
    return named.rpartition("://")[2].removeprefix("*").lstrip(".")


def _is_usable(proxy: str) -> bool:
    """An address alone: a ``/``, ``?`` or ``#`` in a password ends the host, and clients' errors name the rest."""
    try:
        parts = urlsplit(proxy)
        is_address = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    rest = (parts.path.strip("/"), parts.query, parts.fragment)
    return is_address and parts.scheme.lower() == "http" and not any(rest)


def _read(environment: MutableMapping[str, str], name: str) -> str:
    """The lower-case name counts first, as in curl."""
    return (environment.get(name) or environment.get(name.upper()) or "").strip()


def _write(environment: MutableMapping[str, str], name: str, value: str) -> None:
    for each in (name, name.upper()):
        if value:
            environment[each] = value
