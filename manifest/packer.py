"""Fills the manifest with the details of an installation, and zips the app package.

Pure functions: the same details give the same bytes on every machine. Everything is checked before it is packed;
a wrong detail raises ``Refused``. Source of the rules: Teams app manifest reference, version 1.19, and the Teams
store validation guidelines.
"""

import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from core.errors import CloudLinkPresenceError

FOLDER = Path(__file__).parent
FILES = ("manifest.json", "pt.json", "color.png", "outline.png")
MAX_DEVELOPER_NAME = 32
MAX_URL = 2048

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?=[a-z])(?:{_LABEL})")
_URL = re.compile(rf"https://{_DOMAIN.pattern}(?::\d{{1,5}})?(?:[/?#][!-~]*)?", re.IGNORECASE)
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Refused(CloudLinkPresenceError, ValueError):
    """A detail that Teams would reject, or that is certainly a mistake."""


@dataclass(frozen=True, slots=True)
class Developer:
    """The organisation responsible for the app; Teams shows its name and links its three pages."""

    name: str
    website_url: str
    privacy_url: str
    terms_url: str


SAMPLE_DEVELOPER = Developer(
    "Sample developer", "https://example.com", "https://example.com/privacy", "https://example.com/terms"
)
"""For trying the package out; no organisation is responsible for it."""


def checked_bot_id(text: str) -> str:
    """The bot's Application (client) ID in lower case. Raises ``Refused`` unless it is a GUID, not all zeros."""
    bot_id = text.strip().lower()
    if not _GUID.fullmatch(bot_id) or not bot_id.strip("0-"):
        raise Refused(f"not an application (client) ID such as 1b2c3d4e-0000-4000-8000-123456789abc: {text!r}")
    return bot_id


def checked_domain(text: str) -> str:
    """The host name of the bot. Raises ``Refused`` for URLs, ports, wildcards, addresses and local names."""
    domain = text.strip().lower()
    if len(domain) > 253 or not _DOMAIN.fullmatch(domain):
        raise Refused(f"not a public host name such as presence.contoso.com: {text!r}")
    return domain


def checked_name(text: str) -> str:
    """Raises ``Refused`` unless it is one line of 1 to 32 characters."""
    name = text.strip()
    if not 0 < len(name) <= MAX_DEVELOPER_NAME or not name.isprintable():
        raise Refused(f"a developer's name has 1 to {MAX_DEVELOPER_NAME} printable characters: {text!r}")
    return name


def checked_url(text: str) -> str:
    """Raises ``Refused`` unless it is an https URL with a public host name, without user name or blanks."""
    url = text.strip()
    if len(url) > MAX_URL or not _URL.fullmatch(url):
        raise Refused(f"not a web address such as https://contoso.com/privacy: {text!r}")
    return url


def filled(value: Any, details: Mapping[str, str]) -> Any:
    """``value`` with every ``${NAME}`` in its strings replaced. Raises ``KeyError`` for a name without a detail."""
    if isinstance(value, str):
        return Template(value).substitute(details)
    if isinstance(value, list):
        return [filled(item, details) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, details) for key, item in value.items()}
    return value


def template() -> dict[str, Any]:
    """The committed manifest, its placeholders not yet filled."""
    parsed: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text("utf-8"))
    return parsed


def manifest(bot_id: str, domain: str, developer: Developer) -> dict[str, Any]:
    """The finished manifest. Raises ``Refused``."""
    details = {
        "BOT_ID": checked_bot_id(bot_id),
        "DOMAIN": checked_domain(domain),
        "DEVELOPER_NAME": checked_name(developer.name),
        "WEBSITE_URL": checked_url(developer.website_url),
        "PRIVACY_URL": checked_url(developer.privacy_url),
        "TERMS_URL": checked_url(developer.terms_url),
    }
    result: dict[str, Any] = filled(template(), details)
    return result


def packed(files: Mapping[str, bytes]) -> bytes:
    """A zip of ``files`` in their order, without compression or dates, so that equal files give equal bytes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            target.writestr(entry, content)
    return archive.getvalue()


def package(bot_id: str, domain: str, developer: Developer) -> bytes:
    """The app package to upload to Teams. Raises ``Refused``."""
    text = json.dumps(manifest(bot_id, domain, developer), ensure_ascii=False, indent=2) + "\n"
    files = {name: (FOLDER / name).read_bytes() for name in FILES}
    return packed(files | {"manifest.json": text.encode()})
