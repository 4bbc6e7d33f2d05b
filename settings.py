"""Settings, from the environment, ``.env`` or files of secrets; a test compares the README's table with them."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from core.clouds import is_one_cloud
from core.http.client import is_loopback
from storage.database import database_url as parse_database_url
from storage.keys import check_keys
from sync.domain.features import INITIAL, NEWEST

Names = Annotated[tuple[str, ...], NoDecode]
"""A comma-separated list."""

CONTAINER_SECRETS = "/run/secrets"

_ADDRESSES = (
    "public_url",
    "entra_url",
    "graph_url",
    "cloudlink_url",
    "bot_openid_metadata_url",
    "bot_token_issuer",
)
_ADDRESS = re.compile(r"[a-z]+://(?:[^\s/?#@:\\\[\]]+|\[[0-9a-f:]+\])(?::\d+)?(?:/[^\s?#\\]*)?", re.IGNORECASE)

_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_AN_ID = "must be an ID, like 1b2c3d4e-0000-4000-8000-1234567890ab"
_SHAPES = {
    "bot_app_id": (_ID, _AN_ID),
    "bot_tenant_id": (_ID, _AN_ID),
    "managed_identity_client_id": (_ID, _AN_ID),
    "allowed_tenants": (_ID, "must be tenant IDs, like 1b2c3d4e-0000-4000-8000-1234567890ab; not names or domains"),
    "admins": (
        rf"(?:{_ID}/)?(?:{_ID}|[^@\s/]+@[^@\s/]+\.[^@\s/]+)",
        "must be Entra object IDs or sign-in names like ana@contoso.com, separated by commas; not display names",
    ),
    "host_credential_tenants": (f"{_ID}/{_ID}", "each entry must be TEAMS_TENANT/ENTRA_TENANT, two tenant IDs"),
    "allowed_service_hosts": (
        r"(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[?[0-9a-f:]+\]?",
        "must be host names, like smba.trafficmanager.net; without https:// and without a path",
    ),
}
"""What an entry of a setting looks like, and how its refusal says so."""


class _SecretFiles(SecretsSettingsSource):
    """``env_ignore_empty`` does not count for files."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        value, key, is_complex = super().get_field_value(field, field_name)
        return value or None, key, is_complex


class Settings(BaseSettings):
    """Every setting with its default. Raises ``pydantic.ValidationError``, which names the setting at fault."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(3978, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    operations_host: str = Field(
        "127.0.0.1", description="Address for probes and Prometheus: `/healthz`, `/readyz`, `/metrics`."
    )
    operations_port: int = Field(3979, ge=0, le=65535, description="Port for these; 0 takes a free one.")
    connections: int = Field(800, ge=1, description="Connections to `PORT` at the same time, in all.")
    connections_per_peer: int = Field(
        400, ge=1, description="Connections of one address; behind a proxy all are the proxy's."
    )
    public_url: str = Field(
        "", description="Where CloudLink reaches this bot from outside; without it there are no webhooks."
    )
    database_url: str = Field(
        "", description="Database, `postgresql://…` or SQLite; the default is SQLite under `DATA_DIR`."
    )
    data_dir: Path = Field(Path("data"), description="Where the database and the key file are kept.")
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Fernet keys, the first encrypts; the default is a key file (mode 0600) under `DATA_DIR`."
    )
    key_vault_secret: str = Field(
        "",
        description="Instead: a secret in Azure Key Vault with these keys, "
        "`https://VAULT.vault.azure.net/secrets/NAME`.",
    )

    bot_app_id: str = Field("", description="The bot's application (client) ID.")
    bot_app_password: SecretStr = Field(SecretStr(""), description="The bot's own client secret.")
    bot_tenant_id: str = Field("", description="The tenant where the bot is registered.")
    bot_app_type: Literal["SingleTenant", "UserAssignedMSI", "MultiTenant"] = Field(
        "SingleTenant", description="`SingleTenant`, `UserAssignedMSI` or `MultiTenant`."
    )
    admins: Names = Field(
        (), description="Owners: Entra object ids or user principal names (of another tenant: `tenant/name`)."
    )
    allowed_tenants: Names = Field(
        (), description="Tenants that may talk to the bot; the default is `BOT_TENANT_ID` alone."
    )
    allowed_service_hosts: Names = Field(
        (), description="Hosts to which answers may be sent, `*.` for any subdomain; the default is Teams' own."
    )

    entra_url: str = Field("https://login.microsoftonline.com", description="Entra ID.")
    graph_url: str = Field("https://graph.microsoft.com", description="Microsoft Graph.")
    cloudlink_url: str = Field(
        "https://{service}.api.mitel.io", description="CloudLink; `{service}` is replaced by the service's name."
    )
    cloudlink_tables: Path | None = Field(
        None, description="A JSON file that corrects the tables of CloudLink's call states."
    )
    bot_openid_metadata_url: str = Field(
        "https://login.botframework.com/v1/.well-known/openidconfiguration",
        description="Where the keys are published that sign what Teams sends.",
    )
    bot_token_issuer: str = Field(
        "https://api.botframework.com", description="Who issues the tokens that Teams sends."
    )
    dangerously_allow_unauthenticated: bool = Field(
        False, description="Development only, on loopback only: takes activities without a token."
    )

    certificate_path: Path | None = Field(
        None, description="A PEM or PFX file by which integrations may prove themselves instead of a secret."
    )
    certificate_password: SecretStr = Field(SecretStr(""), description="The password of that file.")
    federated_token_file: Path | None = Field(
        None, description="A file with the platform's own token (workload identity), renewed by the platform."
    )
    managed_identity_client_id: str = Field(
        "", description="The platform's user-assigned managed identity, where there is no such file."
    )
    host_credential_tenants: Names = Field(
        (),
        description="Other Entra tenants for which integrations may use that certificate, token or identity: "
        "`TEAMS_TENANT/ENTRA_TENANT`.",
    )
    presence_quota: int = Field(
        10_000,
        ge=1,
        description="The most presence requests per 30 s, per application and tenant. What each takes is learned.",
    )
    max_integrations: int = Field(20, ge=1, description="Integrations that one tenant may have.")
    feature_version: int = Field(
        INITIAL, ge=1, le=NEWEST, description="Feature version on which new integrations start."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")
    log_format: Literal["json", "text"] = Field("json", description="`json` for machines, `text` for people.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Files of the platform come last: a setting in the environment overrides them."""
        files = _SecretFiles(settings_cls, secrets_dir=secret_folders())
        return init_settings, env_settings, dotenv_settings, files

    @property
    def home_tenant(self) -> str:
        """The tenant in which a name needs no tenant before it; empty when it could be of several."""
        allowed = {tenant.lower() for tenant in self.allowed_tenants}
        home = self.bot_tenant_id.lower()
        if not allowed or home in allowed:
            return home
        return allowed.pop() if len(allowed) == 1 else ""

    @property
    def sqlite_file(self) -> Path:
        """The default database."""
        return self.data_dir / "presence.db"

    @property
    def database_address(self) -> str:
        """``database_url``, or the default database."""
        return self.database_url or f"sqlite+aiosqlite:///{self.sqlite_file}"

    @property
    def local_url(self) -> str:
        """Where this machine reaches the bot; empty when that is unknown or not over loopback."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}" if self.port and is_loopback(f"//{host}") else ""

    @field_validator(
        "admins",
        "allowed_tenants",
        "allowed_service_hosts",
        "host_credential_tenants",
        "secret_keys",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("secret_keys")
    @classmethod
    def _are_fernet_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        check_keys([key.get_secret_value() for key in keys])
        return keys

    @field_validator("key_vault_secret")
    @classmethod
    def _is_a_vault_secret(cls, url: str) -> str:
        if url and not re.fullmatch(r"https://[^/\\@?#]+/secrets/[0-9A-Za-z-]+(/[0-9a-f]+)?/?", url):
            raise ValueError("is not the address of a secret (https://VAULT.vault.azure.net/secrets/NAME)")
        return url

    @field_validator("*", mode="before")
    @classmethod
    def _has_no_quotes(cls, value: object) -> object:
        """Some loaders of environment files keep the quotes, and the value would be refused far from here."""
        if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            raise ValueError("has quotes around it: write the value without them")
        return value

    @field_validator(*_ADDRESSES)
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if url and not _is_address(url):
            raise ValueError("must be an address with a host; without spaces, user, password, question mark and #")
        return url

    @field_validator("entra_url", "graph_url")
    @classmethod
    def _is_an_address_alone(cls, url: str) -> str:
        if urlsplit(url).path.strip("/"):
            raise ValueError("is the address of the service alone, without a path: https://HOST")
        return url

    @field_validator(*_ADDRESSES)
    @classmethod
    def _is_https_or_loopback(cls, url: str) -> str:
        if url and not (url.startswith("https://") or (url.startswith("http://") and is_loopback(url))):
            raise ValueError("must be https; plain http is for loopback addresses only")
        return url.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _is_a_known_database(cls, url: str) -> str:
        if url:
            parse_database_url(url)
        return url

    @model_validator(mode="after")
    def _entries_have_their_shape(self) -> "Settings":
        """Not under the development switch: the Playground's ids are of any shape."""
        for name, (shape, wanted) in _SHAPES.items() if not self.dangerously_allow_unauthenticated else ():
            value = getattr(self, name)
            entries = value if isinstance(value, tuple) else (value,) if value else ()
            if not all(re.fullmatch(shape, entry, re.IGNORECASE) for entry in entries):
                raise ValueError(f"{name.upper()}: {wanted}")
        return self

    @model_validator(mode="after")
    def _addresses_are_of_one_cloud(self) -> "Settings":
        if not is_one_cloud(self.graph_url, self.entra_url, self.bot_token_issuer):
            raise ValueError(
                "GRAPH_URL, ENTRA_URL and BOT_TOKEN_ISSUER are addresses of different Microsoft clouds: "
                "take all of them from one, as docs/en/settings.md lists them"
            )
        return self

    @model_validator(mode="after")
    def _operations_have_a_port_of_their_own(self) -> "Settings":
        if self.port and self.port == self.operations_port:
            raise ValueError("OPERATIONS_PORT must differ from PORT")
        return self

    @model_validator(mode="after")
    def _keys_from_one_source(self) -> "Settings":
        if self.key_vault_secret and self.secret_keys:
            raise ValueError("SECRET_KEYS and KEY_VAULT_SECRET are two places for the same keys: set one of them")
        return self

    @model_validator(mode="after")
    def _unauthenticated_only_on_loopback(self) -> "Settings":
        if not self.dangerously_allow_unauthenticated:
            return self
        if not is_loopback(f"//{self.host}"):
            raise ValueError("DANGEROUSLY_ALLOW_UNAUTHENTICATED needs HOST on loopback")
        if self.public_url and not is_loopback(self.public_url):
            raise ValueError("DANGEROUSLY_ALLOW_UNAUTHENTICATED needs PUBLIC_URL on loopback, or none")
        return self


def _is_address(url: str) -> bool:
    """Whether it has a host and, at most, a port and a path."""
    try:
        return bool(_ADDRESS.fullmatch(url)) and urlsplit(url).port != 0
    except ValueError:
        return False


def secret_folders() -> list[Path]:
    """The folders of a container's and systemd's secrets, each a file with the name of its setting."""
    named = (CONTAINER_SECRETS, os.environ.get("CREDENTIALS_DIRECTORY"))
    return [Path(name) for name in named if name and Path(name).is_dir()]
