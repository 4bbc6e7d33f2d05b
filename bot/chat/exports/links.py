"""Links to files (history, people, diagnostics, report), certificates and monitors' secrets, valid for ten minutes.

A link contains the request, encrypted with a key for this purpose: it cannot be guessed or altered, and nothing has
to be stored for it.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from bot.languages import Language
from core.clock import Clock
from core.http.client import is_loopback_host
from storage.encryption import Encryption, SecretUnreadable

PATH = "/exports/"
CERTIFICATES = "/exports/certificates/"
MONITOR_SECRETS = "/exports/monitors/"
"""Below ``PATH``, so that one rule of a reverse proxy lets them all through."""

LIFETIME = timedelta(minutes=10)
PURPOSE = "export links"
FILE = b"history.csv"
MAX_TOKEN_LENGTH = 2000

HISTORY, PEOPLE, DIAGNOSTICS, REPORT = "history", "people", "diagnostics", "report"
"""The files."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """The ``file`` a link leads to, and the person it was made for; an empty ``integration_id`` means all.

    A report is of the last ``days``.
    """

    tenant: str
    person: str
    language: Language
    integration_id: str
    file: str = HISTORY
    person_name: str = ""
    days: int = 7


class ExportLinks:
    """``public_url`` is the bot's public address; ``own_url`` is reachable from this machine only. Empty: none."""

    def __init__(self, encryption: Encryption, clock: Clock, public_url: str = "", own_url: str = "") -> None:
        self._encryption = encryption.for_purpose(PURPOSE)
        self._clock = clock
        self._public_url = public_url
        self._own_url = own_url

    def create(self, request: ExportRequest, service_url: str, path: str = PATH) -> str:
        """The file's address under ``path``; empty if who reads the chat at ``service_url`` cannot reach it."""
        is_here = is_loopback_host(urlsplit(service_url).hostname or "")
        base = self._public_url or (self._own_url if is_here else "")
        if not base:
            return ""
        payload = {
            "path": path,
            "until": (self._clock() + LIFETIME).isoformat(),
            "tenant": request.tenant,
            "person": request.person,
            "language": request.language.value,
            "integration": request.integration_id,
            "file": request.file,
            "name": request.person_name,
            "days": request.days,
        }
        return base + path + self._encryption.encrypt(json.dumps(payload), FILE)

    def read(self, token: str, path: str = PATH) -> ExportRequest | None:
        """The request in a link's token; None for a token that is forged, expired or of another path."""
        try:
            payload = json.loads(self._encryption.decrypt(token[:MAX_TOKEN_LENGTH], FILE))
            if payload["path"] != path or datetime.fromisoformat(payload["until"]) <= self._clock():
                return None
            language = Language(payload["language"])
            about = payload["integration"], payload["file"], payload["name"], payload["days"]
            return ExportRequest(payload["tenant"], payload["person"], language, *about)
        except (SecretUnreadable, ValueError, KeyError, TypeError):
            return None
