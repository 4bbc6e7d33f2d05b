"""Valid configurations, and what a configuration allows."""

from typing import Any

import pytest

from bot.hosting import AppType, HostingConfig, InsecureHosting

GOOD: dict[str, Any] = {"app_id": "app", "app_password": "hush", "tenant_id": "Tenant-A"}


def test_the_password_shows_in_no_repr() -> None:
    assert "hush" not in repr(HostingConfig(**GOOD))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"app_id": ""}, "BOT_APP_ID"),
        ({"app_password": ""}, "BOT_APP_PASSWORD"),
        ({"tenant_id": ""}, "BOT_TENANT_ID"),
        ({"tenant_id": "", "app_type": "MultiTenant"}, "ALLOWED_TENANTS"),
        ({"app_type": "singletenant"}, "BOT_APP_TYPE"),
        ({"entra_url": "http://login.example"}, "https"),
        ({"openid_metadata_url": "http://login.example/keys"}, "https"),
    ],
)
def test_an_insecure_or_incomplete_configuration_is_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(InsecureHosting, match=says):
        HostingConfig(**GOOD | changed)


def test_a_managed_identity_needs_no_password() -> None:
    config = HostingConfig(**GOOD | {"app_password": "", "app_type": "UserAssignedMSI"})
    assert config.app_type is AppType.USER_ASSIGNED_MSI


@pytest.mark.parametrize(
    ("settings", "tenant", "allowed"),
    [
        ({}, "tenant-a", True),
        ({}, "tenant-b", False),
        ({}, "", False),
        ({"allowed_tenants": ("tenant-b",)}, "tenant-b", True),
        ({"allowed_tenants": ("tenant-b",)}, "tenant-a", False),
        ({"dangerously_allow_unauthenticated": True}, "anybody", True),
        ({"dangerously_allow_unauthenticated": True}, "", True),
        ({"dangerously_allow_unauthenticated": True, "allowed_tenants": ("tenant-b",)}, "tenant-a", False),
        ({"dangerously_allow_unauthenticated": True, "allowed_tenants": ("tenant-b",)}, "", False),
    ],
)
def test_which_tenants_may_use_the_bot(settings: dict[str, Any], tenant: str, allowed: bool) -> None:
    assert HostingConfig(**GOOD | settings).allows_tenant(tenant) is allowed


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://smba.trafficmanager.net/emea/", True),
        ("https://SMBA.trafficmanager.net/", True),
        ("https://smba.trafficmanager.net:443/emea/", True),
        ("https://smba.trafficmanager.net:8443/emea/", False),
        ("https://europe.webchat.botframework.com", False),
        ("https://smba.trafficmanager.net./emea/", False),
        ("https://smba.trafficmanager.net@evil/", False),
        ("https://smba.trafficmanager.net:x@evil.example/", False),
        ("https://smba.trafficmanager.net%2eevil.example/", False),
        ("https://smba.trafficmanager.net%00.evil.example/", False),
        ("https://ѕmba.trafficmanager.net/", False),
        ("https://xn--mba-4ve.trafficmanager.net/", False),
        ("https://trafficmanager.net/", False),
        ("https://evil.smba.trafficmanager.net/", False),
        ("//smba.trafficmanager.net/", False),
        ("https:smba.trafficmanager.net/", False),
        ("javascript://smba.trafficmanager.net/", False),
        ("http://169.254.169.254/metadata", False),
        ("https://2130706433/", False),
        ("https://[::ffff:127.0.0.1]/", False),
        ("http://smba.trafficmanager.net/", False),
        ("https://smba.trafficmanager.net.evil.example/", False),
        ("https://smba.trafficmanager.net@evil.example/", False),
        ("https://evil.example/?x=smba.trafficmanager.net", False),
        ("https://evil.example\\@smba.trafficmanager.net/", False),
        ("https://smba.trafficmanager.net/{conversationId}", False),
        ("https://smba.trafficmanager.net:port/", False),
        ("https://smba.trafficmanager.net/#x", False),
        ("https://smba.traffic\tmanager.net/", False),
        ("https://[::1", False),
        ("ftp://smba.trafficmanager.net/", False),
        ("http://127.0.0.1:3978/", False),
        ("http://localhost:3978/", False),
        ("", False),
    ],
)
def test_where_the_bot_may_send(url: str, allowed: bool) -> None:
    assert HostingConfig(**GOOD).allows_service(url) is allowed


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://eu.channel.example", True),
        ("https://channel.example/", False),
        ("https://evilchannel.example/", False),
    ],
)
def test_a_star_matches_any_subdomain(url: str, allowed: bool) -> None:
    assert HostingConfig(**GOOD, allowed_service_hosts=("*.channel.example",)).allows_service(url) is allowed


@pytest.mark.parametrize("url", ["http://127.0.0.1:56150/_connector", "http://localhost:1/", "http://[::1]:1/"])
def test_loopback_is_allowed_in_development_or_when_listed(url: str) -> None:
    assert not HostingConfig(**GOOD).allows_service(url)
    assert HostingConfig(dangerously_allow_unauthenticated=True).allows_service(url)
    named = HostingConfig(**GOOD, allowed_service_hosts=("127.0.0.1", "localhost", "::1"))
    assert named.allows_service(url)
