"""Whose certificates are believed: read once, for reading takes some 15 ms of a processor."""

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """What httpx would read anew for each client."""
    return httpx.create_ssl_context()
